package dev.lethe.spark;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeoutException;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerBlockUpdated;
import org.apache.spark.scheduler.SparkListenerJobStart;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.scheduler.StageInfo;
import org.apache.spark.storage.BlockId;
import org.apache.spark.storage.BroadcastBlockId;
import scala.jdk.javaapi.CollectionConverters;

/** The Spark jobs of a stretch of code: what they say they do and how many records they read. */
public final class JobLog extends SparkListener implements AutoCloseable {
  private static final String DESCRIPTION = "spark.job.description";

  private final SparkContext context;
  private final Map<Integer, Job> jobs = new HashMap<>();
  private final Map<Integer, Integer> jobOfStage = new HashMap<>();
  private final Set<Long> destroyedBroadcasts = new HashSet<>();

  /**
   * @param description empty if there is none
   * @param recordsRead from files or from cached partitions
   * @param request that its log lines are about; empty if there is none
   */
  public record Job(int id, String description, long recordsRead, String request) {}

  private JobLog(SparkContext context) {
    this.context = context;
  }

  public static JobLog on(SparkContext context) {
    JobLog log = new JobLog(context);
    drain(context);
    context.addSparkListener(log);
    return log;
  }

  /** How many jobs an action runs. */
  static int count(SparkContext context, Callable<?> action) throws Exception {
    try (JobLog log = on(context)) {
      action.call();
      return log.jobs().size();
    }
  }

  @Override
  public synchronized void onJobStart(SparkListenerJobStart start) {
    String description = start.properties().getProperty(DESCRIPTION, "");
    String request = start.properties().getProperty("mdc.lethe.request", "");
    jobs.put(start.jobId(), new Job(start.jobId(), description, 0, request));
    for (StageInfo stage : CollectionConverters.asJava(start.stageInfos())) {
      jobOfStage.put(stage.stageId(), start.jobId());
    }
  }

  @Override
  public synchronized void onTaskEnd(SparkListenerTaskEnd end) {
    Integer job = jobOfStage.get(end.stageId());
    if (job != null) {
      long read = end.taskMetrics().inputMetrics().recordsRead();
      jobs.computeIfPresent(
          job, (id, j) -> new Job(id, j.description(), j.recordsRead() + read, j.request()));
    }
  }

  @Override
  public synchronized void onBlockUpdated(SparkListenerBlockUpdated updated) {
    BlockId block = updated.blockUpdatedInfo().blockId();
    if (block instanceof BroadcastBlockId broadcast
        && !updated.blockUpdatedInfo().storageLevel().isValid()) {
      destroyedBroadcasts.add(broadcast.broadcastId());
    }
  }

  /** In the order of their start. */
  public List<Job> jobs() {
    drain(context);
    synchronized (this) {
      List<Job> sorted = new ArrayList<>(jobs.values());
      sorted.sort(Comparator.comparingInt(Job::id));
      return sorted;
    }
  }

  /** Broadcasts that left the block manager, so far. */
  int destroyedBroadcasts() {
    drain(context);
    synchronized (this) {
      return destroyedBroadcasts.size();
    }
  }

  // Events arrive on another thread.
  private static void drain(SparkContext context) {
    try {
      context.listenerBus().waitUntilEmpty(10_000);
    } catch (TimeoutException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    context.removeSparkListener(this);
  }
}

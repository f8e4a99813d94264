package dev.lethe.benchmarks.endtoend;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeoutException;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobEnd;
import org.apache.spark.scheduler.SparkListenerJobStart;

/**
 * When each Spark job of a stretch of code began and ended, to a millisecond, and what it says it
 * does.
 */
final class JobTimes extends SparkListener implements AutoCloseable {
  private final SparkContext context;
  private final Map<Integer, SparkListenerJobStart> started = new TreeMap<>();
  private final Map<Integer, Job> ended = new TreeMap<>();

  /**
   * @param description empty if there is none
   * @param begin in milliseconds of the clock
   * @param end of the same
   */
  record Job(String description, long begin, long end) {
    double seconds() {
      return (end - begin) / 1e3;
    }

    /** What comes after the last colon: the kind of pass. */
    String kind() {
      return description.substring(description.lastIndexOf(':') + 1).strip();
    }
  }

  private JobTimes(SparkContext context) {
    this.context = context;
  }

  static JobTimes on(SparkContext context) {
    JobTimes times = new JobTimes(context);
    drain(context);
    context.addSparkListener(times);
    return times;
  }

  @Override
  public synchronized void onJobStart(SparkListenerJobStart start) {
    started.put(start.jobId(), start);
  }

  @Override
  public synchronized void onJobEnd(SparkListenerJobEnd end) {
    SparkListenerJobStart start = started.get(end.jobId());
    if (start != null) {
      String description = start.properties().getProperty("spark.job.description", "");
      ended.put(end.jobId(), new Job(description, start.time(), end.time()));
    }
  }

  /** In the order of their start. */
  List<Job> jobs() {
    drain(context);
    synchronized (this) {
      return new ArrayList<>(ended.values());
    }
  }

  /**
   * Seconds of the jobs that begin at a time or later, by kind, in the order in which kinds appear.
   */
  Map<String, List<Double>> kinds(long after) {
    Map<String, List<Double>> kinds = new LinkedHashMap<>();
    for (Job job : jobs()) {
      if (job.begin() >= after) {
        kinds.computeIfAbsent(job.kind(), kind -> new ArrayList<>()).add(job.seconds());
      }
    }
    return kinds;
  }

  /** Events arrive on another thread. */
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

package dev.lethe.spark;

import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobStart;
import org.apache.spark.scheduler.SparkListenerStageCompleted;
import org.apache.spark.scheduler.SparkListenerTaskEnd;

/** Counts the Spark jobs, stages and tasks of a stretch of code. */
public final class JobCounter extends SparkListener implements AutoCloseable {
  private final SparkContext context;
  private final AtomicInteger jobs = new AtomicInteger();
  private final AtomicInteger stages = new AtomicInteger();
  private final AtomicInteger tasks = new AtomicInteger();
  private final AtomicLong resultBytes = new AtomicLong();

  private JobCounter(SparkContext context) {
    this.context = context;
  }

  public static JobCounter on(SparkContext context) {
    JobCounter counter = new JobCounter(context);
    drain(context);
    context.addSparkListener(counter);
    return counter;
  }

  @Override
  public void onJobStart(SparkListenerJobStart start) {
    jobs.incrementAndGet();
  }

  @Override
  public void onStageCompleted(SparkListenerStageCompleted completed) {
    stages.incrementAndGet();
  }

  @Override
  public void onTaskEnd(SparkListenerTaskEnd end) {
    tasks.incrementAndGet();
    resultBytes.addAndGet(end.taskMetrics().resultSize());
  }

  public int jobs() {
    drain(context);
    return jobs.get();
  }

  public int stages() {
    drain(context);
    return stages.get();
  }

  public int tasks() {
    drain(context);
    return tasks.get();
  }

  /** Of the results that tasks sent to the driver. */
  public long resultBytes() {
    drain(context);
    return resultBytes.get();
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

package dev.lethe.benchmarks.endtoend;

import dev.lethe.spark.api.UnlearnedModel;
import dev.lethe.spark.api.Unlearner;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.sql.SparkSession;

/**
 * One unlearning from Parquet, timed; all times in seconds.
 *
 * @param seconds from the table's path to the certified model in memory
 * @param beforeReading of that, what came before the first job over the table
 * @param reading of that, the jobs that read, pack, cache and count
 * @param fromCache of that, what came after
 * @param betweenJobs of fromCache, what no Spark job was running in: the driver
 * @param kinds of fromCache, the jobs of each kind
 * @param memoryBytes of the cached blocks
 * @param diskBytes of the blocks that did not fit into memory
 */
record Unlearning(
    double seconds,
    double beforeReading,
    double reading,
    double fromCache,
    double betweenJobs,
    Map<String, List<Double>> kinds,
    long memoryBytes,
    long diskBytes) {

  /** After a garbage collection. */
  static Unlearning run(SparkSession spark, Case of, PipelineModel model, String train) {
    return run(spark, new Unlearner(), of, model, train, unlearned -> {});
  }

  /**
   * @param after what to do with the model when the time is taken
   */
  static Unlearning run(
      SparkSession spark,
      Unlearner unlearner,
      Case of,
      PipelineModel model,
      String train,
      Consumer<UnlearnedModel> after) {
    try (JobTimes times = JobTimes.on(spark.sparkContext())) {
      Stored before = Stored.now(spark);
      System.gc();
      long clock = System.currentTimeMillis();
      long begin = System.nanoTime();
      try (UnlearnedModel unlearned =
          unlearner.unlearn(model, spark.read().parquet(train), of.request())) {
        double seconds = (System.nanoTime() - begin) / 1e9;
        long end = System.currentTimeMillis();
        Stored blocks = Stored.now(spark).less(before);
        Unlearning timed = phases(times, seconds, clock, end, blocks);
        after.accept(unlearned);
        return timed;
      }
    }
  }

  /** Bytes of all cached blocks. */
  private record Stored(long memory, long disk) {
    static Stored now(SparkSession spark) {
      var cached = spark.sparkContext().getRDDStorageInfo();
      return new Stored(
          Arrays.stream(cached).mapToLong(rdd -> rdd.memSize()).sum(),
          Arrays.stream(cached).mapToLong(rdd -> rdd.diskSize()).sum());
    }

    Stored less(Stored other) {
      return new Stored(memory - other.memory, disk - other.disk);
    }
  }

  private static Unlearning phases(
      JobTimes times, double seconds, long begin, long end, Stored blocks) {
    long reading = end;
    long read = begin;
    for (JobTimes.Job job : times.jobs()) {
      if (job.kind().equals("placing rows") || job.kind().equals("counts and moments")) {
        reading = Math.min(reading, job.begin());
        read = job.end();
      }
    }
    Map<String, List<Double>> kinds = times.kinds(read);
    double inJobs =
        kinds.values().stream().flatMap(List::stream).mapToDouble(Double::doubleValue).sum();
    double fromCache = (end - read) / 1e3;
    return new Unlearning(
        seconds,
        (reading - begin) / 1e3,
        (read - reading) / 1e3,
        fromCache,
        fromCache - inJobs,
        kinds,
        blocks.memory,
        blocks.disk);
  }

  long blockBytes() {
    return memoryBytes + diskBytes;
  }

  /** Passes over the cached blocks. */
  int passes() {
    return kinds.values().stream().mapToInt(List::size).sum();
  }

  /** Passes that evaluate a gradient, and no Hessian. */
  int gradients() {
    return kinds.entrySet().stream()
        .filter(kind -> kind.getKey().startsWith("gradient") && !kind.getKey().contains("Hessian"))
        .mapToInt(kind -> kind.getValue().size())
        .sum();
  }
}

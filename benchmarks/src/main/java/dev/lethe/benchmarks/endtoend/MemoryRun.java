package dev.lethe.benchmarks.endtoend;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.GarbageCollectorMXBean;
import dev.lethe.spark.api.Unlearner;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryType;
import java.lang.management.MemoryUsage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.apache.spark.SparkEnv;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.BlockId;

/**
 * Unlearnings of a table in a JVM of their own, whose heap is what is looked at.
 *
 * @param heapBytes that the JVM may use
 * @param storageBytes of them that Spark leaves to blocks at most
 * @param memoryBytes of the blocks in memory
 * @param diskBytes of the blocks on disk
 * @param restingHeap live bytes before
 * @param peakHeap most live bytes during one more unlearning
 * @param parameters un-noised, the same to the last bit in every run
 */
record MemoryRun(
    long heapBytes,
    long storageBytes,
    long memoryBytes,
    long diskBytes,
    long restingHeap,
    long peakHeap,
    Spread fromParquet,
    Spread fromCache,
    double[] parameters) {
  private static final long LEAST_PAUSE = 50;
  private static final long PAUSES_A_COLLECTION = 4;

  /**
   * The program of the JVM.
   *
   * @param words rows, columns and seed of a {@link DenseCase}, whose table and model are there;
   *     work directory, runs and warm-ups, threads, spark.memory.fraction, file of the result
   */
  public static void main(String[] words) throws IOException {
    DenseCase of =
        new DenseCase(
            Long.parseLong(words[0]), Integer.parseInt(words[1]), Long.parseLong(words[2]));
    SparkSession spark =
        SparkSession.builder()
            .master("local[" + words[6] + "]")
            .config("spark.ui.enabled", "false")
            .config("spark.log.level", "ERROR")
            .config("spark.local.dir", words[3])
            .config("spark.memory.fraction", words[7])
            .getOrCreate();
    MemoryRun run =
        of(new Tables(spark, words[3]), of, Integer.parseInt(words[4]), Integer.parseInt(words[5]));
    spark.stop();
    new ObjectMapper().writeValue(Path.of(words[8]).toFile(), run);
  }

  private static MemoryRun of(Tables tables, DenseCase of, int runs, int warmUps) {
    SparkSession spark = tables.spark();
    PipelineModel model = tables.model(of);
    String train = tables.train(of);
    for (int i = 0; i < warmUps; i++) {
      Unlearning.run(spark, of, model, train);
    }
    List<Unlearning> all = new ArrayList<>();
    for (int i = 0; i < runs; i++) {
      all.add(Unlearning.run(spark, of, model, train));
    }
    List<double[]> parameters = new ArrayList<>();
    awaitNoBlocks();
    long resting = live();
    AtomicLong peak = new AtomicLong();
    try (Sampler sampler = new Sampler(peak)) {
      Unlearning.run(
          spark,
          new Unlearner(),
          of,
          model,
          train,
          unlearned -> {
            sampler.close();
            // the blocks are still cached: what a run shorter than the sampler's pauses is sure of
            peak.accumulateAndGet(live(), Math::max);
            parameters.add(unlearned.evidence().unnoisedParameters());
          });
    }
    Unlearning last = all.get(all.size() - 1);
    return new MemoryRun(
        Runtime.getRuntime().maxMemory(),
        storage(spark),
        last.memoryBytes(),
        last.diskBytes(),
        resting,
        peak.get(),
        Spread.of(all, Unlearning::seconds),
        Spread.of(all, Unlearning::fromCache),
        parameters.get(0));
  }

  /**
   * Blocks that were given up leave the cache a moment later; Spark's list of what is cached is
   * empty before they have.
   */
  private static void awaitNoBlocks() {
    try {
      while (SparkEnv.get().blockManager().getMatchingBlockIds(BlockId::isRDD).nonEmpty()) {
        Thread.sleep(LEAST_PAUSE);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static long storage(SparkSession spark) {
    return (Long) spark.sparkContext().getExecutorMemoryStatus().head()._2()._1();
  }

  /** Bytes of the heap after a full collection. */
  private static long live() {
    System.gc();
    Set<String> heap =
        ManagementFactory.getMemoryPoolMXBeans().stream()
            .filter(pool -> pool.getType() == MemoryType.HEAP)
            .map(MemoryPoolMXBean::getName)
            .collect(Collectors.toSet());
    Map<String, MemoryUsage> after =
        ManagementFactory.getPlatformMXBeans(GarbageCollectorMXBean.class).stream()
            .map(GarbageCollectorMXBean::getLastGcInfo)
            .filter(info -> info != null)
            .max(Comparator.comparingLong(info -> info.getEndTime()))
            .orElseThrow()
            .getMemoryUsageAfterGc();
    return after.entrySet().stream()
        .filter(pool -> heap.contains(pool.getKey()))
        .mapToLong(pool -> pool.getValue().getUsed())
        .sum();
  }

  /** Collects garbage a fifth of the time, and notes the most that was left. */
  private static final class Sampler implements AutoCloseable {
    private final AtomicBoolean stopped = new AtomicBoolean();
    private final Thread thread;

    Sampler(AtomicLong peak) {
      thread =
          new Thread(
              () -> {
                while (!stopped.get()) {
                  long begin = System.nanoTime();
                  peak.accumulateAndGet(live(), Math::max);
                  long took = (System.nanoTime() - begin) / 1_000_000;
                  try {
                    Thread.sleep(Math.max(LEAST_PAUSE, PAUSES_A_COLLECTION * took));
                  } catch (InterruptedException e) {
                    return;
                  }
                }
              },
              "live-heap");
      thread.setDaemon(true);
      thread.start();
    }

    @Override
    public void close() {
      stopped.set(true);
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}

package dev.lethe.benchmarks.endtoend;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.apache.spark.launcher.JavaModuleOptions;

/**
 * The memory that an unlearning takes, and what it costs to have half of what the blocks need; in
 * JVMs of their own.
 *
 * @param enough with room for the blocks
 * @param half with half of the heap that is needed, and room for at most half of the blocks
 * @param peakPerBlocks live heap at its peak, less that before, over the bytes of the blocks
 * @param slowdown seconds from Parquet, half over enough
 * @param slowdownFromCache of that, seconds after reading
 * @param identical whether both gave the same parameters to the last bit
 */
record Memory(
    String study,
    String title,
    Run enough,
    Run half,
    double peakPerBlocks,
    double slowdown,
    double slowdownFromCache,
    boolean identical)
    implements Study {
  /** Of Spark, and what it keeps off. */
  private static final double FRACTION = 0.6;

  private static final long RESERVED = 300L << 20;

  /** Of a task that reads Parquet: a row group, and the next one while it still holds the first. */
  private static final long READER = 2 * (128L << 20);

  private static final long LEAST_HEAP = 512L << 20;

  /** As {@link MemoryRun}, without the parameters. */
  record Run(
      long heapBytes,
      long storageBytes,
      long memoryBytes,
      long diskBytes,
      long restingHeap,
      long peakHeap,
      Spread fromParquet,
      Spread fromCache) {
    static Run of(MemoryRun run) {
      return new Run(
          run.heapBytes(),
          run.storageBytes(),
          run.memoryBytes(),
          run.diskBytes(),
          run.restingHeap(),
          run.peakHeap(),
          run.fromParquet(),
          run.fromCache());
    }
  }

  static Memory measure(Options options, Sessions sessions) throws IOException {
    return measure(DenseCase.of(options.scale(), options.seed()), options, sessions);
  }

  static Memory measure(DenseCase of, Options options, Sessions sessions) throws IOException {
    Tables tables = new Tables(sessions.session(), options.work());
    tables.model(of);
    long blocks = 8 * of.rows() * (of.columns() + 2L);
    int threads = sessions.threads();
    long needed = (long) (blocks / FRACTION) + RESERVED + threads * READER;
    MemoryRun enough = run(of, options, threads, needed + needed / 2, FRACTION);
    long heap = Math.max(LEAST_HEAP, needed / 2);
    MemoryRun half =
        run(of, options, threads, heap, Math.min(FRACTION, blocks / 2.0 / (heap - RESERVED)));
    return new Memory(
        "memory",
        of.title(),
        Run.of(enough),
        Run.of(half),
        (double) (enough.peakHeap() - enough.restingHeap()) / enough.memoryBytes(),
        half.fromParquet().median() / enough.fromParquet().median(),
        half.fromCache().median() / enough.fromCache().median(),
        Arrays.equals(enough.parameters(), half.parameters()));
  }

  private static MemoryRun run(
      DenseCase of, Options options, int threads, long heap, double fraction) throws IOException {
    Path result = Files.createTempFile(Path.of(options.work()), "memory", ".json");
    try {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(List.of(JavaModuleOptions.defaultModuleOptionArray()));
      command.add("-Xmx" + (heap >> 20) + "m");
      String logging = System.getProperty("log4j2.configurationFile");
      if (logging != null) {
        command.add("-Dlog4j2.configurationFile=" + logging);
      }
      command.addAll(List.of("-cp", classPath(), MemoryRun.class.getName()));
      Stream.of(
              of.rows(),
              of.columns(),
              of.seed(),
              options.work(),
              options.runs(),
              options.warmUps(),
              threads,
              fraction,
              result)
          .map(String::valueOf)
          .forEach(command::add);
      System.err.printf(Locale.ROOT, "bench: memory: %s, heap %d MB%n", of.title(), heap >> 20);
      Process process =
          new ProcessBuilder(command)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      int code = process.waitFor();
      if (code != 0) {
        throw new IOException("memory: the JVM with a heap of " + heap + " ended with " + code);
      }
      return new ObjectMapper().readValue(result.toFile(), MemoryRun.class);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    } finally {
      Files.delete(result);
    }
  }

  /** This JVM's, and the jars that spark-submit has added. */
  private static String classPath() {
    return Stream.of(dev.lethe.spark.api.Unlearner.class, MemoryRun.class)
            .map(type -> type.getProtectionDomain().getCodeSource().getLocation().getPath())
            .collect(java.util.stream.Collectors.joining(java.io.File.pathSeparator))
        + java.io.File.pathSeparator
        + System.getProperty("java.class.path");
  }

  @Override
  public String markdown() {
    return "Memory of an unlearning of "
        + title
        + ", in JVMs of their own.\n\n"
        + "| | with room for the blocks | half of it |\n|---|---|---|\n"
        + row("heap, MB", enough.heapBytes, half.heapBytes)
        + row("of it Spark's for blocks, MB", enough.storageBytes, half.storageBytes)
        + row("blocks in memory, MB", enough.memoryBytes, half.memoryBytes)
        + row("blocks on disk, MB", enough.diskBytes, half.diskBytes)
        + row("live before, MB", enough.restingHeap, half.restingHeap)
        + row("live at the peak, MB", enough.peakHeap, half.peakHeap)
        + "| from Parquet, s | %s | %s: %s times |\n"
            .formatted(
                Report.text(enough.fromParquet),
                Report.text(half.fromParquet),
                Report.fixed("%.2f", slowdown))
        + "| from cached blocks, s | %s | %s: %s times |\n"
            .formatted(
                Report.text(enough.fromCache),
                Report.text(half.fromCache),
                Report.fixed("%.2f", slowdownFromCache))
        + "\nLive heap at its peak, less that before: %s times the blocks. Parameters: %s.\n"
            .formatted(
                Report.fixed("%.2f", peakPerBlocks),
                identical ? "the same to the last bit" : "NOT the same");
  }

  private static String row(String title, long enough, long half) {
    return "| %s | %s | %s |\n"
        .formatted(title, Report.fixed("%.0f", enough / 1e6), Report.fixed("%.0f", half / 1e6));
  }
}

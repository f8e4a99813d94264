package dev.lethe.benchmarks.endtoend;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;

/**
 * What was measured on.
 *
 * @param cores that the JVM sees
 * @param memoryBytes of the machine
 * @param heapBytes that the JVM may use
 * @param loadAverage of the last minute before the measurements: cores that others kept busy
 * @param readBandwidth bytes a second, see {@link #bandwidth}
 */
record Machine(
    String cpu,
    int cores,
    long memoryBytes,
    String os,
    String jvm,
    long heapBytes,
    String spark,
    String master,
    double loadAverage,
    Spread readBandwidth) {
  private static final int PROBES = 7;

  static Machine measure(SparkSession spark, long probeBytes) {
    OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    double load = system.getSystemLoadAverage();
    return new Machine(
        processor(),
        Runtime.getRuntime().availableProcessors(),
        system.getTotalMemorySize(),
        System.getProperty("os.name") + " " + System.getProperty("os.version"),
        System.getProperty("java.vm.name") + " " + System.getProperty("java.vm.version"),
        Runtime.getRuntime().maxMemory(),
        spark.version(),
        spark.sparkContext().master(),
        load,
        bandwidth(probeBytes, spark.sparkContext().defaultParallelism()));
  }

  private static String processor() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse(System.getProperty("os.arch"));
    } catch (IOException e) {
      return System.getProperty("os.arch");
    }
  }

  /**
   * Bytes a second of a plain sum over doubles, each thread over its own share, in eight chains;
   * the first of {@value #PROBES} + 1 runs warms up.
   */
  static Spread bandwidth(long bytes, int threads) {
    double[][] shares = new double[threads][(int) (bytes / 8 / threads)];
    for (double[] share : shares) {
      Arrays.fill(share, 1);
    }
    List<Double> rates = new ArrayList<>();
    double total = 0;
    for (int run = 0; run <= PROBES; run++) {
      long begin = System.nanoTime();
      total += IntStream.range(0, threads).parallel().mapToDouble(i -> sum(shares[i])).sum();
      double seconds = (System.nanoTime() - begin) / 1e9;
      if (run > 0) {
        rates.add(8.0 * shares[0].length * threads / seconds);
      }
    }
    if (total != (PROBES + 1.0) * shares[0].length * threads) {
      throw new IllegalStateException("the sum of ones is " + total);
    }
    return Spread.of(rates);
  }

  private static double sum(double[] words) {
    double s0 = 0;
    double s1 = 0;
    double s2 = 0;
    double s3 = 0;
    double s4 = 0;
    double s5 = 0;
    double s6 = 0;
    double s7 = 0;
    int j = 0;
    for (; j + 7 < words.length; j += 8) {
      s0 += words[j];
      s1 += words[j + 1];
      s2 += words[j + 2];
      s3 += words[j + 3];
      s4 += words[j + 4];
      s5 += words[j + 5];
      s6 += words[j + 6];
      s7 += words[j + 7];
    }
    for (; j < words.length; j++) {
      s0 += words[j];
    }
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
  }
}

package dev.lethe.benchmarks;

import java.io.PrintStream;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * Runs {@link KernelBenchmark} with JMH's own options and prints a line for each kernel and
 * storage: nanoseconds of wall-clock time an entry, all threads together, GB/s, and these over the
 * read bandwidth of the same run and parameters.
 *
 * <p>java -cp benchmarks/target/lethe-benchmarks-*-jmh.jar dev.lethe.benchmarks.KernelReport -f1
 * -wi 2 -i 3 -t 2
 */
public final class KernelReport {
  private KernelReport() {}

  public static void main(String[] args) throws CommandLineOptionException, RunnerException {
    Collection<RunResult> results =
        new Runner(
                new OptionsBuilder()
                    .parent(new CommandLineOptions(args))
                    .include(KernelBenchmark.class.getName())
                    .build())
            .run();
    print(results, System.out);
  }

  private static void print(Collection<RunResult> results, PrintStream out) {
    Map<String, Double> bandwidths = new LinkedHashMap<>();
    for (RunResult result : results) {
      if (kernel(result).equals("bandwidth")) {
        bandwidths.put(storage(result), rate(result, "bytes"));
      }
    }
    out.println("| storage | kernel | ns an entry | GB/s | of the read bandwidth |");
    out.println("|---|---|---|---|---|");
    for (RunResult result : results) {
      double bytes = rate(result, "bytes");
      out.printf(
          "| %s | %s | %.2f | %.1f | %.2f |%n",
          storage(result),
          kernel(result),
          1e9 / rate(result, "entries"),
          bytes / 1e9,
          bytes / bandwidths.getOrDefault(storage(result), Double.NaN));
    }
  }

  private static double rate(RunResult result, String counter) {
    return result.getSecondaryResults().get(counter).getScore();
  }

  private static String kernel(RunResult result) {
    String name = result.getParams().getBenchmark();
    return name.substring(name.lastIndexOf('.') + 1);
  }

  private static String storage(RunResult result) {
    BenchmarkParams params = result.getParams();
    return params.getParam("layout") + " " + params.getParam("numbers").toLowerCase(Locale.ROOT);
  }
}

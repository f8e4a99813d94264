package dev.lethe.benchmarks.endtoend;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.SparkSession;

/** The program of {@code scripts/bench}. Exit code 2: something given cannot be used. */
public final class EndToEnd {
  private EndToEnd() {}

  /**
   * Runs.
   *
   * @param words as {@code scripts/bench} passes them on
   */
  public static void main(String[] words) throws IOException {
    try {
      Options options = Options.parse(words);
      List<Case> cases = cases(options);
      SparkSession spark =
          SparkSession.builder()
              .appName("lethe-bench")
              .config("spark.ui.enabled", "false")
              .getOrCreate();
      try {
        Report report = run(options, cases, spark);
        report.write(Path.of(options.out()));
        System.out.print(report.markdown());
      } finally {
        spark.stop();
      }
    } catch (IllegalArgumentException e) {
      System.err.println("bench: " + e.getMessage());
      System.exit(2);
    }
  }

  static List<Case> cases(Options options) {
    return options.cases().stream().map(word -> Case.of(word, options)).toList();
  }

  static Report run(Options options, List<Case> cases, SparkSession spark) {
    Machine machine = Machine.measure(spark, options.probeBytes());
    Comparison comparison =
        new Comparison(new Tables(spark, options.work()), options.runs(), options.warmUps());
    List<Result> results = new ArrayList<>();
    for (Case of : cases) {
      results.add(comparison.run(of));
    }
    return new Report(
        options.commit(),
        options.dirty(),
        Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
        options.scale(),
        options.runs(),
        options.seed(),
        machine,
        List.copyOf(results));
  }
}

package dev.lethe.benchmarks.endtoend;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
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
      List<String> studies = Study.chosen(options);
      try (Sessions sessions =
          new Sessions(
              () ->
                  SparkSession.builder()
                      .appName("lethe-bench")
                      .config("spark.ui.enabled", "false"))) {
        System.out.print(run(options, cases, studies, sessions).markdown());
      }
    } catch (IllegalArgumentException e) {
      System.err.println("bench: " + e.getMessage());
      System.exit(2);
    }
  }

  static List<Case> cases(Options options) {
    return options.words().stream()
        .filter(word -> !Study.WORDS.contains(word))
        .map(word -> Case.of(word, options))
        .toList();
  }

  /**
   * Runs the cases, then the studies; what is there is written after each, so that a failure loses
   * no finished one.
   */
  static Report run(Options options, List<Case> cases, List<String> studies, Sessions sessions)
      throws IOException {
    SparkSession spark = sessions.session();
    Machine machine = Machine.measure(spark, options.probeBytes());
    Comparison comparison =
        new Comparison(new Tables(spark, options.work()), options.runs(), options.warmUps());
    Report report =
        new Report(
            options.commit(),
            options.dirty(),
            Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
            options.scale(),
            options.runs(),
            options.seed(),
            machine,
            List.of(),
            List.of());
    for (Case of : cases) {
      report = report.with(comparison.run(of));
      report.write(Path.of(options.out()));
    }
    for (String word : studies) {
      report = report.with(Study.measure(word, options, sessions, report));
      report.write(Path.of(options.out()));
    }
    return report;
  }
}

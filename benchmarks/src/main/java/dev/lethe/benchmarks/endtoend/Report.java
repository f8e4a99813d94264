package dev.lethe.benchmarks.endtoend;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * The results of a run with all that tells where they come from.
 *
 * @param commit of the tree that was built
 * @param dirty whether it had changes that are in no commit
 * @param date of the run, UTC
 */
record Report(
    String commit,
    boolean dirty,
    String date,
    double scale,
    int runs,
    long seed,
    Machine machine,
    List<Result> cases,
    List<Study> studies) {

  /** One case more. */
  Report with(Result result) {
    List<Result> more = new ArrayList<>(cases);
    more.add(result);
    return new Report(commit, dirty, date, scale, runs, seed, machine, List.copyOf(more), studies);
  }

  /** One study more. */
  Report with(Study study) {
    List<Study> more = new ArrayList<>(studies);
    more.add(study);
    return new Report(commit, dirty, date, scale, runs, seed, machine, cases, List.copyOf(more));
  }

  /** The study of a kind, if it is there. */
  <S extends Study> Optional<S> study(Class<S> kind) {
    return studies.stream().filter(kind::isInstance).map(kind::cast).findFirst();
  }

  /** Writes {@code bench.json} and {@code bench.md}. */
  void write(Path folder) throws IOException {
    Files.createDirectories(folder);
    new ObjectMapper()
        .enable(SerializationFeature.INDENT_OUTPUT)
        .writeValue(folder.resolve("bench.json").toFile(), this);
    Files.writeString(folder.resolve("bench.md"), markdown());
  }

  /** The cases, then the studies. Seconds are medians, with the least and the greatest. */
  String markdown() {
    List<String> parts = new ArrayList<>();
    if (!cases.isEmpty()) {
      parts.add(comparisons());
    }
    studies.forEach(study -> parts.add(study.markdown()));
    parts.add(footer() + "\n");
    return String.join("\n", parts);
  }

  /** One column a case. */
  private String comparisons() {
    List<String> lines = new ArrayList<>();
    lines.add(row("", r -> r.title()));
    lines.add("|---|" + "---|".repeat(cases.size()));
    lines.add(row("removed", r -> r.removed()));
    lines.add(row("Parquet, MB", r -> fixed("%.0f", r.tableBytes() / 1e6)));
    lines.add(row("verdict, rho", r -> r.unlearned().verdict() + ", " + r.unlearned().rho()));
    lines.add(row("**(a)** Lethe from Parquet, s", r -> text(r.unlearned().fromParquet())));
    lines.add(row("Spark ML from Parquet, s", r -> text(r.retrained().fromParquet())));
    lines.add(row("ratio (a)", r -> fixed("%.1f", r.speedupFromParquet())));
    lines.add(row("**(b)** Lethe from cached blocks, s", r -> text(r.unlearned().fromCache())));
    lines.add(row("Spark ML from a cached frame, s", r -> text(r.retrained().fromCache())));
    lines.add(row("ratio (b)", r -> fixed("%.1f", r.speedupFromCache())));
    lines.add(row("of it L-BFGS alone, s", r -> fixed("%.3f", r.retrained().optimiser())));
    lines.add(
        row(
            "Spark ML from Parquet at its default tol, s",
            r -> text(r.retrained().atDefaultTol().fromParquet())));
    lines.add(row("gradient norm before", r -> scientific(r.unlearned().gradientNormBefore())));
    lines.add(row("gradient norm, Lethe", r -> scientific(r.unlearned().gradientNorm())));
    lines.add(
        row(
            "gradient norm, Spark ML",
            r ->
                scientific(r.retrained().gradientNorm())
                    + (r.retrained().reachesNorm() ? "" : " (stagnates)")));
    lines.add(
        row(
            "gradient norm, Spark ML at its default tol",
            r -> scientific(r.retrained().atDefaultTol().gradientNorm())));
    lines.add(row("tol, Spark ML", r -> scientific(r.retrained().tol())));
    lines.add(row("distance of the un-noised parameters", r -> scientific(r.parameterDistance())));
    lines.add(row("distance proven", r -> scientific(r.unlearned().distance())));
    lines.add(
        row("passes, Lethe", r -> r.unlearned().passes() + " (" + r.unlearned().solver() + ")"));
    lines.add(
        row(
            "iterations, Spark ML (default tol)",
            r ->
                r.retrained().iterations()
                    + " ("
                    + r.retrained().atDefaultTol().iterations()
                    + ")"));
    lines.add(
        row(
            "test accuracy, Lethe / Spark ML",
            r ->
                fixed("%.4f", r.unlearned().quality().accuracy())
                    + " / "
                    + fixed("%.4f", r.retrained().quality().accuracy())));
    lines.add(
        row(
            "test AUC, Lethe / Spark ML",
            r ->
                fixed("%.5f", r.unlearned().quality().areaUnderROC())
                    + " / "
                    + fixed("%.5f", r.retrained().quality().areaUnderROC())));
    lines.add(row("Lethe: before reading, s", r -> text(r.unlearned().beforeReading())));
    lines.add(row("Lethe: read, pack, cache, count, s", r -> text(r.unlearned().reading())));
    for (String kind : kinds()) {
      lines.add(row("Lethe: " + kind + ", s", r -> jobs(r, kind)));
    }
    lines.add(row("Lethe: between jobs, s", r -> text(r.unlearned().betweenJobs())));
    lines.add(row("cached blocks, MB", r -> fixed("%.0f", r.unlearned().blockBytes() / 1e6)));
    return String.join("\n", lines) + "\n";
  }

  private Set<String> kinds() {
    Set<String> kinds = new LinkedHashSet<>();
    cases.forEach(r -> r.unlearned().jobs().forEach(jobs -> kinds.add(jobs.kind())));
    return kinds;
  }

  /** Passes, seconds of all, the median of one and its rate over the cached blocks. */
  private String jobs(Result result, String kind) {
    return result.unlearned().jobs().stream()
        .filter(jobs -> jobs.kind().equals(kind))
        .map(
            jobs ->
                "%d: %s; one %s, %s GB/s"
                    .formatted(
                        jobs.count(),
                        fixed("%.3f", jobs.seconds().median()),
                        fixed("%.3f", jobs.each().median()),
                        fixed(
                            "%.1f", result.unlearned().blockBytes() / jobs.each().median() / 1e9)))
        .findFirst()
        .orElse("");
  }

  private String row(String title, Function<Result, String> cell) {
    StringBuilder row = new StringBuilder("| ").append(title).append(" |");
    cases.forEach(result -> row.append(' ').append(cell.apply(result)).append(" |"));
    return row.toString();
  }

  private String footer() {
    return String.format(
        Locale.ROOT,
        "Scale %s, %d runs, seed %d; commit %s%s; %s.%n"
            + "%s, %d cores, %.0f GiB; %s; %s, heap %.1f GiB; Spark %s %s; load average before %.1f;%n"
            + "read bandwidth %.1f GB/s (%.1f to %.1f).",
        scale,
        runs,
        seed,
        commit,
        dirty ? " with uncommitted changes" : "",
        date,
        machine.cpu(),
        machine.cores(),
        machine.memoryBytes() / (double) (1 << 30),
        machine.os(),
        machine.jvm(),
        machine.heapBytes() / (double) (1 << 30),
        machine.spark(),
        machine.master(),
        machine.loadAverage(),
        machine.readBandwidth().median() / 1e9,
        machine.readBandwidth().min() / 1e9,
        machine.readBandwidth().max() / 1e9);
  }

  static String text(Spread spread) {
    return fixed("%.3f", spread.median())
        + " ("
        + fixed("%.3f", spread.min())
        + " to "
        + fixed("%.3f", spread.max())
        + ")";
  }

  static String fixed(String format, double value) {
    return String.format(Locale.ROOT, format, value);
  }

  static String scientific(double value) {
    return fixed("%.1e", value);
  }
}

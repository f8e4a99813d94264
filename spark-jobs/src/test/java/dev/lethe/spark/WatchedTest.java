package dev.lethe.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.solver.LinearSolver;
import dev.lethe.spark.certificate.Evidence;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.MDC;

/** What Spark's web pages say of a run, and its logs know. */
@ExtendWith(LocalSpark.class)
class WatchedTest {
  private static final String FIGURES = "spark.lethe.ui.figures";

  @TempDir private static Path directory;
  private static Jobs jobs;
  private static NumericTable table;

  @BeforeAll
  static void train() throws IOException {
    jobs = new Jobs(directory);
    table = new NumericTable(300, 4, 9);
    table.csv(directory.resolve("table"), 2, 0);
    LocalSpark.session()
        .read()
        .option("header", "true")
        .option("inferSchema", "true")
        .csv(jobs.path("table"))
        .write()
        .parquet(jobs.path("parquet"));
    jobs.train(
        jobs.table("parquet", "parquet"), table.featureNames(), 0.01, true, true, null, "model");
    jobs.write(
        "request.yaml",
        """
        id: r-2026
        changes: [{removeRows: {where: "id < 30"}}]
        certificate: {epsilon: 0.1, delta: 1e-4, rho: 1e-8}
        """);
  }

  private record Run(Evidence evidence, List<JobLog.Job> jobs, String printed) {
    List<String> products() {
      return jobs.stream()
          .map(JobLog.Job::description)
          .filter(description -> description.endsWith(": Hessian-vector product"))
          .toList();
    }
  }

  private static Run unlearn(String out) throws IOException {
    PrintStream console = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    try (JobLog log = JobLog.on(LocalSpark.session().sparkContext())) {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      Evidence evidence =
          jobs.unlearn(
                  jobs.table("parquet", "parquet"),
                  false,
                  "model",
                  "request.yaml",
                  out,
                  LinearSolver.CG,
                  2)
              .evidence();
      return new Run(evidence, log.jobs(), printed.toString(StandardCharsets.UTF_8));
    } finally {
      System.setOut(console);
    }
  }

  @Test
  void unlearn_byDefault_describesStepAndPassesAlone() throws IOException {
    Run run = unlearn("plain");

    assertThat(run.products())
        .hasSize((int) run.evidence().totals().hessianVectorProducts())
        .allMatch(
            description ->
                description.matches(
                    "Lethe unlearn r-2026, step \\d+, \\d+ passes: Hessian-vector product"));
    // No digit but of the request, the step and the passes: no figure under another name.
    assertThat(run.jobs())
        .filteredOn(job -> job.description().startsWith("Lethe"))
        .hasSizeGreaterThan(5)
        .allMatch(
            job ->
                !job.description()
                    .replaceAll("r-2026|step \\d+|\\d+ passes", "")
                    .matches(".*(\\d|left|norm).*"));
    assertThat(run.printed()).isEmpty();
  }

  @Test
  void unlearn_figures_describesWhatTheEvidenceHas() throws IOException {
    LocalSpark.session().conf().set(FIGURES, "true");
    Run run;
    try {
      run = unlearn("figures");
    } finally {
      LocalSpark.session().conf().unset(FIGURES);
    }

    for (Evidence.Step step : run.evidence().steps()) {
      if (step.step() == run.evidence().steps().size() - 1) {
        break; // no job after it is a step's
      }
      String reached =
          String.format(
              Locale.ROOT,
              "Lethe unlearn r-2026, step %d: gradient norm %.1e, distance ",
              step.step() + 1,
              step.residualNorm());
      assertThat(run.products()).as(reached).anyMatch(said -> said.startsWith(reached));
    }
    assertThat(run.products())
        .anyMatch(said -> said.matches(".*, conjugate gradient \\d+, residual .*"));
    assertThat(run.printed()).as("no terminal: nothing is printed").isEmpty();
  }

  @Test
  void unlearn_logContext_isTheRequestOfEveryTask() throws IOException {
    MDC.put("lethe.request", "outer");
    try {
      Run run = unlearn("logged");

      assertThat(run.jobs()).hasSizeGreaterThan(5).allMatch(job -> job.request().equals("r-2026"));
      assertThat(MDC.get("lethe.request")).isEqualTo("outer");
    } finally {
      MDC.remove("lethe.request");
      LocalSpark.session().sparkContext().setLocalProperty("mdc.lethe.request", null);
    }
  }
}

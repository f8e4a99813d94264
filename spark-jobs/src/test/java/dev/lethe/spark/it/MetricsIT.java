package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Metrics by Spark's own servlet, and logs in JSON, with the files in conf/. */
@ExtendWith(PimaRelease.class)
class MetricsIT {
  private static final String PLANTED = "Qplantedcell";

  private static Submission.Result run;
  private static String page;
  private static JsonNode evidence;

  @BeforeAll
  static void runWatched() throws Exception {
    PimaRelease.Shared pima = PimaRelease.get();
    Path folder = Files.createDirectories(pima.path("watched"));
    Path table = folder.resolve("table.csv");
    List<String> lines = Files.readAllLines(pima.table());
    List<String> planted = new ArrayList<>(List.of(lines.get(0) + ",note"));
    for (int i = 1; i < lines.size(); i++) {
      planted.add(lines.get(i) + "," + (i % 40 == 0 ? PLANTED : "none"));
    }
    Files.write(table, planted);
    Path request =
        Files.writeString(
            folder.resolve("request.yaml"),
            """
            id: hr-7
            changes: [{removeRows: {where: "note = '%s'"}}]
            certificate: {epsilon: 0.1, delta: 1e-4, rho: 1e-8}
            """
                .formatted(PLANTED));
    Path metrics = folder.resolve("metrics.txt");
    List<String> arguments =
        new ArrayList<>(
            List.of(
                metrics.toString(),
                "unlearn",
                "--model",
                pima.model().toString(),
                "--data",
                table.toString(),
                "--format",
                "csv",
                "--request",
                request.toString(),
                "--solver",
                "cg",
                "--out",
                folder.resolve("out").toString(),
                "--vault",
                folder.resolve("vault").toString()));
    run =
        pima.spark()
            .submitBesideLethe(
                "watched",
                List.of(
                    "--driver-java-options",
                    "-Dlog4j2.configurationFile=" + SparkUnderTest.conf("log4j2-json.properties"),
                    "--conf",
                    "spark.ui.port=0",
                    "--conf",
                    "spark.metrics.conf=" + SparkUnderTest.conf("metrics.properties"),
                    "--conf",
                    "spark.metrics.namespace=lethe",
                    "--conf",
                    "spark.plugins=dev.lethe.spark.metrics.LethePlugin",
                    "--conf",
                    "spark.lethe.ui.figures=true"),
                WatchedJob.class,
                arguments);
    assertThat(run.exitCode()).as(run.described()).isZero();
    page = Files.readString(metrics);
    evidence = EvidenceFile.in(folder.resolve("vault")).json();
  }

  private static double metric(String name) {
    Matcher value =
        Pattern.compile(
                "(?m)^metrics_lethe_driver_plugin_dev_lethe_spark_metrics_LethePlugin_"
                    + name
                    + "_(?:Number|Value)\\{type=\"gauges\"\\} (\\S+)$")
            .matcher(page);
    assertThat(value.find()).as(name + " in\n" + page).isTrue();
    return Double.parseDouble(value.group(1));
  }

  @Test
  void prometheus_unlearn_showsTheEvidencesFigures() {
    assertThat(page).startsWith("200\n");
    JsonNode steps = evidence.required("steps");
    JsonNode last = steps.get(steps.size() - 1);
    JsonNode totals = evidence.required("totals");

    // Besides the update's: counts and moments.
    assertThat(metric("passes")).isEqualTo(totals.required("passes").asInt() + 1);
    assertThat(metric("products")).isEqualTo(totals.required("hessianVectorProducts").asInt());
    assertThat(metric("lastPassSeconds")).isBetween(1e-4, 60.0);
    assertThat(metric("step")).isEqualTo(last.required("step").asInt()).isPositive();
    assertThat(metric("gradientNorm"))
        .isCloseTo(last.required("residualNorm").asDouble(), within(0.0));
    assertThat(metric("distance"))
        .isCloseTo(last.required("distanceBound").asDouble(), within(0.0));
    assertThat(metric("target")).isEqualTo(1e-8);
    assertThat(metric("releases_certified")).isEqualTo(1);
    assertThat(metric("releases_not_certified")).isZero();
    assertThat(metric("pendingRequests")).isNaN();
    assertThat(metric("epsilonLeft")).isNaN();
  }

  @Test
  void log_everyLine_isJson() throws IOException {
    List<JsonNode> ours = new ArrayList<>();
    for (String line : run.errors().lines().toList()) {
      // The JVM's own, before any logger is there.
      if (!line.startsWith("WARNING: Using incubator modules")) {
        JsonNode event = new ObjectMapper().readTree(line);
        assertThat(Instant.parse(event.required("time").asText())).isBefore(Instant.now());
        assertThat(event.required("level").asText()).isIn("INFO", "WARN", "ERROR");
        assertThat(event.required("thread").asText()).isNotEmpty();
        if (event.required("logger").asText().equals(WatchedJob.class.getName())) {
          ours.add(event);
        }
      }
    }

    assertThat(ours).hasSize(3);
    assertThat(ours.get(0).required("message").asText())
        .isEqualTo("on the driver: " + WatchedJob.AWKWARD);
    assertThat(ours.get(0).required("error").asText())
        .contains("IllegalStateException", "WatchedJob.main");
    assertThat(ours.get(0).required("application").asText()).startsWith("local-");
    assertThat(ours.get(0).required("request").asText()).isEqualTo("r-\"1\"");
    assertThat(ours.get(1).required("message").asText()).startsWith("in a task: ");
    assertThat(ours.get(1).required("application")).isEqualTo(ours.get(0).required("application"));
    assertThat(ours.get(1).required("request").asText()).isEqualTo("r-\"1\"");
    assertThat(ours.get(1).has("error")).isFalse();
    assertThat(ours.get(2).has("request")).isFalse();
    assertThat(ours.get(2).has("application")).isFalse();
  }

  @Test
  void logAndMetrics_plantedCell_isNotThere() {
    assertThat(run.errors()).isNotEmpty().doesNotContain(PLANTED);
    assertThat(run.output()).isNotEmpty().doesNotContain(PLANTED);
    assertThat(page).doesNotContain(PLANTED);
  }
}

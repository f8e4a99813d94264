package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Every kind of change at once, on text columns and a text label: the SQL and the featurizers of
 * the Spark version under test, from the training to the verification on the table that {@code
 * lethe apply} writes.
 */
@ExtendWith(PimaRelease.class)
class MixedRequestIT {
  private static final String REQUEST =
      """
      id: mixed-1
      changes:
        - removeFeatures: [AgeGroup]
        - replaceFeatures: {set: {Glucose: "100", BodyType: "'normal'"}, where: "Insulin > 400"}
        - relabel: {to: "'no'", where: "Pregnancies = 13"}
        - removeRows: {where: "BloodPressure = 0"}
      certificate: {epsilon: 0.1, delta: 1e-4, rho: 1e-8}
      method: refined
      """;

  private static final List<String> LOCAL = List.of("--master", "local[2]");

  private final PimaRelease.Shared pima = PimaRelease.get();

  @Test
  void unlearn_everyKindOfChange_verifiesOnAppliedTable() throws Exception {
    Path table = pima.path("mixed/table.csv");
    Path request = pima.path("mixed/request.yaml");
    Files.createDirectories(table.getParent());
    writeTable(table);
    Files.writeString(request, REQUEST);
    String model = pima.path("mixed/model").toString();
    String out = pima.path("mixed/out").toString();
    String vault = pima.path("mixed/vault").toString();
    String applied = pima.path("mixed/applied").toString();

    run("train", table, "--label", "Outcome", "--reg-param", "0.01", "--out", model);
    run(
        "unlearn",
        table,
        "--model",
        model,
        "--label",
        "Outcome",
        "--request",
        request.toString(),
        "--test",
        table.toString(),
        "--out",
        out,
        "--vault",
        vault);
    String apply =
        run(
            "apply",
            table,
            "--label",
            "Outcome",
            "--request",
            request.toString(),
            "--out",
            applied);
    Submission.Result verified =
        pima.spark()
            .lethe(
                "mixed-verify",
                LOCAL,
                List.of(
                    "verify",
                    "--certificate",
                    out + "/certificate.json",
                    "--model",
                    out + "/model",
                    "--vault",
                    vault,
                    "--corrected",
                    applied,
                    "--format",
                    "csv",
                    "--label",
                    "Outcome"));

    // 768 rows, of which 35 have a blood pressure of 0, counted in the table by hand.
    assertThat(apply).contains("768 read", "35 removed", "columns dropped: AgeGroup");
    ClusterIT.assertCertified(Path.of(out));
    assertThat(verified.exitCode()).as(verified.described()).isZero();
    assertThat(verified.output()).contains("checks hold; the certificate says certified");
  }

  /** Runs a job on the table and returns what it prints. */
  private String run(String job, Path table, String... arguments) throws Exception {
    List<String> all = new ArrayList<>(List.of(job, "--data", table.toString(), "--format", "csv"));
    all.addAll(List.of(arguments));
    Submission.Result result = pima.spark().lethe("mixed-" + job, LOCAL, all);
    assertThat(result.exitCode()).as(result.described()).isZero();
    return result.output();
  }

  /** The table with Age and BMI as text, and a label of yes and no. */
  private void writeTable(Path file) throws IOException {
    List<String> lines = new ArrayList<>();
    lines.add("Pregnancies,Glucose,BloodPressure,Insulin,BodyType,AgeGroup,Outcome");
    for (double[] row : PimaRelease.rows(pima.table())) {
      lines.add(
          String.format(
              Locale.ROOT,
              "%.0f,%.0f,%.0f,%.0f,%s,%s,%s",
              row[0],
              row[1],
              row[2],
              row[4],
              row[5] < 18.5 ? "light" : row[5] < 30 ? "normal" : "heavy",
              row[7] < 30 ? "young" : row[7] < 50 ? "middle" : "old",
              row[8] == 1 ? "yes" : "no"));
    }
    Files.write(file, lines);
  }
}

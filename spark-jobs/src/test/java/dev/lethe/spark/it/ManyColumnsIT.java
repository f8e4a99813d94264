package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Ten million columns, 50 entries a row, in 4 GB of driver and 4 GB of executor; minutes, so only
 * with {@code -Dlethe.large=true}.
 */
@EnabledIfSystemProperty(named = "lethe.large", matches = "true")
class ManyColumnsIT {
  /** Of the columns about 63 % are active where they are drawn evenly, 1 % by the power 12. */
  @ParameterizedTest
  @CsvSource({"200000, 10000000, 1", "200000, 10000000, 12"})
  void unlearn_tenMillionColumns_isCertifiedWithinFourGigabytes(
      String rows, String columns, String power) throws Exception {
    SparkUnderTest spark = SparkUnderTest.open();
    Path table = spark.workplace().resolve("table");
    Path model = spark.workplace().resolve("model");
    Submission.Result written =
        spark.submit(
            "data",
            ManyColumnsData.class,
            table.toString(),
            model.toString(),
            rows,
            columns,
            power);
    assertThat(written.exitCode()).as(written.described()).isZero();
    Path request =
        Files.writeString(
            spark.workplace().resolve("request.yaml"),
            """
            id: many-columns
            changes:
              - removeFeatures: ["features[5]", "features[77]"]
              - removeRows: {where: "id < 100"}
            certificate: {epsilon: 1, delta: 1e-3, rho: 1e-4}
            """);
    Path out = spark.workplace().resolve("out");

    Submission.Result unlearned =
        spark.lethe(
            "unlearn",
            List.of(
                "--master",
                "local-cluster[1,2,4096]",
                "--driver-memory",
                "4g",
                "--conf",
                "spark.executor.memory=4g"),
            List.of(
                "unlearn",
                "--model",
                model.toString(),
                "--data",
                table.toString(),
                "--request",
                request.toString(),
                "--out",
                out.toString(),
                "--vault",
                spark.workplace().resolve("vault").toString()));

    assertThat(unlearned.exitCode()).as(unlearned.described()).isZero();
    ClusterIT.assertCertified(out);
  }
}

package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.expr;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Releases.Release;
import java.nio.file.Path;
import java.util.List;
import org.apache.iceberg.hadoop.HadoopTables;
import org.apache.iceberg.spark.SparkSchemaUtil;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Two versions of one table, Delta and Iceberg, read by their own options, as the snapshots. */
@ExtendWith(LocalSpark.class)
class TimeTravelTest {
  private static final String TERMS = "certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-8}\n";

  private final SparkSession before = LocalSpark.session();
  private SparkSession spark;

  @BeforeEach
  void configure() {
    spark = before.newSession();
    spark.conf().set("spark.databricks.delta.requiredSparkConfsCheck.enabled", "false");
    spark.conf().set("spark.sql.catalog.default_iceberg", "org.apache.iceberg.spark.SparkCatalog");
    spark.conf().set("spark.sql.catalog.default_iceberg.type", "hadoop");
    spark
        .conf()
        .set(
            "spark.sql.catalog.default_iceberg.warehouse",
            Places.directory("warehouse").toUri().toString());
    SparkSession.setActiveSession(spark);
  }

  @AfterEach
  void restore() {
    SparkSession.setActiveSession(before);
  }

  /** Version 0 has the people, version 1 the corrected ones; then comes one that must not count. */
  private List<Dataset<Row>> versions() {
    Dataset<Row> people = spark.createDataFrame(People.rows(), People.SCHEMA).coalesce(1);
    return List.of(
        people,
        people
            .where("user_id <> 'u-4711'")
            .withColumn("label", expr("IF(user_id = 'u-4712', 1 - label, label)")),
        people.where("city = 'Ulm'"));
  }

  private static final String EQUIVALENT =
      "id: versions\nchanges:\n"
          + "  - removeRows: {where: \"user_id = 'u-4711'\"}\n"
          + "  - relabel: {to: \"1 - label\", where: \"user_id = 'u-4712'\"}\n"
          + TERMS;

  @Test
  void unlearn_twoVersionsOfADeltaTable_givesTheThetaOfTheRequestFile() {
    Path table = Places.unused("delta");
    for (Dataset<Row> version : versions()) {
      version.write().format("delta").mode("overwrite").save(table.toString());
    }

    assertSame(table, "delta", "versionAsOf", "0", "1");
  }

  @Test
  void unlearn_twoSnapshotsOfAnIcebergTable_givesTheThetaOfTheRequestFile() {
    Path table = Places.unused("iceberg");
    List<Dataset<Row>> versions = versions();
    new HadoopTables(spark.sparkContext().hadoopConfiguration())
        .create(SparkSchemaUtil.convert(People.SCHEMA), table.toString());
    for (Dataset<Row> version : versions) {
      version.write().format("iceberg").mode("overwrite").save(table.toString());
    }
    List<Row> snapshots =
        spark
            .read()
            .format("iceberg")
            .load(table + "#snapshots")
            .orderBy("committed_at")
            .select("snapshot_id")
            .collectAsList();

    assertSame(
        table,
        "iceberg",
        "versionAsOf",
        snapshots.get(0).get(0).toString(),
        snapshots.get(1).get(0).toString());
  }

  private static void assertSame(
      Path table, String format, String option, String first, String second) {
    Release file = Releases.unlearn(People.model(), People.table(), EQUIVALENT, 0);
    Path place = Places.directory("versions");
    Path request = Places.write(place.resolve("request.yaml"), "id: versions\n" + TERMS);
    Path out = place.resolve("out");
    Path vault = place.resolve("vault");

    Outcome outcome =
        between(
                Invocation.unlearn(People.model(), table, request, out, vault),
                table,
                format,
                option + "=" + first,
                option + "=" + second)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    Release release = new Release(People.model(), table, request, out, vault);
    // the same Newton steps on the same rows; the sums differ in their last bits
    assertThat(release.parameters()).containsExactly(file.parameters(), within(1e-10));
    JsonNode changes = release.evidence().get("rowChanges");
    assertThat(changes.get("added").asInt()).isZero();
    assertThat(changes.get("removed").asInt()).isEqualTo(1);
    assertThat(changes.get("changed").asInt()).isEqualTo(1);
    Outcome verified =
        between(
                release.fullVerification(),
                table,
                format,
                option + "=" + first,
                option + "=" + second)
            .run();
    assertThat(verified.code()).as("%s", verified).isZero();
    Outcome otherVersion =
        between(
                release.fullVerification(),
                table,
                format,
                option + "=" + second,
                option + "=" + first)
            .run();
    assertThat(otherVersion.code()).as("%s", otherVersion).isEqualTo(4);
    assertThat(otherVersion.out()).contains("FAIL  corrected data digest");
  }

  private static Invocation between(
      Invocation command, Path table, String format, String first, String second) {
    return command
        .with("--format", format)
        .with("--option", first)
        .with("--corrected", table)
        .with("--second-option", second)
        .with("--key", "user_id");
  }
}

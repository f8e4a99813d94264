package dev.lethe.spark.job;

import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.featurizer.Featurizer;
import dev.lethe.spark.featurizer.PlaceholderColumns;
import dev.lethe.spark.report.NamedParameters;
import dev.lethe.spark.report.Report;
import java.util.Set;
import java.util.TreeSet;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.jspecify.annotations.Nullable;

/** The reports of a release that is published; made when they are asked for. */
public final class ReleaseReports {
  private final ModelCorrection correction;
  private final RequestedChange change;
  private final LoadedModel published;
  private final Certificate certificate;
  private final Evidence evidence;

  ReleaseReports(
      ModelCorrection correction,
      RequestedChange change,
      LoadedModel published,
      Certificate certificate,
      Evidence evidence) {
    this.correction = correction;
    this.change = change;
    this.published = published;
    this.certificate = certificate;
    this.evidence = evidence;
  }

  /** With all figures: to be treated like the evidence. */
  public Report confidential() {
    Dataset<Row> table = change.correctedTable();
    return Report.confidential(
        certificate,
        evidence,
        change.request(),
        named(correction.model(), table),
        named(published, table));
  }

  /** What the certificate and the published model say. */
  public Report redacted() {
    // attributes of the table's columns are not in the model
    return Report.redacted(
        certificate, named(published, Featurizer.withoutAttributes(change.correctedTable())));
  }

  private static NamedParameters named(LoadedModel model, Dataset<Row> table) {
    return NamedParameters.of(
        model.linear().layout(), slots(model.featurizer(), table), model.linear().parameters());
  }

  /** Names of the slots; none where the table does not go through the stages as it is. */
  @SuppressWarnings("CatchingUnchecked") // Spark throws checked exceptions that Scala hides
  private static @Nullable String[] slots(Featurizer featurizer, Dataset<Row> table) {
    Set<String> missing = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    missing.addAll(featurizer.readColumns());
    featurizer.madeColumns().forEach(missing::remove);
    for (String column : table.columns()) {
      missing.remove(column);
    }
    try {
      return featurizer.slotNames(PlaceholderColumns.fill(table, featurizer.stages(), missing));
    } catch (Exception e) {
      // the release stands: numbers take the names' place
      return new String[featurizer.numFeatures()];
    }
  }
}

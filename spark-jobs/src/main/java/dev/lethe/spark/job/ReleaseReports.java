package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.featurizer.Featurizer;
import dev.lethe.spark.featurizer.PlaceholderColumns;
import dev.lethe.spark.report.NamedParameters;
import dev.lethe.spark.report.Report;
import dev.lethe.spark.request.Request;
import java.util.Set;
import java.util.TreeSet;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/** The reports of a release that is published; made when they are asked for. */
public final class ReleaseReports {
  private final @Nullable Request request;
  private final @Nullable LoadedModel before;
  private final LoadedModel published;
  private final Dataset<Row> table;
  private final Certificate certificate;
  private final Evidence evidence;

  private ReleaseReports(
      @Nullable Request request,
      @Nullable LoadedModel before,
      LoadedModel published,
      Dataset<Row> table,
      Certificate certificate,
      Evidence evidence) {
    this.request = request;
    this.before = before;
    this.published = published;
    this.table = table;
    this.certificate = certificate;
    this.evidence = evidence;
  }

  /** Of a release that was just made. */
  static ReleaseReports of(
      ModelCorrection correction,
      RequestedChange change,
      LoadedModel published,
      Certificate certificate,
      Evidence evidence) {
    return new ReleaseReports(
        change.request(),
        correction.model(),
        published,
        change.correctedTable(),
        certificate,
        evidence);
  }

  /**
   * Of a release that lies in its place; reads no row.
   *
   * @param request null where it is not there any more
   * @param before path of the model before; null likewise
   * @param published path of the published model
   * @param table whose columns name the slots: the original one or a corrected one
   * @throws InvalidInputException if a model cannot be loaded
   */
  public static ReleaseReports read(
      SparkSession spark,
      @Nullable Request request,
      @Nullable String before,
      String published,
      Dataset<Row> table,
      Certificate certificate,
      Evidence evidence) {
    LoadedModel old = before == null ? null : LoadedModel.load(spark, "model", before);
    LoadedModel model = LoadedModel.load(spark, "model", published);
    return new ReleaseReports(
        request,
        old,
        model,
        request == null ? table : RequestedChange.asFeaturized(request, model, table),
        certificate,
        evidence);
  }

  /** With all figures: to be treated like the evidence. */
  public Report confidential() {
    return Report.confidential(
        certificate,
        evidence,
        request,
        before == null ? null : named(before, table),
        named(published, table));
  }

  /** What the certificate and the published model say. */
  public Report redacted() {
    // attributes of the table's columns are not in the model
    return Report.redacted(certificate, named(published, Featurizer.withoutAttributes(table)));
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

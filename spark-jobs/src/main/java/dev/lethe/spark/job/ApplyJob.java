package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.WithholdingRows;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.data.CsvText;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameWriter;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructField;

/** {@code lethe apply}: writes the {@link CorrectedTable} as the source has it. */
public final class ApplyJob {
  /** Reader options that choose among the source's own files or versions. */
  private static final List<String> OF_THE_SOURCE =
      List.of(
          "path",
          "paths",
          "basePath",
          "pathGlobFilter",
          "modifiedBefore",
          "modifiedAfter",
          "versionAsOf",
          "timestampAsOf",
          "snapshot-id",
          "as-of-timestamp");

  private final ApplyOptions options;
  private final TableSource source;
  private final SparkSession spark;

  public ApplyJob(ApplyOptions options, SparkSession spark) {
    this.options = options;
    this.source = options.source();
    this.spark = spark;
  }

  /**
   * Counts of rows, and what became of the request's features.
   *
   * @param overwritten rows that corrected rows overwrite
   * @param droppedColumns columns that are gone
   * @param notApplied features that the table does not have
   */
  public record Result(
      long rows,
      long touched,
      long removed,
      long overwritten,
      List<String> droppedColumns,
      List<String> notApplied) {}

  /**
   * Runs the job.
   *
   * @throws InvalidInputException if something given cannot be used; nothing is written then
   */
  public Result run() throws IOException {
    Request request = options.request().read(spark);
    Progress progress = Progress.onTerminal(spark, "Lethe apply " + request.id());
    try (LogContext log = LogContext.request(spark, request.id());
        AtomicPublication publication =
            AtomicPublication.begin(
                spark.sparkContext().hadoopConfiguration(), options.out(), options.sources())) {
      LoadedModel model =
          options.model() == null ? null : LoadedModel.load(spark, "--model", options.model());
      CorrectedTable table =
          CorrectedTable.of(
              spark,
              options.tables(),
              options.label(),
              options.weight(),
              model,
              model == null
                  ? EarlierRelease.NONE
                  : EarlierRelease.of(spark, model.path(), options.modelCertificate()),
              request,
              options.request().toString());
      progress.phase("writing the corrected table");
      spark.sparkContext().setJobDescription(progress.description());
      CorrectedTable.Inspected found = table.inspect();
      long rows = SparkFailures.sanitized(place(), () -> WithholdingRows.count(table.original()));
      SparkFailures.sanitized(
          place(),
          () -> {
            writer(table).mode(SaveMode.Overwrite).save(publication.staging().toString());
            return null;
          });
      requireRows(publication.staging().toString(), rows - found.impact().removedRows());
      spark.sparkContext().setJobDescription(null);
      publication.commit();
      return new Result(
          rows,
          found.impact().touchedRows(),
          found.impact().removedRows(),
          found.overwritten(),
          table.dropped(),
          table.notApplied());
    }
  }

  /** Tasks write the rows: on storage of their own, the driver would publish an empty table. */
  private void requireRows(String staging, long expected) {
    if (expected == 0) {
      return; // some sources cannot read a table without rows
    }
    Map<String, String> settings = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    settings.putAll(source.options());
    settings.keySet().removeAll(OF_THE_SOURCE);
    if (source.format().equals("json")) {
      settings.remove("multiLine"); // Spark writes an object a line
    }
    TableSource written = new TableSource("--out", staging, source.format(), settings);
    long found;
    try {
      found = SparkFailures.sanitized("--out", () -> WithholdingRows.count(written.read(spark)));
    } catch (InvalidInputException e) {
      throw ModelStore.incomplete(
          options.out(), "the table that was written cannot be read back", e);
    }
    if (found != expected) {
      throw ModelStore.incomplete(
          options.out(),
          found + " rows of the written table can be read back, expected are " + expected,
          null);
    }
  }

  private String place() {
    return options.tables().name();
  }

  private DataFrameWriter<Row> writer(CorrectedTable table) {
    if (source.isCsv()) {
      CsvText text = CsvText.of(spark, source, table.original().schema());
      return WithholdingRows.of(table.rows(text.rows(), cells(text)))
          .write()
          .format(source.format())
          .options(text.writerOptions());
    }
    return WithholdingRows.of(table.rows())
        .write()
        .format(source.format())
        .options(source.options());
  }

  private static Corrections.Cells cells(CsvText text) {
    return new Corrections.Cells() {
      @Override
      public Column unchanged(StructField field) {
        return text.cell(field);
      }

      @Override
      public Column changed(StructField field, Column value) {
        return text.text(field, value);
      }
    };
  }
}

package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.udf;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.data.CsvText;
import dev.lethe.spark.data.Overwrites;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.featurizer.RemovedFeature;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.FeatureRef;
import dev.lethe.spark.request.Impact;
import dev.lethe.spark.request.LabelDomain;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.apache.spark.ml.attribute.AttributeGroup;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.SparseVector;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.DataFrameWriter;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.types.StructField;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe apply}: writes the corrected table. Columns that the request removes as features are
 * dropped; slots of the table's own vector columns become zero; slots of columns that only a
 * pipeline makes are not in the table.
 */
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
    Progress progress = Progress.onTerminal("Lethe apply " + request.id());
    try (AtomicPublication publication =
        AtomicPublication.begin(
            spark.sparkContext().hadoopConfiguration(), options.out(), options.sources())) {
      LoadedModel model =
          options.model() == null ? null : LoadedModel.load(spark, "--model", options.model());
      Dataset<Row> table = source.read(spark);
      Corrections corrections = corrections(request, model, table);
      Overwrites overwrites = overwrites(table);
      if (overwrites == null && request.changes().isEmpty()) {
        throw new InvalidInputException(
            options.request() + ": the key 'changes' is missing, and there are no --corrections");
      }
      progress.phase("writing the corrected table");
      spark.sparkContext().setJobDescription(progress.description());
      LabelDomain labels = model == null ? LabelDomain.any() : model.labelDomain();
      Impact impact = SparkFailures.sanitized(place(), () -> corrections.inspect(table, labels));
      long overwritten =
          overwrites == null ? 0 : SparkFailures.sanitized(place(), overwrites::inspect);
      long rows = SparkFailures.sanitized(place(), table::count);
      List<String> dropped = new ArrayList<>();
      List<String> notApplied = new ArrayList<>();
      Map<String, BitSet> slots = features(corrections, table, dropped, notApplied);
      SparkFailures.sanitized(
          place(),
          () -> {
            writer(corrections, overwrites, table, slots, dropped)
                .mode(SaveMode.Overwrite)
                .save(publication.staging().toString());
            return null;
          });
      requireRows(publication.staging().toString(), rows - impact.removedRows());
      spark.sparkContext().setJobDescription(null);
      publication.commit();
      return new Result(
          rows, impact.touchedRows(), impact.removedRows(), overwritten, dropped, notApplied);
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
      found = SparkFailures.sanitized("--out", () -> written.read(spark).count());
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

  private Corrections corrections(
      Request request, @Nullable LoadedModel model, Dataset<Row> table) {
    String label = options.label();
    String weight = options.weight();
    if (model != null) {
      label = model.tableLabel(label);
      weight = weight == null ? model.linear().weightColumn() : weight;
      List<RemovedFeature> removed =
          RequestedChange.removedFeatures(request, options.request().toString());
      BitSet earlier = EarlierRelease.of(spark, model.path(), null).removedSlots();
      // refuses what the model does not know
      FeatureChange.of(model, table, removed, earlier, label, place());
    }
    return Corrections.of(
        spark,
        request,
        table.schema(),
        Objects.requireNonNull(label),
        weight,
        options.request().toString(),
        Corrections.Lacking.FEATURES);
  }

  private @Nullable Overwrites overwrites(Dataset<Row> table) {
    return options.tables() instanceof GivenTables.Overwritten given
        ? Overwrites.of(
            source, table, given.corrections(), given.corrections().read(spark), given.key())
        : null;
  }

  private String place() {
    return options.tables().name();
  }

  /** The slots of vector columns that become 0; the other features go into the lists. */
  private Map<String, BitSet> features(
      Corrections corrections, Dataset<Row> table, List<String> dropped, List<String> notApplied) {
    Map<String, BitSet> slots = new LinkedHashMap<>();
    for (FeatureRef feature : corrections.removedFeatures()) {
      StructField field = TableColumns.find(table.schema(), feature.column());
      if (field == null) {
        notApplied.add(feature.toString());
      } else if (feature.isSlot()) {
        slots.computeIfAbsent(field.name(), name -> new BitSet()).set(index(feature, field, table));
      } else {
        dropped.add(field.name());
      }
    }
    return slots;
  }

  private DataFrameWriter<Row> writer(
      Corrections corrections,
      @Nullable Overwrites overwrites,
      Dataset<Row> table,
      Map<String, BitSet> slots,
      List<String> dropped) {
    String[] gone = dropped.toArray(String[]::new);
    if (source.isCsv()) {
      CsvText text = CsvText.of(spark, source, table.schema());
      return CorrectedRows.corrected(corrections, overwrites, text.rows(), cells(text))
          .drop(gone)
          .write()
          .format(source.format())
          .options(text.writerOptions());
    }
    Dataset<Row> corrected =
        CorrectedRows.corrected(corrections, overwrites, table, Corrections.TYPED);
    for (Map.Entry<String, BitSet> entry : slots.entrySet()) {
      corrected =
          corrected.withColumn(
              entry.getKey(),
              udf(new ZeroSlots(entry.getValue()), SQLDataTypes.VectorType())
                  .apply(TableColumns.column(entry.getKey()))
                  .as(entry.getKey(), table.schema().apply(entry.getKey()).metadata()));
    }
    return corrected.drop(gone).write().format(source.format()).options(source.options());
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

  private int index(FeatureRef feature, StructField field, Dataset<Row> table) {
    AttributeGroup group = AttributeGroup.fromStructField(field);
    if (feature.index() != null) {
      int size = group.size() >= 0 ? group.size() : size(field, table);
      if (feature.index() >= size) {
        throw new InvalidInputException(
            options.request()
                + ": removeFeatures: "
                + feature
                + ": the column has "
                + size
                + " slots, counted from 0");
      }
      return feature.index();
    }
    String name = Objects.requireNonNull(feature.attribute());
    if (group.attributes().isEmpty() || !group.hasAttr(name)) {
      throw new InvalidInputException(
          options.request()
              + ": removeFeatures: "
              + feature
              + ": the column has no slot of that name");
    }
    return group.indexOf(name);
  }

  /** The number of slots of the first vector of a column; 0 if there is none. */
  private int size(StructField field, Dataset<Row> table) {
    Column column = TableColumns.column(field.name());
    List<Row> first =
        SparkFailures.sanitized(
            place(), () -> table.select(column).where(column.isNotNull()).takeAsList(1));
    return first.isEmpty() ? 0 : first.get(0).<Vector>getAs(0).size();
  }

  /** A vector with some slots set to zero. */
  private static final class ZeroSlots implements UDF1<Vector, Vector> {
    private static final long serialVersionUID = 1L;

    private final BitSet slots;

    ZeroSlots(BitSet slots) {
      this.slots = slots;
    }

    @Override
    public @Nullable Vector call(@Nullable Vector vector) {
      if (vector == null) {
        return null;
      }
      Vector copy = vector.copy();
      if (copy instanceof SparseVector sparse) {
        for (int k = 0; k < sparse.indices().length; k++) {
          if (slots.get(sparse.indices()[k])) {
            sparse.values()[k] = 0;
          }
        }
        return Vectors.sparse(sparse.size(), sparse.indices(), sparse.values()).toSparse();
      }
      double[] values = copy.toArray();
      for (int j = slots.nextSetBit(0); j >= 0 && j < values.length; j = slots.nextSetBit(j + 1)) {
        values[j] = 0;
      }
      return Vectors.dense(values);
    }
  }
}

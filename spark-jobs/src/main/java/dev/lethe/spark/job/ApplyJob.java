package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.udf;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.FeatureRef;
import dev.lethe.spark.request.Impact;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
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
  private final TableSource source;
  private final String label;
  private final @Nullable String weight;
  private final String requestFile;
  private final String out;
  private final SparkSession spark;

  public ApplyJob(
      TableSource source,
      String label,
      @Nullable String weight,
      String requestFile,
      String out,
      SparkSession spark) {
    this.source = source;
    this.label = label;
    this.weight = weight;
    this.requestFile = requestFile;
    this.out = out;
    this.spark = spark;
  }

  /** Counts of rows, and the columns that are gone. */
  public record Result(long rows, long touched, long removed, List<String> droppedColumns) {}

  /**
   * Runs the job.
   *
   * @throws InvalidInputException if something given cannot be used; nothing is written then
   */
  public Result run() throws IOException {
    Request request = RequestedChange.readRequest(spark, requestFile);
    Progress progress = Progress.onTerminal("Lethe apply " + request.id());
    try (AtomicPublication publication =
        AtomicPublication.begin(
            spark.sparkContext().hadoopConfiguration(),
            out,
            source.place().stream().toArray(String[]::new))) {
      Dataset<Row> table = source.read(spark);
      Corrections corrections =
          Corrections.of(spark, request, table.schema(), label, weight, requestFile);
      progress.phase("writing the corrected table");
      spark.sparkContext().setJobDescription(progress.description());
      Impact impact =
          corrections.hasRowChanges()
              ? SparkFailures.sanitized(place(), () -> corrections.inspect(table))
              : new Impact(0, 0, List.of());
      long rows = SparkFailures.sanitized(place(), table::count);
      List<String> dropped = new ArrayList<>();
      Dataset<Row> corrected = withoutFeatures(corrections, table, dropped);
      DataFrameWriter<Row> writer =
          corrected.write().format(source.format()).options(source.options());
      if (source.format().equals("csv")) {
        writer.option("header", source.options().getOrDefault("header", "true"));
      }
      SparkFailures.sanitized(
          place(),
          () -> {
            writer.mode(SaveMode.Overwrite).save(publication.staging().toString());
            return null;
          });
      spark.sparkContext().setJobDescription(null);
      publication.commit();
      return new Result(rows, impact.touchedRows(), impact.removedRows(), dropped);
    }
  }

  private String place() {
    return source.option() + " " + source.path();
  }

  private Dataset<Row> withoutFeatures(
      Corrections corrections, Dataset<Row> table, List<String> dropped) {
    Dataset<Row> corrected = corrections.hasRowChanges() ? corrections.corrected(table) : table;
    Map<String, BitSet> slots = new LinkedHashMap<>();
    for (FeatureRef feature : corrections.removedFeatures()) {
      StructField field = TableColumns.find(table.schema(), feature.column());
      if (feature.isSlot()) {
        if (field != null && field.dataType().equals(SQLDataTypes.VectorType())) {
          slots
              .computeIfAbsent(field.name(), name -> new BitSet())
              .set(index(feature, field, table));
        }
      } else if (field == null) {
        throw new InvalidInputException(
            requestFile
                + ": removeFeatures: column '"
                + feature.column()
                + "' does not exist; "
                + TableColumns.list(table.schema()));
      } else {
        dropped.add(field.name());
      }
    }
    for (Map.Entry<String, BitSet> entry : slots.entrySet()) {
      corrected =
          corrected.withColumn(
              entry.getKey(),
              udf(new ZeroSlots(entry.getValue()), SQLDataTypes.VectorType())
                  .apply(TableColumns.column(entry.getKey()))
                  .as(entry.getKey(), table.schema().apply(entry.getKey()).metadata()));
    }
    return corrected.drop(dropped.toArray(String[]::new));
  }

  private int index(FeatureRef feature, StructField field, Dataset<Row> table) {
    AttributeGroup group = AttributeGroup.fromStructField(field);
    if (feature.index() != null) {
      int size = group.size() >= 0 ? group.size() : size(field, table);
      if (feature.index() >= size) {
        throw new InvalidInputException(
            requestFile
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
          requestFile + ": removeFeatures: " + feature + ": the column has no slot of that name");
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

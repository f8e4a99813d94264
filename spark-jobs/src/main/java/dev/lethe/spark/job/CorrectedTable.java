package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.udf;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.data.Overwrites;
import dev.lethe.spark.data.Table;
import dev.lethe.spark.featurizer.RemovedFeature;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.FeatureRef;
import dev.lethe.spark.request.Impact;
import dev.lethe.spark.request.LabelDomain;
import dev.lethe.spark.request.Request;
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
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.types.StructField;
import org.jspecify.annotations.Nullable;

/**
 * The table that a request makes of another: what {@code lethe apply} and the Java API do. Columns
 * that the request removes as features are dropped; slots of the table's own vector columns become
 * zero; slots of columns that only a pipeline makes are not in the table.
 */
public final class CorrectedTable {
  private final String requestName;
  private final String place;
  private final String label;
  private final LabelDomain labels;
  private final @Nullable String weight;
  private final Dataset<Row> original;
  private final Corrections corrections;
  private final @Nullable Overwrites overwrites;
  private final List<String> dropped = new ArrayList<>();
  private final List<String> notApplied = new ArrayList<>();
  private final Map<String, BitSet> slots;

  private CorrectedTable(
      String requestName,
      String place,
      String label,
      LabelDomain labels,
      @Nullable String weight,
      Dataset<Row> original,
      Corrections corrections,
      @Nullable Overwrites overwrites) {
    this.requestName = requestName;
    this.place = place;
    this.label = label;
    this.labels = labels;
    this.weight = weight;
    this.original = original;
    this.corrections = corrections;
    this.overwrites = overwrites;
    this.slots = slots();
  }

  /**
   * Checks a request against a table; reads rows only for the size of vectors without metadata.
   *
   * @param tables the data, and perhaps corrected rows
   * @param label its label column, or null for the model's
   * @param weight its weight column, or null for the model's, if any
   * @param model that reads the table, or null
   * @param earlier what an earlier release removed from the model
   * @param requestName names the request, for messages
   * @throws InvalidInputException if the request does not fit
   */
  public static CorrectedTable of(
      SparkSession spark,
      GivenTables tables,
      @Nullable String label,
      @Nullable String weight,
      @Nullable LoadedModel model,
      EarlierRelease earlier,
      Request request,
      String requestName) {
    Table source = tables.tables().get(0);
    Dataset<Row> table = source.read(spark);
    String labelColumn = label;
    String weightColumn = weight;
    if (model != null) {
      labelColumn = model.tableLabel(label);
      weightColumn = weight == null ? model.linear().weightColumn() : weight;
      List<RemovedFeature> removed = RequestedChange.removedFeatures(request, requestName);
      // refuses what the model does not know
      FeatureChange.of(model, table, removed, earlier.removedSlots(), labelColumn, tables.name());
    }
    Corrections corrections =
        Corrections.of(
            spark,
            request,
            table.schema(),
            Objects.requireNonNull(labelColumn),
            weightColumn,
            requestName,
            Corrections.Lacking.FEATURES);
    Overwrites overwrites =
        tables instanceof GivenTables.Overwritten given
            ? Overwrites.of(
                source, table, given.corrections(), given.corrections().read(spark), given.key())
            : null;
    if (overwrites == null && request.changes().isEmpty()) {
      throw new InvalidInputException(
          requestName + ": the key 'changes' is missing, and there are no --corrections");
    }
    return new CorrectedTable(
        requestName,
        tables.name(),
        labelColumn,
        model == null ? LabelDomain.any() : model.labelDomain(),
        weightColumn,
        table,
        corrections,
        overwrites);
  }

  /** The original table. */
  Dataset<Row> original() {
    return original;
  }

  /**
   * Checks the rows; a Spark job or two.
   *
   * @return how many rows the request touches and removes, and how many corrected rows overwrite
   * @throws InvalidInputException if the rows contradict the request, or a key does not identify
   *     rows
   */
  public Inspected inspect() {
    return SparkFailures.sanitized(
        place,
        () -> {
          if (overwrites != null) {
            CorrectedRows.requireLegal(overwrites, label, labels, weight);
          }
          return new Inspected(
              corrections.inspect(original, labels), overwrites == null ? 0 : overwrites.inspect());
        });
  }

  /**
   * What was found.
   *
   * @param overwritten rows that corrected rows overwrite
   */
  public record Inspected(Impact impact, long overwritten) {}

  /** Columns that are gone. */
  public List<String> dropped() {
    return List.copyOf(dropped);
  }

  /** Features that the table does not have. */
  public List<String> notApplied() {
    return List.copyOf(notApplied);
  }

  /** The corrected table, not computed yet. */
  public Dataset<Row> rows() {
    Dataset<Row> corrected =
        CorrectedRows.corrected(corrections, overwrites, original, Corrections.TYPED);
    for (Map.Entry<String, BitSet> entry : slots.entrySet()) {
      corrected =
          corrected.withColumn(
              entry.getKey(),
              udf(new ZeroSlots(entry.getValue()), SQLDataTypes.VectorType())
                  .apply(TableColumns.column(entry.getKey()))
                  .as(entry.getKey(), original.schema().apply(entry.getKey()).metadata()));
    }
    return without(corrected);
  }

  /**
   * The same with cells of another kind.
   *
   * @param rows of the original table, which may have further columns
   */
  Dataset<Row> rows(Dataset<Row> rows, Corrections.Cells cells) {
    return without(CorrectedRows.corrected(corrections, overwrites, rows, cells));
  }

  private Dataset<Row> without(Dataset<Row> corrected) {
    return corrected.drop(dropped.toArray(String[]::new));
  }

  /** The slots of vector columns that become 0; the other features go into the lists. */
  private Map<String, BitSet> slots() {
    Map<String, BitSet> slots = new LinkedHashMap<>();
    for (FeatureRef feature : corrections.removedFeatures()) {
      StructField field = TableColumns.find(original.schema(), feature.column());
      if (field == null) {
        notApplied.add(feature.toString());
      } else if (feature.isSlot()) {
        slots.computeIfAbsent(field.name(), name -> new BitSet()).set(index(feature, field));
      } else {
        dropped.add(field.name());
      }
    }
    return slots;
  }

  private int index(FeatureRef feature, StructField field) {
    AttributeGroup group = AttributeGroup.fromStructField(field);
    if (feature.index() != null) {
      int size = group.size() >= 0 ? group.size() : size(field);
      if (feature.index() >= size) {
        throw new InvalidInputException(
            requestName
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
          requestName + ": removeFeatures: " + feature + ": the column has no slot of that name");
    }
    return group.indexOf(name);
  }

  /** The number of slots of the first vector of a column; 0 if there is none. */
  private int size(StructField field) {
    Column column = TableColumns.column(field.name());
    List<Row> first =
        SparkFailures.sanitized(
            place, () -> original.select(column).where(column.isNotNull()).takeAsList(1));
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

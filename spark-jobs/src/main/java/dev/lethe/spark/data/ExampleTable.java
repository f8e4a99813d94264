package dev.lethe.spark.data;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.xxhash64;

import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import java.util.BitSet;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.ml.linalg.DenseVector;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.SparseVector;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.NumericType;
import org.jspecify.annotations.Nullable;

/**
 * Featurised rows on their way into blocks of examples.
 *
 * <p>Rows are sorted within each partition by a hash of their content before they are packed, so
 * that a partition that is computed again, after a lost executor, has the same bits. A NULL label
 * or weight becomes NaN, which the statistics pass counts and refuses.
 */
public final class ExampleTable {
  private static final String FEATURES = "features";
  private static final String LABEL = "label";
  private static final String WEIGHT = "weight";

  private ExampleTable() {}

  /**
   * Columns of a featurised table.
   *
   * @param features a vector column
   * @param label a numeric column
   * @param weight a numeric column, or null for weight 1
   */
  public record Columns(String features, String label, @Nullable String weight) {
    /**
     * @throws InvalidInputException if a column is missing or of the wrong type
     */
    public void check(Dataset<Row> table, String place) {
      DataType type = TableColumns.require(table.schema(), features, place).dataType();
      if (!type.equals(SQLDataTypes.VectorType())) {
        throw new InvalidInputException(
            place
                + ": column '"
                + features
                + "' must be a vector of features, not "
                + type.catalogString());
      }
      numeric(table, label, "label", place);
      if (weight != null) {
        numeric(table, weight, "weight", place);
      }
    }

    private static void numeric(Dataset<Row> table, String name, String role, String place) {
      DataType type = TableColumns.require(table.schema(), name, place).dataType();
      if (!(type instanceof NumericType) && !type.typeName().equals("boolean")) {
        throw new InvalidInputException(
            place
                + ": the "
                + role
                + " column '"
                + name
                + "' must be numeric, not "
                + type.catalogString()
                + (role.equals("label") ? "; put a StringIndexer for it into the pipeline" : ""));
      }
    }
  }

  /**
   * The columns features, label, weight of a featurised table, as vector and doubles. Rows of
   * weight 0 are left out: Spark ML's fit passes over them.
   */
  public static Dataset<Row> examples(Dataset<Row> featurized, Columns columns) {
    Dataset<Row> examples =
        featurized.select(
            TableColumns.column(columns.features()).as(FEATURES),
            number(TableColumns.column(columns.label())).as(LABEL),
            (columns.weight() == null ? lit(1.0) : number(TableColumns.column(columns.weight())))
                .as(WEIGHT));
    return columns.weight() == null ? examples : examples.where(col(WEIGHT).notEqual(0.0));
  }

  private static Column number(Column column) {
    return coalesce(column.cast("double"), lit(Double.NaN));
  }

  /**
   * Packs examples into blocks, one pass when the blocks are used. The rows of a partition are in
   * the order of their contents' hash.
   *
   * @param examples as {@link #examples} makes them
   * @param features d
   * @param removed slots that are set to zero
   * @param partitions how many partitions, or 0: as the source has them, but at least the default
   *     parallelism
   */
  public static JavaRDD<ExampleBlock> orderedBlocks(
      Dataset<Row> examples, int features, BitSet removed, int partitions) {
    Column key = xxhash64(col(FEATURES), col(LABEL), col(WEIGHT));
    Dataset<Row> placed = examples;
    int parallelism = examples.sparkSession().sparkContext().defaultParallelism();
    if (partitions > 0) {
      placed = examples.repartition(partitions, key);
    } else if (examples.javaRDD().getNumPartitions() < parallelism) {
      placed = examples.repartition(parallelism, key);
    }
    return blocks(placed.sortWithinPartitions(key, col(LABEL), col(WEIGHT)), features, removed);
  }

  /** Packs examples into blocks as they come, for sums that do not depend on the order of rows. */
  public static JavaRDD<ExampleBlock> blocks(Dataset<Row> examples, int features, BitSet removed) {
    return examples.javaRDD().mapPartitions(new Packer(features, removed));
  }

  /** Packs the rows of a partition; allocates per block, beyond what Spark allocates per row. */
  private static final class Packer implements FlatMapFunction<Iterator<Row>, ExampleBlock> {
    private static final long serialVersionUID = 1L;

    private final int features;
    private final BitSet removed;

    Packer(int features, BitSet removed) {
      this.features = features;
      this.removed = removed;
    }

    @Override
    public Iterator<ExampleBlock> call(Iterator<Row> rows) {
      return new BlockIterator(rows, features, removed);
    }
  }

  private static final class BlockIterator implements Iterator<ExampleBlock> {
    private final Iterator<Row> rows;
    private final int features;
    private final BitSet removed;
    private final BlockBuilder builder;

    BlockIterator(Iterator<Row> rows, int features, BitSet removed) {
      this.rows = rows;
      this.features = features;
      this.removed = removed;
      this.builder = BlockBuilder.of(features);
    }

    @Override
    public boolean hasNext() {
      return rows.hasNext();
    }

    @Override
    public ExampleBlock next() {
      if (!rows.hasNext()) {
        throw new NoSuchElementException();
      }
      while (rows.hasNext() && !builder.isFull()) {
        Row row = rows.next();
        addFeatures(row.getAs(0));
        builder.endRow(row.getDouble(1), row.getDouble(2));
      }
      return builder.build();
    }

    private void addFeatures(@Nullable Vector x) {
      if (x == null || x.size() != features) {
        throw new InvalidInputException(
            "a row has "
                + (x == null ? "no features" : x.size() + " features")
                + ", the model has "
                + features);
      }
      if (x instanceof SparseVector sparse) {
        int[] indices = sparse.indices();
        double[] values = sparse.values();
        for (int k = 0; k < indices.length; k++) {
          add(indices[k], values[k]);
        }
      } else {
        double[] values = ((DenseVector) x).values();
        for (int j = 0; j < values.length; j++) {
          add(j, values[j]);
        }
      }
    }

    private void add(int column, double value) {
      if (!removed.get(column)) {
        builder.add(column, value);
      }
    }
  }
}

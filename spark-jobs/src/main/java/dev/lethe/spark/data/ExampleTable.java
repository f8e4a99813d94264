package dev.lethe.spark.data;

import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.xxhash64;

import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.WithholdingRows;
import java.util.BitSet;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NumericType;
import org.jspecify.annotations.Nullable;

/**
 * Featurised rows on their way into blocks of examples.
 *
 * <p>A partition that is computed again, after a lost executor, must have the same bits. Rows that
 * come straight from files are in the files' order; all others are sorted within each partition by
 * a hash of their content before they are packed. A NULL label or weight becomes NaN, which the
 * statistics pass counts and refuses.
 */
public final class ExampleTable {
  private static final String FEATURES = "features";
  private static final String LABEL = "label";
  private static final String WEIGHT = "weight";

  /** Of Spark ML's VectorUDT: type (0 sparse, 1 dense), size, indices, values. */
  private static final int VECTOR_FIELDS = 4;

  private static final byte SPARSE = 0;

  private ExampleTable() {}

  /**
   * Columns of a featurised table.
   *
   * @param features a vector column, or one of arrays of doubles
   * @param label a numeric column
   * @param weight a numeric column, or null for weight 1
   */
  public record Columns(String features, String label, @Nullable String weight) {
    /**
     * @throws InvalidInputException if a column is missing or of the wrong type
     */
    public void check(Dataset<Row> table, String place) {
      DataType type = TableColumns.require(table.schema(), features, place).dataType();
      if (!type.equals(SQLDataTypes.VectorType()) && !isArray(type)) {
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

  private static boolean isArray(DataType type) {
    return type instanceof ArrayType array && array.elementType().equals(DataTypes.DoubleType);
  }

  private static Column number(Column column) {
    return coalesce(column.cast("double"), lit(Double.NaN));
  }

  /**
   * Packs examples into blocks, one pass when the blocks are used. The rows of a partition are in
   * an order that does not change when it is computed again: that of the files that it is read
   * from, or of the rows' content.
   *
   * @param examples as {@link #examples} makes them
   * @param features d
   * @param removed slots that are set to zero
   * @param partitions how many partitions, or 0: as the source has them, but at least the default
   *     parallelism
   */
  public static JavaRDD<ExampleBlock> orderedBlocks(
      Dataset<Row> examples, int features, BitSet removed, int partitions) {
    return orderedBlocks(examples, features, removed, partitions, BlockBuilder.MAX_ROWS);
  }

  /**
   * The same in blocks of a given size.
   *
   * @param blockRows the most rows of a block
   */
  public static JavaRDD<ExampleBlock> orderedBlocks(
      Dataset<Row> examples, int features, BitSet removed, int partitions, int blockRows) {
    return blocks(
        RowPlacement.of(examples, partitions, key(), col(LABEL), col(WEIGHT)),
        features,
        removed,
        blockRows);
  }

  /** {@link #orderedBlocks} of few rows, in the partitions where they are. */
  public static JavaRDD<ExampleBlock> orderedBlocksInPlace(
      Dataset<Row> examples, int features, BitSet removed) {
    return blocks(
        RowPlacement.inPlace(examples, key(), col(LABEL), col(WEIGHT)),
        features,
        removed,
        BlockBuilder.MAX_ROWS);
  }

  /** Of a row's content. */
  private static Column key() {
    return xxhash64(col(FEATURES), col(LABEL), col(WEIGHT));
  }

  /** Packs examples into blocks as they come, for sums that do not depend on the order of rows. */
  public static JavaRDD<ExampleBlock> blocks(Dataset<Row> examples, int features, BitSet removed) {
    return blocks(examples, features, removed, BlockBuilder.MAX_ROWS);
  }

  private static JavaRDD<ExampleBlock> blocks(
      Dataset<Row> examples, int features, BitSet removed, int blockRows) {
    boolean arrays = isArray(examples.schema().apply(FEATURES).dataType());
    return WithholdingRows.rdd(examples)
        .mapPartitions(new Packer(features, arrays, removed, blockRows));
  }

  /** Packs the rows of a partition; allocates per block. */
  private static final class Packer
      implements FlatMapFunction<Iterator<InternalRow>, ExampleBlock> {
    private static final long serialVersionUID = 1L;

    private final int features;
    private final boolean arrays;
    private final BitSet removed;
    private final int blockRows;

    Packer(int features, boolean arrays, BitSet removed, int blockRows) {
      this.features = features;
      this.arrays = arrays;
      this.removed = removed;
      this.blockRows = blockRows;
    }

    @Override
    public Iterator<ExampleBlock> call(Iterator<InternalRow> rows) {
      return new BlockIterator(rows, features, arrays, removed, blockRows);
    }
  }

  private static final class BlockIterator implements Iterator<ExampleBlock> {
    private final Iterator<InternalRow> rows;
    private final int features;
    private final boolean arrays;
    private final BitSet removed;
    private final BlockBuilder builder;

    BlockIterator(
        Iterator<InternalRow> rows, int features, boolean arrays, BitSet removed, int blockRows) {
      this.rows = rows;
      this.features = features;
      this.arrays = arrays;
      this.removed = removed;
      this.builder = BlockBuilder.of(features, blockRows);
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
        InternalRow row = rows.next();
        if (row.isNullAt(0)) {
          throw wrongSize("no features");
        }
        if (arrays) {
          addArray(row.getArray(0));
        } else {
          addVector(row.getStruct(0, VECTOR_FIELDS));
        }
        builder.endRow(row.getDouble(1), row.getDouble(2));
      }
      return builder.build();
    }

    /** A vector as its user-defined type stores it: type, size, indices, values. */
    private void addVector(InternalRow x) {
      boolean sparse = x.getByte(0) == SPARSE;
      ArrayData values = x.getArray(3);
      int size = sparse ? x.getInt(1) : values.numElements();
      if (size != features) {
        throw wrongSize(size + " features");
      }
      if (sparse) {
        ArrayData indices = x.getArray(2);
        for (int k = 0; k < indices.numElements(); k++) {
          add(indices.getInt(k), values.getDouble(k));
        }
      } else {
        for (int j = 0; j < size; j++) {
          add(j, values.getDouble(j));
        }
      }
    }

    private void addArray(ArrayData values) {
      if (values.numElements() != features) {
        throw wrongSize(values.numElements() + " features");
      }
      for (int j = 0; j < features; j++) {
        if (values.isNullAt(j)) {
          throw new InvalidInputException(
              "a row could not be read or featurised: it has a NULL or NaN in a VectorAssembler"
                  + " whose handleInvalid is \"error\", slot "
                  + j);
        }
        add(j, values.getDouble(j));
      }
    }

    private InvalidInputException wrongSize(String found) {
      return new InvalidInputException("a row has " + found + ", the model has " + features);
    }

    private void add(int column, double value) {
      if (!removed.get(column)) {
        builder.add(column, value);
      }
    }
  }
}

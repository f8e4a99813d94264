package dev.lethe.spark.neural;

import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.when;

import dev.lethe.core.neural.NetworkBlock;
import dev.lethe.core.neural.ValueBlock;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.neural.NetworkTable.Read;
import dev.lethe.spark.neural.NetworkTable.Side;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.apache.spark.ml.functions;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Rows of numbers and their targets on their way into blocks. */
final class ValueRows {
  /** How a column's cell becomes numbers. */
  private enum Cell {
    NUMBER,
    NUMBERS,
    BYTES
  }

  private ValueRows() {}

  /**
   * A network's numbers and targets.
   *
   * @throws InvalidInputException if a column is missing or of the wrong type
   */
  static Read<NetworkBlock> of(NetworkDescription network, Dataset<Row> table, String place) {
    Values values = values(network, table.schema(), "", place);
    return new Read<>(numbered(table, values.columns()), values.packer());
  }

  /**
   * Of rows that change those that differ in what the network reads, and those whose label does.
   *
   * @param pairs as {@link NetworkTable#changed} has them
   */
  static Read<NetworkBlock[]> changed(
      NetworkDescription network, Dataset<Row> pairs, String place) {
    StructType schema = (StructType) pairs.schema().apply("before").dataType();
    Values before = values(network, schema, "before.", place);
    List<Column> columns = new ArrayList<>(before.columns());
    columns.addAll(values(network, schema, "after.", place).columns());
    columns.add(expr("after IS NULL"));
    columns.add(expr(differ(List.of(Objects.requireNonNull(network.label())))));
    columns.add(expr(differ(Objects.requireNonNull(network.input().columns()))));
    return new Read<>(numbered(pairs, columns), new PairPacker(before.packer()));
  }

  /** Under names of our own: two may be the same. */
  private static Dataset<Row> numbered(Dataset<Row> rows, List<Column> columns) {
    Column[] named = new Column[columns.size()];
    Arrays.setAll(named, k -> columns.get(k).as("_" + k));
    return rows.select(named);
  }

  private static String differ(List<String> names) {
    return names.stream()
        .map(TableColumns::quoted)
        .map(name -> "before." + name + " <=> after." + name)
        .collect(Collectors.joining(" AND ", "NOT (", ")"));
  }

  /** Columns of numbers as a network reads them, the target behind them, and who packs them. */
  private record Values(List<Column> columns, ValuePacker packer) {}

  /**
   * @param prefix of the columns: a struct's name and a dot, or empty
   */
  private static Values values(
      NetworkDescription network, StructType schema, String prefix, String place) {
    NetworkInput input = network.input();
    List<String> names = Objects.requireNonNull(input.columns());
    List<Column> columns = new ArrayList<>();
    List<Cell> cells = new ArrayList<>();
    for (String name : names) {
      StructField field = TableColumns.require(schema, name, place);
      DataType type = field.dataType();
      String sql = prefix + TableColumns.quoted(field.name());
      if (type instanceof BinaryType) {
        cells.add(Cell.BYTES);
        columns.add(expr(sql));
      } else if (type instanceof NumericType || type instanceof BooleanType) {
        cells.add(Cell.NUMBER);
        columns.add(expr("CAST(" + sql + " AS FLOAT)"));
      } else if (type instanceof ArrayType array && array.elementType() instanceof NumericType) {
        cells.add(Cell.NUMBERS);
        columns.add(expr("CAST(" + sql + " AS ARRAY<FLOAT>)"));
      } else if (type.equals(SQLDataTypes.VectorType())) {
        cells.add(Cell.NUMBERS);
        // of a removed row there is none after it, which the function cannot read
        columns.add(when(expr(sql).isNotNull(), functions.vector_to_array(expr(sql), "float32")));
      } else {
        throw new InvalidInputException(
            place
                + ": column '"
                + name
                + "' must be a number, an array of numbers, a vector or bytes, not "
                + typeOf(field));
      }
    }
    StructField label =
        TableColumns.require(schema, Objects.requireNonNull(network.label()), place);
    String sql = prefix + TableColumns.quoted(label.name());
    if (label.dataType() instanceof NumericType || label.dataType() instanceof BooleanType) {
      columns.add(expr("CAST(" + sql + " AS FLOAT)"));
      if (network.classes() == 0 && network.outputs() > 1) {
        throw new InvalidInputException(
            place
                + ": column '"
                + label.name()
                + "' must be an array of "
                + network.outputs()
                + " numbers, not "
                + typeOf(label));
      }
    } else if (network.classes() == 0 && label.dataType() instanceof ArrayType) {
      columns.add(expr("CAST(" + sql + " AS ARRAY<FLOAT>)"));
    } else {
      throw new InvalidInputException(
          place + ": column '" + label.name() + "' must be a number, not " + typeOf(label));
    }
    ValuePacker packer =
        new ValuePacker(
            List.copyOf(names),
            cells.toArray(Cell[]::new),
            Objects.requireNonNull(input.shape()).stream().mapToInt(n -> n).toArray(),
            1 / Objects.requireNonNull(input.divisor()),
            label.name(),
            network.classes(),
            network.outputs(),
            label.dataType() instanceof ArrayType);
    return new Values(columns, packer);
  }

  private static String typeOf(StructField field) {
    return field.dataType().catalogString();
  }

  /** Numbers to arrays. */
  private static final class ValuePacker extends Packer<NetworkBlock> {
    private static final long serialVersionUID = 1L;
    private final List<String> names;
    private final Cell[] cells;
    private final int[] shape;
    private final int size;
    private final double factor;
    private final String label;
    private final int classes;
    private final int outputs;
    private final boolean labelIsArray;
    private final int blockRows;

    ValuePacker(
        List<String> names,
        Cell[] cells,
        int[] shape,
        double factor,
        String label,
        int classes,
        int outputs,
        boolean labelIsArray) {
      this.names = new ArrayList<>(names);
      this.cells = cells;
      this.shape = shape;
      this.size = Arrays.stream(shape).reduce(1, Math::multiplyExact);
      this.factor = factor;
      this.label = label;
      this.classes = classes;
      this.outputs = outputs;
      this.labelIsArray = labelIsArray;
      this.blockRows = Packer.blockRows((long) size + (classes > 0 ? 1 : outputs));
    }

    @Override
    NetworkBlock pack(Iterator<InternalRow> rows) {
      Making making = making();
      while (!making.isFull() && rows.hasNext()) {
        making.add(rows.next(), 0);
      }
      return making.block();
    }

    Making making() {
      return new Making();
    }

    /** Columns that it reads, the target's included. */
    int width() {
      return cells.length + 1;
    }

    /** A block of numbers in the making. */
    final class Making {
      private float[] values = new float[size];
      private int[] labels = new int[classes > 0 ? 1 : 0];
      private float[] targets = new float[classes > 0 ? 0 : outputs];
      private int count;

      boolean isFull() {
        return count >= blockRows;
      }

      /** Adds a row's columns from one on. */
      void add(InternalRow row, int from) {
        int end = count * size;
        int limit = end + size;
        values = Packer.room(values, limit);
        for (int k = 0; k < cells.length; k++) {
          if (row.isNullAt(from + k)) {
            throw new InvalidInputException("column '" + names.get(k) + "' is NULL in some row");
          }
          end = cell(row, from, k, values, end, limit);
        }
        if (end != limit) {
          throw wrongSize(end - limit + size);
        }
        int target = from + cells.length;
        if (row.isNullAt(target)) {
          throw new InvalidInputException("column '" + label + "' is NULL in some row");
        }
        if (classes > 0) {
          labels = Packer.room(labels, count + 1);
          labels[count] = asClass(row.getFloat(target));
        } else {
          targets = Packer.room(targets, (count + 1) * outputs);
          target(row, target, targets, count * outputs);
        }
        count++;
      }

      NetworkBlock block() {
        return new ValueBlock(
            count,
            shape,
            Arrays.copyOf(values, count * size),
            Arrays.copyOf(labels, classes > 0 ? count : 0),
            Arrays.copyOf(targets, classes > 0 ? 0 : count * outputs));
      }
    }

    private int cell(InternalRow row, int from, int k, float[] values, int at, int limit) {
      switch (cells[k]) {
        case NUMBER -> {
          requireRoom(at + 1, limit);
          values[at] = finite(row.getFloat(from + k), k);
          return at + 1;
        }
        case BYTES -> {
          byte[] bytes = row.getBinary(from + k);
          requireRoom(at + bytes.length, limit);
          for (int j = 0; j < bytes.length; j++) {
            values[at + j] = (float) ((bytes[j] & 0xFF) * factor);
          }
          return at + bytes.length;
        }
        default -> {
          float[] numbers = numbers(row, from + k, names.get(k));
          requireRoom(at + numbers.length, limit);
          for (int j = 0; j < numbers.length; j++) {
            values[at + j] = finite(numbers[j], k);
          }
          return at + numbers.length;
        }
      }
    }

    /** Spark's own copy has 0 where the array has NULL. */
    private static float[] numbers(InternalRow row, int k, String name) {
      ArrayData array = row.getArray(k);
      for (int j = 0; j < array.numElements(); j++) {
        if (array.isNullAt(j)) {
          throw new InvalidInputException(
              "column '" + name + "' has a NULL in its array in some row");
        }
      }
      return array.toFloatArray();
    }

    private float finite(float value, int k) {
      if (!Float.isFinite(value)) {
        throw new InvalidInputException(
            "column '" + names.get(k) + "' is not finite in some row, in single precision");
      }
      return (float) (value * factor);
    }

    private void requireRoom(int end, int limit) {
      if (end > limit) {
        throw wrongSize(end - limit + size);
      }
    }

    private InvalidInputException wrongSize(int found) {
      return new InvalidInputException(
          "columns "
              + names
              + " have "
              + found
              + " numbers or more in some row; the network's shape "
              + Arrays.toString(shape)
              + " has "
              + size);
    }

    private int asClass(float value) {
      if (!(value >= 0 && value < classes) || value != Math.rint(value)) {
        throw new InvalidInputException(
            "column '" + label + "' is no integer from 0 to " + (classes - 1) + " in some row");
      }
      return (int) value;
    }

    private void target(InternalRow row, int column, float[] targets, int at) {
      float[] numbers =
          labelIsArray ? numbers(row, column, label) : new float[] {row.getFloat(column)};
      if (numbers.length != outputs) {
        throw new InvalidInputException(
            "column '" + label + "' has not " + outputs + " numbers in some row");
      }
      for (int j = 0; j < outputs; j++) {
        if (!Float.isFinite(numbers[j])) {
          throw new InvalidInputException("column '" + label + "' is not finite in some row");
        }
        targets[at + j] = numbers[j];
      }
    }
  }

  /**
   * Rows as they were and as they are, and behind them whether the row is removed, whether its
   * label differs, and whether its features do.
   */
  private static final class PairPacker extends Packer<NetworkBlock[]> {
    private static final long serialVersionUID = 1L;
    private final ValuePacker packer;

    PairPacker(ValuePacker packer) {
      this.packer = packer;
    }

    @Override
    NetworkBlock[] pack(Iterator<InternalRow> rows) {
      int width = packer.width();
      ValuePacker.Making[] sides = new ValuePacker.Making[Side.values().length];
      Arrays.setAll(sides, k -> packer.making());
      while (Arrays.stream(sides).noneMatch(ValuePacker.Making::isFull) && rows.hasNext()) {
        InternalRow row = rows.next();
        boolean removed = row.getBoolean(2 * width);
        boolean relabelled = row.getBoolean(2 * width + 1);
        if (removed || relabelled || row.getBoolean(2 * width + 2)) {
          sides[Side.BEFORE.ordinal()].add(row, 0);
          if (!removed) {
            sides[Side.AFTER.ordinal()].add(row, width);
          }
        }
        if (relabelled && !removed) {
          sides[Side.TARGET_BEFORE.ordinal()].add(row, 0);
          sides[Side.TARGET_AFTER.ordinal()].add(row, width);
        }
      }
      return Arrays.stream(sides).map(ValuePacker.Making::block).toArray(NetworkBlock[]::new);
    }
  }
}

package dev.lethe.spark.neural;

import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.xxhash64;

import dev.lethe.core.neural.NetworkBlock;
import dev.lethe.core.neural.TextBlock;
import dev.lethe.core.neural.ValueBlock;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.data.RowPlacement;
import dev.lethe.spark.job.SparkFailures;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.stream.Collectors;
import org.apache.spark.api.java.JavaRDD;
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
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;

/** Rows on their way into blocks. */
final class NetworkTable {
  /** Examples of a block at most; of texts about, since a text is not cut. */
  private static final int BLOCK_ROWS = 1024;

  /** Of a block at most, unless one example has more. */
  private static final int BLOCK_BYTES = 8 << 20;

  /** Tokens of a block of texts, 2 bytes each, beyond which no text is added. */
  private static final int BLOCK_TOKENS = BLOCK_BYTES / 2;

  /** What an array may have. */
  private static final int MOST_TOKENS = Integer.MAX_VALUE - 16;

  /** How a column's cell becomes numbers. */
  private enum Cell {
    NUMBER,
    NUMBERS,
    BYTES
  }

  private NetworkTable() {}

  /**
   * Examples of a block.
   *
   * @param numbers that an example has, 4 bytes each
   */
  static int blockRows(long numbers) {
    return (int) Math.max(1, Math.min(BLOCK_ROWS, BLOCK_BYTES / (Float.BYTES * numbers)));
  }

  /**
   * Packs a table; where rows move to other partitions, they are read now.
   *
   * @param partitions 0 for the source's own, at least the default parallelism
   * @param place names the table, for messages
   * @throws InvalidInputException if a column is missing or of the wrong type
   */
  static JavaRDD<NetworkBlock> blocks(
      NetworkDescription network, Dataset<Row> table, int partitions, String place) {
    Read read = read(network, table, place);
    Dataset<Row> rows = read.rows();
    return SparkFailures.sanitized(
        place, () -> packed(RowPlacement.of(rows, partitions, key(rows)), read.packer()));
  }

  /**
   * Checks that a network can read a table; reads no row.
   *
   * @throws InvalidInputException if a column is missing or of the wrong type
   */
  static void check(NetworkDescription network, Dataset<Row> table, String place) {
    read(network, table, place);
  }

  /** Rows of the columns that a network reads, and who packs them. */
  private record Read(Dataset<Row> rows, Packer packer) {}

  private static Read read(NetworkDescription network, Dataset<Row> table, String place) {
    NetworkInput input = network.input();
    return input.isText()
        ? texts(input, table, place)
        : values(network, input, Objects.requireNonNull(input.columns()), table, place);
  }

  /** Of a row's content: rows of one content are no different. */
  private static Column key(Dataset<Row> rows) {
    return xxhash64(Arrays.stream(rows.columns()).map(TableColumns::column).toArray(Column[]::new));
  }

  private static JavaRDD<NetworkBlock> packed(Dataset<Row> rows, Packer packer) {
    return rows.queryExecution()
        .toRdd()
        .toJavaRDD()
        .mapPartitions(part -> new Packed(part, packer));
  }

  /** Which side of a change is packed. */
  enum Side {
    BEFORE,
    AFTER
  }

  /**
   * Packs one side of rows that change: every example that differs, or only those whose target
   * does. Of a text these are the windows that contain or predict a character between what both
   * texts begin and end with; of numbers the rows that differ.
   *
   * @param pairs structs {@code before} and {@code after} of the table's columns, {@code after}
   *     NULL where the row is removed
   * @param retargeted only examples whose target changes: of a text, characters that differ; of
   *     numbers, labels
   */
  static JavaRDD<NetworkBlock> changed(
      NetworkDescription network, Dataset<Row> pairs, Side side, boolean retargeted, String place) {
    NetworkInput input = network.input();
    if (input.isText()) {
      String text = TableColumns.quoted(Objects.requireNonNull(input.text()));
      PairPacker packer =
          new PairPacker(Objects.requireNonNull(input.window()), input.tokenOf(), side, retargeted);
      return packed(
          inPlace(
              pairs.selectExpr(
                  "coalesce(before." + text + ", '') AS before",
                  "coalesce(after." + text + ", '') AS after")),
          packer);
    }
    Dataset<Row> rows = pairs;
    if (side == Side.AFTER || retargeted) {
      rows = rows.where("after IS NOT NULL");
    }
    List<String> compared = new ArrayList<>();
    if (!retargeted) {
      compared.addAll(Objects.requireNonNull(input.columns()));
    }
    compared.add(Objects.requireNonNull(network.label()));
    String same =
        compared.stream()
            .map(TableColumns::quoted)
            .map(name -> "before." + name + " <=> after." + name)
            .collect(Collectors.joining(" AND ", "after IS NOT NULL AND ", ""));
    Read read =
        read(
            network,
            rows.where("NOT (" + same + ")").select(side == Side.BEFORE ? "before.*" : "after.*"),
            place);
    return packed(inPlace(read.rows()), read.packer());
  }

  private static Dataset<Row> inPlace(Dataset<Row> rows) {
    return RowPlacement.inPlace(rows, key(rows));
  }

  /** A column of texts; NULL is no text. */
  static Column text(Dataset<Row> table, String name, String place) {
    StructField field = TableColumns.require(table.schema(), name, place);
    if (!(field.dataType() instanceof StringType)) {
      throw new InvalidInputException(
          place + ": column '" + name + "' must be a string, not " + typeOf(field));
    }
    return TableColumns.column(field.name());
  }

  /** The different characters of a column of texts, ascending. */
  static String characters(Dataset<Row> table, String name, String place) {
    BitSet found =
        table
            .select(text(table, name, place))
            .queryExecution()
            .toRdd()
            .toJavaRDD()
            .mapPartitions(
                rows -> {
                  BitSet seen = new BitSet();
                  while (rows.hasNext()) {
                    InternalRow row = rows.next();
                    if (!row.isNullAt(0)) {
                      row.getUTF8String(0).toString().chars().forEach(seen::set);
                    }
                  }
                  return List.of(seen).iterator();
                })
            .fold(
                new BitSet(),
                (a, b) -> {
                  BitSet both = (BitSet) a.clone();
                  both.or(b);
                  return both;
                });
    StringBuilder characters = new StringBuilder();
    found.stream().forEach(c -> characters.append((char) c));
    return characters.toString();
  }

  private static Read texts(NetworkInput input, Dataset<Row> table, String place) {
    Column text = text(table, Objects.requireNonNull(input.text()), place);
    TextPacker packer = new TextPacker(Objects.requireNonNull(input.window()), input.tokenOf());
    return new Read(table.select(text), packer);
  }

  private static Read values(
      NetworkDescription network,
      NetworkInput input,
      List<String> names,
      Dataset<Row> table,
      String place) {
    List<Column> columns = new ArrayList<>();
    List<Cell> cells = new ArrayList<>();
    for (String name : names) {
      StructField field = TableColumns.require(table.schema(), name, place);
      DataType type = field.dataType();
      String sql = TableColumns.quoted(field.name());
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
        columns.add(functions.vector_to_array(TableColumns.column(field.name()), "float32"));
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
        TableColumns.require(table.schema(), Objects.requireNonNull(network.label()), place);
    String sql = TableColumns.quoted(label.name());
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
    for (int k = 0; k < columns.size(); k++) {
      columns.set(k, columns.get(k).as("_" + k)); // names of our own: two may be the same
    }
    return new Read(table.select(columns.toArray(Column[]::new)), packer);
  }

  private static String typeOf(StructField field) {
    return field.dataType().catalogString();
  }

  /** Takes rows, gives blocks. */
  private interface Packer extends Serializable {
    /** The next block of at least one example, or one of none if the rows end. */
    NetworkBlock pack(Iterator<InternalRow> rows);
  }

  private static final class Packed implements Iterator<NetworkBlock> {
    private final Iterator<InternalRow> rows;
    private final Packer packer;
    private NetworkBlock next;

    Packed(Iterator<InternalRow> rows, Packer packer) {
      this.rows = rows;
      this.packer = packer;
      next = packer.pack(rows);
    }

    @Override
    public boolean hasNext() {
      return next.rows() > 0;
    }

    @Override
    public NetworkBlock next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      NetworkBlock block = next;
      next = packer.pack(rows);
      return block;
    }
  }

  /** Texts to tokens, each behind a window of {@link NetworkInput#BEFORE}. */
  private static final class TextPacker implements Packer {
    private static final long serialVersionUID = 1L;
    private final int window;
    private final short[] tokenOf;

    TextPacker(int window, short[] tokenOf) {
      this.window = window;
      this.tokenOf = tokenOf;
    }

    @Override
    public NetworkBlock pack(Iterator<InternalRow> rows) {
      Texts texts = new Texts(window, tokenOf);
      while (!texts.isFull() && rows.hasNext()) {
        InternalRow row = rows.next();
        String text = row.isNullAt(0) ? "" : row.getUTF8String(0).toString();
        texts.add(text, 0, text.length());
      }
      return texts.block();
    }
  }

  /** Two texts to the windows that one of them has and the other has not. */
  private static final class PairPacker implements Packer {
    private static final long serialVersionUID = 1L;
    private final int window;
    private final short[] tokenOf;
    private final Side side;
    private final boolean retargeted;

    PairPacker(int window, short[] tokenOf, Side side, boolean retargeted) {
      this.window = window;
      this.tokenOf = tokenOf;
      this.side = side;
      this.retargeted = retargeted;
    }

    @Override
    public NetworkBlock pack(Iterator<InternalRow> rows) {
      Texts texts = new Texts(window, tokenOf);
      while (!texts.isFull() && rows.hasNext()) {
        InternalRow row = rows.next();
        String before = row.getUTF8String(0).toString();
        String after = row.getUTF8String(1).toString();
        String text = side == Side.BEFORE ? before : after;
        int shorter = Math.min(before.length(), after.length());
        int prefix = 0;
        while (prefix < shorter && before.charAt(prefix) == after.charAt(prefix)) {
          prefix++;
        }
        int suffix = 0;
        while (suffix < shorter - prefix
            && before.charAt(before.length() - 1 - suffix)
                == after.charAt(after.length() - 1 - suffix)) {
          suffix++;
        }
        // before the end of the change, and for a window behind it
        int end = text.length() - suffix + (retargeted ? 0 : Math.min(suffix, window));
        if (prefix < end) {
          texts.add(text, prefix, end);
        }
      }
      return texts.block();
    }
  }

  /** A block of texts in the making. */
  private static final class Texts {
    private final int window;
    private final short[] tokenOf;
    private short[] tokens = new short[BLOCK_ROWS * 2];
    private int[] targets = new int[BLOCK_ROWS];
    private int size;
    private int examples;

    Texts(int window, short[] tokenOf) {
      this.window = window;
      this.tokenOf = tokenOf;
    }

    boolean isFull() {
      return examples >= BLOCK_ROWS || size >= BLOCK_TOKENS;
    }

    /**
     * Adds a text, behind a window of its own, of which the characters [from, to) are predicted.
     */
    void add(String text, int from, int to) {
      if ((long) size + window + text.length() > MOST_TOKENS) {
        throw new InvalidInputException(
            "a text has "
                + text.length()
                + " characters in some row; with the window of "
                + window
                + " that is more than a block can hold");
      }
      tokens = room(tokens, size + window + text.length());
      targets = room(targets, examples + to - from);
      Arrays.fill(tokens, size, size + window, NetworkInput.BEFORE);
      size += window;
      for (int k = 0; k < text.length(); k++) {
        if (k >= from && k < to) {
          targets[examples++] = size;
        }
        tokens[size++] = tokenOf[text.charAt(k)];
      }
    }

    TextBlock block() {
      return new TextBlock(window, Arrays.copyOf(tokens, size), Arrays.copyOf(targets, examples));
    }
  }

  private static int grown(int size, int length) {
    return (int) Math.min(MOST_TOKENS, Math.max(size, 2L * length));
  }

  private static short[] room(short[] array, int size) {
    return size <= array.length ? array : Arrays.copyOf(array, grown(size, array.length));
  }

  private static int[] room(int[] array, int size) {
    return size <= array.length ? array : Arrays.copyOf(array, grown(size, array.length));
  }

  /** Numbers to arrays. */
  private static final class ValuePacker implements Packer {
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
      this.blockRows = blockRows((long) size + (classes > 0 ? 1 : outputs));
    }

    @Override
    public NetworkBlock pack(Iterator<InternalRow> rows) {
      float[] values = new float[blockRows * size];
      int[] labels = new int[classes > 0 ? blockRows : 0];
      float[] targets = new float[classes > 0 ? 0 : blockRows * outputs];
      int count = 0;
      while (count < blockRows && rows.hasNext()) {
        InternalRow row = rows.next();
        int end = count * size;
        for (int k = 0; k < cells.length; k++) {
          if (row.isNullAt(k)) {
            throw new InvalidInputException("column '" + names.get(k) + "' is NULL in some row");
          }
          end = cell(row, k, values, end, (count + 1) * size);
        }
        if (end != (count + 1) * size) {
          throw wrongSize(end - count * size);
        }
        if (row.isNullAt(cells.length)) {
          throw new InvalidInputException("column '" + label + "' is NULL in some row");
        }
        if (classes > 0) {
          labels[count] = asClass(row.getFloat(cells.length));
        } else {
          target(row, targets, count * outputs);
        }
        count++;
      }
      return new ValueBlock(
          count,
          shape,
          Arrays.copyOf(values, count * size),
          Arrays.copyOf(labels, classes > 0 ? count : 0),
          Arrays.copyOf(targets, classes > 0 ? 0 : count * outputs));
    }

    private int cell(InternalRow row, int k, float[] values, int at, int limit) {
      switch (cells[k]) {
        case NUMBER -> {
          requireRoom(at + 1, limit);
          values[at] = finite(row.getFloat(k), k);
          return at + 1;
        }
        case BYTES -> {
          byte[] bytes = row.getBinary(k);
          requireRoom(at + bytes.length, limit);
          for (int j = 0; j < bytes.length; j++) {
            values[at + j] = (float) ((bytes[j] & 0xFF) * factor);
          }
          return at + bytes.length;
        }
        default -> {
          float[] numbers = numbers(row, k, names.get(k));
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

    private void target(InternalRow row, float[] targets, int at) {
      float[] numbers =
          labelIsArray
              ? numbers(row, cells.length, label)
              : new float[] {row.getFloat(cells.length)};
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
}

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
import dev.lethe.spark.request.Change;
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
import org.apache.spark.sql.types.StructType;

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
  private record Read(Dataset<Row> rows, Packer<NetworkBlock> packer) {}

  private static Read read(NetworkDescription network, Dataset<Row> table, String place) {
    if (network.input().isText()) {
      return texts(network.input(), table, place);
    }
    Values values = values(network, table.schema(), "", place);
    return new Read(numbered(table, values.columns()), values.packer());
  }

  /** Under names of our own: two may be the same. */
  private static Dataset<Row> numbered(Dataset<Row> rows, List<Column> columns) {
    Column[] named = new Column[columns.size()];
    Arrays.setAll(named, k -> columns.get(k).as("_" + k));
    return rows.select(named);
  }

  /** Of a row's content: rows of one content are no different. */
  private static Column key(Dataset<Row> rows) {
    return xxhash64(Arrays.stream(rows.columns()).map(TableColumns::column).toArray(Column[]::new));
  }

  private static <B> JavaRDD<B> packed(Dataset<Row> rows, Packer<B> packer) {
    return rows.queryExecution()
        .toRdd()
        .toJavaRDD()
        .mapPartitions(part -> new Packed<>(part, packer));
  }

  /**
   * Which examples of rows that change: all that do, or only those whose target does, none of a
   * removed row.
   */
  enum Side {
    BEFORE,
    AFTER,
    TARGET_BEFORE,
    TARGET_AFTER
  }

  /**
   * Packs rows that change, all sides in one pass: of a text the windows that contain or predict a
   * character of a {@link TextChange}, and those characters; of numbers the rows that differ, and
   * those whose label does.
   *
   * @param changes of the request
   * @param pairs structs {@code before} and {@code after} of the table's columns, {@code after}
   *     NULL where the row is removed
   * @return blocks by {@link Side}, perhaps empty ones
   */
  static JavaRDD<NetworkBlock[]> changed(
      NetworkDescription network, List<Change> changes, Dataset<Row> pairs, String place) {
    NetworkInput input = network.input();
    if (input.isText()) {
      String column = Objects.requireNonNull(input.text());
      String text = TableColumns.quoted(column);
      return inPlace(
          pairs.selectExpr(
              "coalesce(before." + text + ", '') AS before",
              "coalesce(after." + text + ", '') AS after",
              "after IS NULL AS removed"),
          new TextPairPacker(
              Objects.requireNonNull(input.window()),
              input.tokenOf(),
              new TextChange.Replacements(changes, column)),
          place);
    }
    StructType schema = (StructType) pairs.schema().apply("before").dataType();
    Values before = values(network, schema, "before.", place);
    List<Column> columns = new ArrayList<>(before.columns());
    columns.addAll(values(network, schema, "after.", place).columns());
    List<String> features = Objects.requireNonNull(input.columns());
    List<String> label = List.of(Objects.requireNonNull(network.label()));
    columns.add(expr("after IS NULL"));
    columns.add(expr(differ(label)));
    columns.add(expr(differ(features)));
    return inPlace(numbered(pairs, columns), new ValuePairPacker(before.packer()), place);
  }

  private static String differ(List<String> names) {
    return names.stream()
        .map(TableColumns::quoted)
        .map(name -> "before." + name + " <=> after." + name)
        .collect(Collectors.joining(" AND ", "NOT (", ")"));
  }

  private static <B> JavaRDD<B> inPlace(Dataset<Row> rows, Packer<B> packer, String place) {
    return SparkFailures.sanitized(
        place, () -> packed(RowPlacement.inPlace(rows, key(rows)), packer));
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
        columns.add(functions.vector_to_array(expr(sql), "float32"));
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

  /** Takes rows, gives blocks. */
  private interface Packer<B> extends Serializable {
    /** The next block, perhaps an empty one. */
    B pack(Iterator<InternalRow> rows);
  }

  private static final class Packed<B> implements Iterator<B> {
    private final Iterator<InternalRow> rows;
    private final Packer<B> packer;

    Packed(Iterator<InternalRow> rows, Packer<B> packer) {
      this.rows = rows;
      this.packer = packer;
    }

    @Override
    public boolean hasNext() {
      return rows.hasNext();
    }

    @Override
    public B next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      return packer.pack(rows);
    }
  }

  /** Texts to tokens, each behind a window of {@link NetworkInput#BEFORE}. */
  private static final class TextPacker implements Packer<NetworkBlock> {
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
        texts.add(text, new TextChange.Ranges(new int[] {0}, new int[] {text.length()}), 0);
      }
      return texts.block();
    }
  }

  /**
   * Two texts, and behind them whether the row is removed, to the windows that one of them has and
   * the other has not.
   */
  private static final class TextPairPacker implements Packer<NetworkBlock[]> {
    private static final long serialVersionUID = 1L;
    private final int window;
    private final short[] tokenOf;
    private final TextChange.Replacements replaced;

    TextPairPacker(int window, short[] tokenOf, TextChange.Replacements replaced) {
      this.window = window;
      this.tokenOf = tokenOf;
      this.replaced = replaced;
    }

    @Override
    public NetworkBlock[] pack(Iterator<InternalRow> rows) {
      Texts[] sides = new Texts[Side.values().length];
      Arrays.setAll(sides, k -> new Texts(window, tokenOf));
      while (Arrays.stream(sides).noneMatch(Texts::isFull) && rows.hasNext()) {
        InternalRow row = rows.next();
        String before = row.getUTF8String(0).toString();
        String after = row.getUTF8String(1).toString();
        TextChange change = replaced.of(before, after);
        sides[Side.BEFORE.ordinal()].add(before, change.before(), window);
        sides[Side.AFTER.ordinal()].add(after, change.after(), window);
        if (!row.getBoolean(2)) { // what was removed has no new target
          sides[Side.TARGET_BEFORE.ordinal()].add(before, change.before(), 0);
          sides[Side.TARGET_AFTER.ordinal()].add(after, change.after(), 0);
        }
      }
      return Arrays.stream(sides).map(Texts::block).toArray(NetworkBlock[]::new);
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
     * Adds a text, behind a window of its own, of which the characters of some ranges are
     * predicted, and those behind each.
     *
     * @param behind how many
     */
    void add(String text, TextChange.Ranges ranges, int behind) {
      int begin = size + window;
      int before = examples;
      int end = 0;
      for (int k = 0; k < ranges.from().length; k++) {
        int from = Math.max(end, ranges.from()[k]); // a range may begin in a window behind another
        end = Math.max(end, (int) Math.min(text.length(), (long) ranges.to()[k] + behind));
        targets = room(targets, examples + Math.max(0, end - from));
        for (int target = from; target < end; target++) {
          targets[examples++] = begin + target;
        }
      }
      if (examples > before) {
        add(text);
      }
    }

    private void add(String text) {
      if ((long) size + window + text.length() > MOST_TOKENS) {
        throw new InvalidInputException(
            "a text has "
                + text.length()
                + " characters in some row; with the window of "
                + window
                + " that is more than a block can hold");
      }
      tokens = room(tokens, size + window + text.length());
      Arrays.fill(tokens, size, size + window, NetworkInput.BEFORE);
      size += window;
      for (int k = 0; k < text.length(); k++) {
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

  private static float[] room(float[] array, int size) {
    return size <= array.length ? array : Arrays.copyOf(array, grown(size, array.length));
  }

  private static int[] room(int[] array, int size) {
    return size <= array.length ? array : Arrays.copyOf(array, grown(size, array.length));
  }

  /** Numbers to arrays. */
  private static final class ValuePacker implements Packer<NetworkBlock> {
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
        values = room(values, limit);
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
          labels = room(labels, count + 1);
          labels[count] = asClass(row.getFloat(target));
        } else {
          targets = room(targets, (count + 1) * outputs);
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
  private static final class ValuePairPacker implements Packer<NetworkBlock[]> {
    private static final long serialVersionUID = 1L;
    private final ValuePacker packer;

    ValuePairPacker(ValuePacker packer) {
      this.packer = packer;
    }

    @Override
    public NetworkBlock[] pack(Iterator<InternalRow> rows) {
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

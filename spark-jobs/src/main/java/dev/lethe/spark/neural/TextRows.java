package dev.lethe.spark.neural;

import dev.lethe.core.neural.NetworkBlock;
import dev.lethe.core.neural.TextBlock;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.WithholdingRows;
import dev.lethe.spark.neural.NetworkTable.Read;
import dev.lethe.spark.neural.NetworkTable.Side;
import dev.lethe.spark.request.Change;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;

/** Rows of texts on their way into blocks of tokens. */
final class TextRows {
  private TextRows() {}

  /**
   * A network's texts.
   *
   * @throws InvalidInputException if the column is missing or of the wrong type
   */
  static Read<NetworkBlock> of(NetworkInput input, Dataset<Row> table, String place) {
    Column text = column(table, Objects.requireNonNull(input.text()), place);
    return new Read<>(
        table.select(text),
        new TextPacker(Objects.requireNonNull(input.window()), input.tokenOf()));
  }

  /**
   * Of texts that change, the windows that contain or predict a character of a {@link TextChange},
   * and those characters.
   *
   * @param changes of the request
   * @param pairs as {@link NetworkTable#changed} has them
   */
  static Read<NetworkBlock[]> changed(
      NetworkInput input, List<Change> changes, Dataset<Row> pairs) {
    String column = Objects.requireNonNull(input.text());
    String text = TableColumns.quoted(column);
    return new Read<>(
        pairs.selectExpr(
            "coalesce(before." + text + ", '') AS before",
            "coalesce(after." + text + ", '') AS after",
            "after IS NULL AS removed"),
        new PairPacker(
            Objects.requireNonNull(input.window()),
            input.tokenOf(),
            new TextChange.Replacements(changes, column)));
  }

  /** A column of texts; NULL is no text. */
  private static Column column(Dataset<Row> table, String name, String place) {
    StructField field = TableColumns.require(table.schema(), name, place);
    if (!(field.dataType() instanceof StringType)) {
      throw new InvalidInputException(
          place
              + ": column '"
              + name
              + "' must be a string, not "
              + field.dataType().catalogString());
    }
    return TableColumns.column(field.name());
  }

  /** The different characters of a column of texts, ascending. */
  static String characters(Dataset<Row> table, String name, String place) {
    BitSet found =
        WithholdingRows.rdd(table.select(column(table, name, place)))
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

  /** Texts to tokens, each behind a window of {@link NetworkInput#BEFORE}. */
  private static final class TextPacker extends Packer<NetworkBlock> {
    private static final long serialVersionUID = 1L;
    private final int window;
    private final short[] tokenOf;

    TextPacker(int window, short[] tokenOf) {
      this.window = window;
      this.tokenOf = tokenOf;
    }

    @Override
    NetworkBlock pack(Iterator<InternalRow> rows) {
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
  private static final class PairPacker extends Packer<NetworkBlock[]> {
    private static final long serialVersionUID = 1L;
    private final int window;
    private final short[] tokenOf;
    private final TextChange.Replacements replaced;

    PairPacker(int window, short[] tokenOf, TextChange.Replacements replaced) {
      this.window = window;
      this.tokenOf = tokenOf;
      this.replaced = replaced;
    }

    @Override
    NetworkBlock[] pack(Iterator<InternalRow> rows) {
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
    private short[] tokens = new short[Packer.BLOCK_ROWS * 2];
    private int[] targets = new int[Packer.BLOCK_ROWS];
    private int size;
    private int examples;

    Texts(int window, short[] tokenOf) {
      this.window = window;
      this.tokenOf = tokenOf;
    }

    boolean isFull() {
      return examples >= Packer.BLOCK_ROWS || size >= Packer.BLOCK_TOKENS;
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
        targets = Packer.room(targets, examples + Math.max(0, end - from));
        for (int target = from; target < end; target++) {
          targets[examples++] = begin + target;
        }
      }
      if (examples > before) {
        add(text);
      }
    }

    private void add(String text) {
      if ((long) size + window + text.length() > Packer.MOST_TOKENS) {
        throw new InvalidInputException(
            "a text has "
                + text.length()
                + " characters in some row; with the window of "
                + window
                + " that is more than a block can hold");
      }
      tokens = Packer.room(tokens, size + window + text.length());
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
}

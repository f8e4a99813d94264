package dev.lethe.spark.certificate;

import dev.lethe.core.model.ExampleBlock;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * The product over rows that {@link DataDigest} defines, of one or several views of them: a view
 * has zeros in some columns. A row is summed once for all; a view takes off what it lacks.
 */
final class RowProducts implements ExampleBlock.EntryConsumer {
  private final RowKeys keys;
  // parts of an example that some view lacks, ascending, and the views that do
  private final int[] lacked;
  private final int[][] lacking;
  private final FieldElement[] products;
  // of the row at hand: what each view takes off
  private final FieldElement[] off;
  private final FieldElement shift = new FieldElement();
  private final FieldElement sum = new FieldElement();
  private final FieldElement factor = new FieldElement();
  private final FieldElement term = new FieldElement();
  // of the row at hand, not in the sum yet
  private final int[] parts = new int[RowKeys.CHUNK];
  private final long[] values = new long[RowKeys.CHUNK];
  private int pending;
  private long rows;

  /**
   * @param removed of each view, the columns that are zero whatever the blocks have there
   */
  RowProducts(RowKeys keys, List<BitSet> removed) {
    this.keys = keys;
    TreeMap<Integer, BitSet> views = new TreeMap<>();
    for (int i = 0; i < removed.size(); i++) {
      int view = i;
      removed.get(i).stream()
          .map(column -> RowKeys.FIRST_COLUMN + column)
          .forEach(part -> views.computeIfAbsent(part, p -> new BitSet()).set(view));
    }
    lacked = views.keySet().stream().mapToInt(Integer::intValue).toArray();
    lacking = views.values().stream().map(set -> set.stream().toArray()).toArray(int[][]::new);
    products = new FieldElement[removed.size()];
    Arrays.setAll(products, i -> new FieldElement(0, 1));
    off = new FieldElement[removed.size()];
    Arrays.setAll(off, i -> new FieldElement());
    keys.addTerms(new int[] {RowKeys.SHIFT}, new long[] {1}, 0, 1, shift);
  }

  void add(ExampleBlock block) {
    for (int row = 0; row < block.rows(); row++) {
      sum.set(shift);
      put(RowKeys.LABEL, Double.doubleToLongBits(block.label(row)));
      put(RowKeys.WEIGHT, Double.doubleToLongBits(block.weight(row)));
      block.forEachEntry(row, this);
      addPending();
      for (int i = 0; i < products.length; i++) {
        factor.set(sum);
        factor.subtract(off[i]);
        products[i].multiply(factor);
        off[i].set(0, 0);
      }
    }
    rows += block.rows();
  }

  @Override
  public void accept(int column, double value) {
    long bits = Double.doubleToLongBits(value + 0.0); // -0 is 0 then, and adds nothing
    if (bits != 0) {
      put(RowKeys.FIRST_COLUMN + column, bits);
    }
  }

  private void put(int part, long bits) {
    parts[pending] = part;
    values[pending] = bits;
    pending++;
    if (pending == RowKeys.CHUNK) {
      addPending();
    }
  }

  private void addPending() {
    keys.addTerms(parts, values, 0, pending, sum);
    for (int i = 0; lacked.length > 0 && i < pending; i++) {
      int at = Arrays.binarySearch(lacked, parts[i]);
      if (at >= 0) {
        term.set(0, 0);
        keys.addTerms(parts, values, i, i + 1, term);
        for (int view : lacking[at]) {
          off[view].add(term);
        }
      }
    }
    pending = 0;
  }

  long rows() {
    return rows;
  }

  /** Of each view upper and lower bits of the product, one behind the other. */
  long[] values() {
    return IntStream.range(0, 2 * products.length)
        .mapToLong(i -> i % 2 == 0 ? products[i / 2].high() : products[i / 2].low())
        .toArray();
  }
}

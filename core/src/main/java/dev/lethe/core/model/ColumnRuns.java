package dev.lethe.core.model;

import java.io.Serializable;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * How far the rows of a sparse block can be added up plainly, column by column: a run of a column
 * are rows whose terms go into one plain sum. Runs end between panels of {@link RowPanel#ROWS}
 * rows, in the panel that brings a column to {@value #FULL} terms, and at the end of the block.
 *
 * <p>A plain sum costs a third of a compensated one, and at most one term in {@value #FULL} ends a
 * run. {@link #longest} is below {@value #FULL} plus the rows of a panel, in most blocks far below.
 */
final class ColumnRuns implements Serializable {
  private static final long serialVersionUID = 1L;

  private static final int FULL = 16;

  /** Beyond, counting the terms of all columns in every block takes longer than it saves. */
  private static final int MOST_FEATURES = 1 << 20;

  private final int longest;
  private final int[] ended;
  private final int[] panels;

  private ColumnRuns(int longest, int[] ended, int[] panels) {
    this.longest = longest;
    this.ended = ended;
    this.panels = panels;
  }

  /**
   * Null where the block has so few entries that adding the plain sums of all d columns to
   * compensated ones now and then costs more than it saves.
   */
  static @Nullable ColumnRuns of(int features, int[] offsets, int[] columns) {
    int rows = offsets.length - 1;
    if (features > MOST_FEATURES || columns.length * 64L < features) {
      return null;
    }
    byte[] terms = new byte[features]; // of runs, below FULL plus the rows of a panel
    int[] ended = new int[columns.length / FULL];
    int[] panels = new int[rows / RowPanel.ROWS + 2];
    int longest = 0;
    int count = 0;
    int panel = 0;
    for (int first = 0; first < rows; first += RowPanel.ROWS) {
      int before = count;
      int last = offsets[Math.min(rows, first + RowPanel.ROWS)];
      for (int k = offsets[first]; k < last; k++) {
        int run = ++terms[columns[k]];
        longest = Math.max(longest, run);
        if (run == FULL) {
          ended[count++] = columns[k];
        }
      }
      for (int k = before; k < count; k++) {
        terms[ended[k]] = 0;
      }
      panels[++panel] = count;
    }
    boolean pays = columns.length * (64L / Math.max(1, longest)) >= features;
    return pays
        ? new ColumnRuns(
            longest,
            Arrays.copyOf(ended, count),
            count == 0 ? new int[0] : Arrays.copyOf(panels, panel + 1))
        : null;
  }

  /** An upper bound of the terms of a run. */
  int longest() {
    return longest;
  }

  /** Where in {@link #ended} the columns are whose runs end with a panel: from this on. */
  int from(int panel) {
    return panels.length == 0 ? 0 : panels[panel];
  }

  /** The column of the k-th run that ends before the block does. */
  int ended(int k) {
    return ended[k];
  }

  /** Of the arrays. */
  long bytes() {
    return 4L * (ended.length + panels.length);
  }
}

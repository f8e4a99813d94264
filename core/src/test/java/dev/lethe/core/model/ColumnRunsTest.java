package dev.lethe.core.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.testing.Exact;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.Objects;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ColumnRunsTest {
  private static final double TINY = Rounding.UNIT;

  /** Column j is in a row with a probability that falls from 1 to that of an evenly spread one. */
  private static SparseBlock block(int rows, int d, int evenly, SplittableRandom random) {
    int[] offsets = new int[rows + 1];
    int[] columns = new int[rows * d];
    double[] values = new double[rows * d];
    int k = 0;
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < d; j++) {
        if (random.nextDouble() < 1.0 / (1 + j) + (double) evenly / d) {
          columns[k] = j;
          values[k++] = random.nextInt(100) == 0 || i == 0 ? 1 : TINY;
        }
      }
      offsets[i + 1] = k;
    }
    double[] ones = new double[rows];
    Arrays.fill(ones, 1);
    return new SparseBlock(
        d, offsets, Arrays.copyOf(columns, k), Arrays.copyOf(values, k), ones, ones);
  }

  @Test
  void of_anyRows_endsEveryRunBeforeItsBound() {
    SplittableRandom random = new SplittableRandom(1);
    for (int rows : new int[] {1, 31, 32, 33, 500}) {
      for (int d : new int[] {1, 5, 60, 400}) {
        SparseBlock block = block(rows, d, 5, random);
        ColumnRuns runs = Objects.requireNonNull(block.runs());
        int[] terms = new int[d];
        int entries = 0;
        int ended = 0;
        for (int i = 0; i < rows; i++) {
          block.forEachEntry(i, (j, x) -> terms[j]++);
          entries += block.entries(i);
          for (int count : terms) {
            assertThat(count).isLessThanOrEqualTo(runs.longest());
          }
          if (i % RowPanel.ROWS == RowPanel.ROWS - 1 || i == rows - 1) {
            for (int k = runs.from(i / 32); k < runs.from(i / 32 + 1); k++, ended++) {
              assertThat(terms[runs.ended(k)]).isGreaterThanOrEqualTo(16);
              terms[runs.ended(k)] = 0;
            }
          }
        }
        assertThat(runs.longest()).isLessThanOrEqualTo(15 + RowPanel.ROWS);
        assertThat(16 * ended).isLessThanOrEqualTo(entries);
        assertThat(block.bytes())
            .isEqualTo(
                12L * entries
                    + 4L * (rows + 1)
                    + 16L * rows
                    + (ended == 0 ? 0 : 4L * (ended + (rows + 31) / 32 + 1)));
      }
    }
  }

  /**
   * A sum of 1 and then of terms u loses all of them: m - 1 of m terms, all that gamma_m allows.
   */
  @Test
  void addTransposed_sparseRows_loseNoMoreThanAPanelOfTerms() {
    SplittableRandom random = new SplittableRandom(2);
    for (int d : new int[] {3, 50, 300}) {
      for (int rowsPerBlock : new int[] {1, 20, 700, 2048}) {
        ParameterLayout layout = new ParameterLayout(d, false, 1, 0);
        CompensatedVector sums = new CompensatedVector(d);
        BigDecimal[] exact = new BigDecimal[d];
        Arrays.fill(exact, BigDecimal.ZERO);
        double[] one = new double[RowPanel.ROWS];
        Arrays.fill(one, 1);
        int rows = 0;
        while (rows < 4000) {
          SparseBlock block = block(rowsPerBlock, d, d / 20, random);
          RowPanel panel = new RowPanel(layout, block);
          while (panel.next()) {
            panel.addTransposed(one, sums);
          }
          for (int i = 0; i < rowsPerBlock; i++) {
            block.forEachEntry(i, (j, x) -> exact[j] = exact[j].add(Exact.of(x)));
          }
          rows += rowsPerBlock;
        }
        assertThat(sums.depth()).isEqualTo(rows);
        double[] computed = sums.toArray();
        for (int j = 0; j < d; j++) {
          // the terms are positive: their sum is that of their absolute values; u for the result
          assertThat(Exact.error(computed[j], exact[j]))
              .isLessThanOrEqualTo(
                  exact[j].multiply(Exact.of(Rounding.gamma(CompensatedVector.PANEL_ROWS + 1.0))));
        }
      }
    }
  }

  @Test
  void of_entriesThatDoNotPayForTheColumns_isNull() {
    double[] one = {1};
    int[] offsets = {0, 1};
    assertThat(new SparseBlock(65, offsets, new int[1], one, one, one).runs()).isNull();
    assertThat(new SparseBlock(64, offsets, new int[1], one, one, one).runs()).isNotNull();
    assertThat(new BinaryBlock(64, offsets, new int[1], one, one).runs()).isNotNull();
    int[] many = new int[1 << 17];
    int[] ends = {0, many.length};
    assertThat(ColumnRuns.of(1 << 20, ends, many)).isNull(); // too many terms of column 0 for a run
    assertThat(ColumnRuns.of((1 << 20) + 1, ends, many)).isNull();
  }
}

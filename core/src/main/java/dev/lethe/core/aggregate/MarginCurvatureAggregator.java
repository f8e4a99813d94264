package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;

/**
 * The curvature of every two margins with its moments: for margins k &gt;= l the sums over rows of
 * w_i A_i,kl x_i and of w_i A_i,kl, A_i = d2l/ds2(s_i). It is the data's Hessian in the rows of the
 * intercepts, for a loss of margins only.
 *
 * <p>As A_i is symmetric and x_i the same for all margins, K (K + 1) / 2 (d + 1) sums hold the K x
 * K (d + 1) numbers.
 */
public final class MarginCurvatureAggregator implements Aggregator<MarginCurvatureAggregator> {
  private static final long serialVersionUID = 1L;

  private final transient Point point;
  private final transient ParameterLayout pairs;
  private final CompensatedVector sums;
  private double maxMarginError;
  private long rows;
  private long checksum;

  public MarginCurvatureAggregator(Point point) {
    ParameterLayout layout = point.layout();
    if (layout.scalars() > 0) {
      throw new IllegalArgumentException(
          point.loss().name() + " has " + layout.scalars() + " scalars: must have none");
    }
    this.point = point;
    int margins = layout.margins();
    pairs = new ParameterLayout(layout.features(), true, margins * (margins + 1) / 2, 0);
    sums = new CompensatedVector(pairs.size());
  }

  private MarginCurvatureAggregator(MarginCurvatureAggregator of, CompensatedVector sums) {
    point = of.point;
    pairs = of.pairs;
    this.sums = sums;
    maxMarginError = of.maxMarginError;
    rows = of.rows;
    checksum = of.checksum;
  }

  @Override
  public void add(ExampleBlock block) {
    rows += block.rows();
    checksum += block.checksum();
    block.wide().forEach(this::addRows);
  }

  private void addRows(ExampleBlock block) {
    RowEvaluation row = new RowEvaluation(point);
    int margins = point.layout().margins();
    double[] lower = new double[pairs.margins()];
    for (int i = 0; i < block.rows(); i++) {
      row.at(block, i);
      maxMarginError = Math.max(maxMarginError, row.boundErrors(block, i));
      double[] a = row.hessian(block, i);
      double w = block.weight(i);
      int pair = 0;
      for (int k = 0; k < margins; k++) {
        for (int l = 0; l <= k; l++) {
          lower[pair++] = w * a[k * margins + l];
        }
      }
      pairs.addTransposed(block, i, lower, sums);
    }
  }

  @Override
  public void merge(MarginCurvatureAggregator other) {
    sums.merge(other.sums);
    maxMarginError = Math.max(maxMarginError, other.maxMarginError);
    rows += other.rows;
    checksum += other.checksum;
  }

  @Override
  public MarginCurvatureAggregator sealed() {
    sums.sealed();
    return this;
  }

  @Override
  public MarginCurvatureAggregator slice(int part, int parts) {
    return new MarginCurvatureAggregator(this, sums.slice(part, parts)).sealed();
  }

  @Override
  public void place(MarginCurvatureAggregator slice, int part, int parts) {
    sums.place(slice.sums, part, parts);
    maxMarginError = slice.maxMarginError;
    rows = slice.rows;
    checksum = slice.checksum;
  }

  @Override
  public long bytes() {
    return 16L * sums.size() + 128;
  }

  /** Rows that were added. */
  public long rows() {
    return rows;
  }

  /** Sum of the blocks' checksums, modulo 2^64. */
  public long checksum() {
    return checksum;
  }

  /** For k &gt;= l, at (k (k + 1) / 2 + l) (d + 1) the d moments, then the sum of w_i A_i,kl. */
  public double[] sums() {
    return sums.toArray();
  }

  /**
   * kappa: every sum is within kappa sum_i w_i sqrt(A_i,kk A_i,ll) |x_ij| of the exact one, hence
   * within kappa sqrt(H_aa H_bb), H_aa that of intercept k and H_bb that of coefficient j of l.
   * Terms that underflow are outside it; {@code docs/mathematics.md} tells why they do not matter.
   */
  public double relativeError() {
    double depth = sums.depth() * Rounding.UNIT;
    return GramAggregator.curvatureChange(point, maxMarginError)
        + Rounding.gamma(CompensatedVector.PANEL_ROWS + 16.0 + point.loss().hessianErrorUnits())
        + 2 * depth * depth
        + 2 * Rounding.UNIT;
  }
}

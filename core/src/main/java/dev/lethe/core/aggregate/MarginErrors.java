package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.RowPanel;

/** As {@link RowEvaluation}, the rounding errors of margins and derivatives, a panel at a time. */
final class MarginErrors {
  private final Point point;
  private final ExampleBlock block;
  private final double[] absoluteTheta;
  private final double[] errors = new double[RowPanel.ROWS];
  private final double[] margin = new double[1];
  private final double[] marginError = new double[1];
  private final double[] slopeError = new double[1];
  private double largest;

  MarginErrors(Point point, ExampleBlock block) {
    this.point = point;
    this.block = block;
    absoluteTheta = point.absoluteTheta();
  }

  /** Bounds the errors of a panel's margins: gamma_m |x|'|theta|, m the entries plus 2. */
  void at(RowPanel panel) {
    panel.absoluteMargins(absoluteTheta, errors);
    for (int r = 0; r < panel.rows(); r++) {
      errors[r] *= Rounding.gamma(block.entries(panel.first() + r) + 2.0);
      largest = Math.max(largest, errors[r]);
    }
  }

  /** The bound for dl/ds in row r of the panel. */
  double ofSlope(int r, double s, double label) {
    margin[0] = s;
    marginError[0] = errors[r];
    point.loss().gradientError(margin, label, marginError, slopeError);
    return slopeError[0];
  }

  /** The largest bound of a margin's error so far. */
  double largest() {
    return largest;
  }
}

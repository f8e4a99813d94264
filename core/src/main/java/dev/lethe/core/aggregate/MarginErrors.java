package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.RowPanel;

/** As {@link RowEvaluation}, the rounding errors of margins, a panel at a time. */
final class MarginErrors {
  private final ExampleBlock block;
  private final double[] absoluteTheta;
  private final double[] errors = new double[RowPanel.ROWS];
  private double largest;

  MarginErrors(Point point, ExampleBlock block) {
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

  /** The bound for row r of the panel. */
  double ofMargin(int r) {
    return errors[r];
  }

  /** The largest bound of a margin's error so far. */
  double largest() {
    return largest;
  }
}

package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.loss.MarginLoss;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.RowPanel;

/**
 * sum_i w_i l(s_i, y_i) and its gradient sum_i w_i X_i' dl/ds(s_i, y_i), sum form, no penalty.
 *
 * <p>Rounding: see {@link MeasurementAggregator}, which computes the same gradient with its bound.
 */
public final class GradientAggregator implements Aggregator<GradientAggregator> {
  private static final long serialVersionUID = 1L;

  private final transient Point point;
  private final CompensatedVector gradient;
  private final CompensatedVector value = new CompensatedVector(1);

  public GradientAggregator(Point point) {
    this.point = point;
    gradient = new CompensatedVector(point.size());
  }

  @Override
  public void add(ExampleBlock block) {
    if (point.loss() instanceof MarginLoss loss) {
      addPanels(block, loss);
    } else {
      addRows(block);
    }
  }

  private void addPanels(ExampleBlock block, MarginLoss loss) {
    RowPanel panel = new RowPanel(point.layout(), block);
    double[] s = new double[RowPanel.ROWS];
    double[] jet = new double[4];
    while (panel.next()) {
      panel.margins(point.theta(), s);
      for (int r = 0; r < panel.rows(); r++) {
        double w = block.weight(panel.first() + r);
        double y = block.label(panel.first() + r);
        loss.jet(s[r], y, jet);
        value.add(0, w * jet[0]);
        s[r] = w * jet[1];
      }
      panel.addTransposed(s, gradient);
    }
  }

  private void addRows(ExampleBlock block) {
    RowEvaluation row = new RowEvaluation(point);
    for (int i = 0; i < block.rows(); i++) {
      double w = block.weight(i);
      double y = block.label(i);
      row.at(block, i);
      point.layout().addTransposed(block, i, row.weightedGradient(y, w), gradient);
      value.add(0, w * row.value(y));
    }
  }

  @Override
  public void merge(GradientAggregator other) {
    gradient.merge(other.gradient);
    value.merge(other.value);
  }

  @Override
  public GradientAggregator sealed() {
    gradient.sealed();
    value.sealed();
    return this;
  }

  @Override
  public long bytes() {
    return 16L * gradient.size() + 256;
  }

  /** The gradient, length p. */
  public double[] gradient() {
    return gradient.toArray();
  }

  /** The value. */
  public double value() {
    return value.toArray()[0];
  }
}

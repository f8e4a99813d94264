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
  private final CompensatedVector value;

  public GradientAggregator(Point point) {
    this(point, new CompensatedVector(point.size()), new CompensatedVector(1));
  }

  private GradientAggregator(Point point, CompensatedVector gradient, CompensatedVector value) {
    this.point = point;
    this.gradient = gradient;
    this.value = value;
  }

  @Override
  public void add(ExampleBlock block) {
    if (point.loss() instanceof MarginLoss loss) {
      addPanels(block, loss);
    } else {
      block.wide().forEach(this::addRows);
    }
  }

  private void addPanels(ExampleBlock block, MarginLoss loss) {
    RowPanel panel = new RowPanel(point.layout(), block);
    Curvatures curvatures = new Curvatures(point, block);
    double[] s = new double[RowPanel.ROWS];
    double[] curvature = new double[RowPanel.ROWS];
    double[] jet = new double[4];
    while (panel.next()) {
      panel.margins(point.theta(), s);
      for (int r = 0; r < panel.rows(); r++) {
        double w = block.weight(panel.first() + r);
        double y = block.label(panel.first() + r);
        loss.jet(s[r], y, jet);
        value.add(0, w * jet[0]);
        s[r] = w * jet[1];
        curvature[r] = w * jet[2];
      }
      curvatures.are(panel, curvature);
      panel.addTransposed(s, gradient);
    }
    curvatures.remember();
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
  public GradientAggregator slice(int part, int parts) {
    return new GradientAggregator(point, gradient.slice(part, parts), value.slice(0, 1)).sealed();
  }

  @Override
  public void place(GradientAggregator slice, int part, int parts) {
    gradient.place(slice.gradient, part, parts);
    value.place(slice.value, 0, 1);
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

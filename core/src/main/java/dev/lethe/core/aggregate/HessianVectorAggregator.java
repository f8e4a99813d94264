package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.loss.MarginLoss;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.RowPanel;

/** sum_i w_i X_i' d2l/ds2(s_i) X_i v, the product of the data's Hessian with v; no penalty. */
public final class HessianVectorAggregator implements Aggregator<HessianVectorAggregator> {
  private static final long serialVersionUID = 1L;

  private final transient Point point;
  private final transient double[] direction;
  private final CompensatedVector product;

  /**
   * @param direction v, length p
   */
  public HessianVectorAggregator(Point point, double[] direction) {
    if (direction.length != point.size()) {
      throw new IllegalArgumentException(
          "the direction has " + direction.length + " entries, not " + point.size());
    }
    this.point = point;
    this.direction = direction;
    product = new CompensatedVector(point.size());
  }

  private HessianVectorAggregator(Point point, double[] direction, CompensatedVector product) {
    this.point = point;
    this.direction = direction;
    this.product = product;
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
    double[] u = new double[RowPanel.ROWS];
    while (panel.next()) {
      if (!curvatures.areKnown()) {
        panel.margins(point.theta(), s);
        for (int r = 0; r < panel.rows(); r++) {
          int i = panel.first() + r;
          s[r] = block.weight(i) * loss.secondDerivative(s[r], block.label(i));
        }
        curvatures.are(panel, s);
      }
      panel.margins(direction, u);
      curvatures.multiply(panel, s, u);
      panel.addTransposed(u, product);
    }
    curvatures.remember();
  }

  private void addRows(ExampleBlock block) {
    RowEvaluation row = new RowEvaluation(point);
    double[] u = new double[point.layout().outputs()];
    double[] a = new double[u.length];
    for (int i = 0; i < block.rows(); i++) {
      row.at(block, i);
      row.weightedHessianProduct(block, i, direction, u, a);
      point.layout().addTransposed(block, i, a, product);
    }
  }

  @Override
  public void merge(HessianVectorAggregator other) {
    product.merge(other.product);
  }

  @Override
  public HessianVectorAggregator sealed() {
    product.sealed();
    return this;
  }

  @Override
  public HessianVectorAggregator slice(int part, int parts) {
    return new HessianVectorAggregator(point, direction, product.slice(part, parts)).sealed();
  }

  @Override
  public void place(HessianVectorAggregator slice, int part, int parts) {
    product.place(slice.product, part, parts);
  }

  @Override
  public long bytes() {
    return 16L * product.size() + 128;
  }

  /** The product, length p. */
  public double[] product() {
    return product.toArray();
  }
}

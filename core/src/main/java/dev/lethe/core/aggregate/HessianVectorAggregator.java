package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.CompensatedVector;
import dev.lethe.core.model.ExampleBlock;

/** sum_i w_i l''(s_i) x_i (x_i'v), the product of the data's Hessian with v; no penalty. */
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

  @Override
  public void add(ExampleBlock block) {
    double[] theta = point.theta();
    int d = point.features();
    boolean intercept = point.intercept();
    double offset = intercept ? theta[d] : 0;
    double directionOffset = intercept ? direction[d] : 0;
    for (int i = 0; i < block.rows(); i++) {
      double s = block.dot(i, theta) + offset;
      double curvature = block.weight(i) * point.loss().secondDerivative(s, block.label(i));
      double a = curvature * (block.dot(i, direction) + directionOffset);
      block.addScaledRow(i, a, product);
      if (intercept) {
        product.add(d, a);
      }
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
  public long bytes() {
    return 16L * product.size() + 128;
  }

  /** The product, length p. */
  public double[] product() {
    return product.toArray();
  }
}

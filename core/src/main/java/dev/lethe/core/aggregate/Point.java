package dev.lethe.core.aggregate;

import dev.lethe.core.loss.LossFunction;
import java.io.Serializable;

/**
 * Where a pass evaluates: a loss at parameters theta. The margin is s_i = x_i'theta_{0..d-1}, plus
 * theta_d where there is an intercept.
 *
 * <p>Not a record: Kryo, which a cluster may have set, cannot read records.
 */
public final class Point implements Serializable {
  private static final long serialVersionUID = 1L;

  private final LossFunction loss;
  private final int features;
  private final boolean intercept;
  private final double[] theta;

  /**
   * @param loss the loss
   * @param features d
   * @param intercept whether coordinate d is an intercept
   * @param theta p = d or d + 1 parameters; shared, not copied
   */
  public Point(LossFunction loss, int features, boolean intercept, double[] theta) {
    int p = features + (intercept ? 1 : 0);
    if (theta.length != p) {
      throw new IllegalArgumentException(theta.length + " parameters where the model has " + p);
    }
    this.loss = loss;
    this.features = features;
    this.intercept = intercept;
    this.theta = theta;
  }

  public LossFunction loss() {
    return loss;
  }

  /** d. */
  public int features() {
    return features;
  }

  public boolean intercept() {
    return intercept;
  }

  public double[] theta() {
    return theta;
  }

  /** p. */
  public int size() {
    return theta.length;
  }
}

package dev.lethe.core.aggregate;

import dev.lethe.core.loss.LossFunction;
import java.io.Serializable;

/**
 * Where a pass evaluates: a loss at parameters theta. The margin is s_i = x_i'theta_{0..d-1}, plus
 * theta_d where there is an intercept.
 *
 * @param loss the loss
 * @param features d
 * @param intercept whether coordinate d is an intercept
 * @param theta p = d or d + 1 parameters
 */
public record Point(LossFunction loss, int features, boolean intercept, double[] theta)
    implements Serializable {
  public Point {
    int p = features + (intercept ? 1 : 0);
    if (theta.length != p) {
      throw new IllegalArgumentException(theta.length + " parameters where the model has " + p);
    }
  }

  /** p. */
  public int size() {
    return theta.length;
  }
}

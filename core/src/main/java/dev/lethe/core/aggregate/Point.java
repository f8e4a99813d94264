package dev.lethe.core.aggregate;

import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ParameterLayout;
import java.io.Serializable;

/**
 * Where a pass evaluates: a loss at parameters theta, and the radius of the ball around theta for
 * which a loss without self-concordance has to show its curvature.
 *
 * <p>Not a record: Kryo, which a cluster may have set, cannot read records.
 */
public final class Point implements Serializable {
  private static final long serialVersionUID = 1L;

  private final LossFunction loss;
  private final ParameterLayout layout;
  private final double[] theta;
  private final double radius;
  private final boolean[] fixed;

  private Point(
      LossFunction loss, ParameterLayout layout, double[] theta, double radius, boolean[] fixed) {
    if (theta.length != layout.size()) {
      throw new IllegalArgumentException(
          theta.length + " parameters where the model has " + layout.size());
    }
    if (loss.margins() != layout.margins() || loss.scalars() != layout.scalars()) {
      throw new IllegalArgumentException(
          loss.name() + " has other outputs than the layout of the parameters");
    }
    this.loss = loss;
    this.layout = layout;
    this.theta = theta;
    this.radius = radius;
    this.fixed = fixed;
  }

  /**
   * @param theta p parameters; shared, not copied
   */
  public Point(LossFunction loss, ParameterLayout layout, double[] theta) {
    this(loss, layout, theta, -1, new boolean[0]);
  }

  /**
   * @param features d
   * @param intercept whether every margin has an intercept
   * @param theta p parameters; shared, not copied
   */
  public Point(LossFunction loss, int features, boolean intercept, double[] theta) {
    this(loss, new ParameterLayout(features, intercept, loss.margins(), loss.scalars()), theta);
  }

  /**
   * The same point with curvatures that hold in the ball ||theta' - theta||_2 &lt;= radius, where
   * the loss is not self-concordant; negative for none.
   *
   * @param held coordinates that theta' has in common with theta, the same columns in every margin;
   *     shared, not copied
   */
  public Point within(double ball, boolean[] held) {
    return loss.isSelfConcordant() || ball < 0 ? this : new Point(loss, layout, theta, ball, held);
  }

  public LossFunction loss() {
    return loss;
  }

  public ParameterLayout layout() {
    return layout;
  }

  public double[] theta() {
    return theta;
  }

  /** p. */
  public int size() {
    return theta.length;
  }

  /** Whether curvatures are lower bounds in a ball, not those of theta. */
  boolean boundsCurvature() {
    return radius >= 0;
  }

  /** |theta|, a new array. */
  double[] absoluteTheta() {
    double[] absolute = new double[theta.length];
    for (int j = 0; j < absolute.length; j++) {
      absolute[j] = Math.abs(theta[j]);
    }
    return absolute;
  }

  double radius() {
    return radius;
  }

  boolean[] fixed() {
    return fixed;
  }
}

package dev.lethe.core.aggregate;

import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ParameterLayout;
import java.io.Serializable;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

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
  private transient volatile double @Nullable [] absolute;
  private transient volatile long key;

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
   * @param held coordinates that theta' has in common with theta, as in {@link #holding}
   */
  public Point within(double ball, boolean[] held) {
    return loss.isSelfConcordant() || ball < 0 ? this : new Point(loss, layout, theta, ball, held);
  }

  /**
   * The same point with coordinates that are held: a matrix of second derivatives is 0 there, and
   * takes no memory for them, and time only for their entries in sparse rows.
   *
   * @param held the same columns in every margin; shared, not copied
   */
  public Point holding(boolean[] held) {
    return new Point(loss, layout, theta, radius, held);
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

  /**
   * Tells loss and parameters of points apart, but for a chance of 2^-64; made once. What it guards
   * may cost a solver steps, never a measurement its truth.
   */
  long key() {
    long made = key;
    if (made == 0) {
      made = 31L * loss.name().hashCode() + theta.length;
      for (double value : theta) {
        made = (made ^ Double.doubleToRawLongBits(value)) * 0x9E3779B97F4A7C15L;
        made ^= made >>> 32;
      }
      key = made;
    }
    return made;
  }

  /** |theta|, made once. */
  double[] absoluteTheta() {
    double[] made = absolute;
    if (made == null) {
      made = new double[theta.length];
      for (int j = 0; j < made.length; j++) {
        made[j] = Math.abs(theta[j]);
      }
      absolute = made;
    }
    return made;
  }

  double radius() {
    return radius;
  }

  boolean[] fixed() {
    return fixed;
  }

  /** The coordinates that are not held, ascending. */
  int[] free() {
    return IntStream.range(0, size()).filter(j -> fixed.length == 0 || !fixed[j]).toArray();
  }
}

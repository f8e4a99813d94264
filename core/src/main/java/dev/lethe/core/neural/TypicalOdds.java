package dev.lethe.core.neural;

import dev.lethe.core.linalg.Vectors;
import java.io.Serializable;

/**
 * What a network says of a class where it is not the target: mean m_c and standard deviation s_c of
 * the class's log odds
 *
 * <pre>
 *   o_c = log p_c - log(1 - p_c) = z_c - log sum_{k != c} exp z_k
 * </pre>
 *
 * over such examples, z the outputs. An old target y is forgotten where its log odds are typical of
 * y: a target that the network holds for less likely than it does anywhere else is as conspicuous
 * as one that it holds for more likely. How far an example is from that is its misfit,
 *
 * <pre>
 *   r^2 / 2,   r = (o_y - m_y) / s_y
 * </pre>
 *
 * the negative logarithm of a normal density but for a constant. Of one output z, the logit of
 * class 1, o_1 = z and o_0 = -z. All in nats.
 */
public final class TypicalOdds implements Serializable {
  private static final long serialVersionUID = 1L;

  /** A standard deviation counts as at least this, in nats: that of no difference can be 0. */
  public static final double LEAST_DEVIATION = 0.1;

  private static final int MOMENTS = 3;

  private final double[] means;
  private final double[] deviations;

  private TypicalOdds(double[] means, double[] deviations) {
    this.means = means;
    this.deviations = deviations;
  }

  /** Numbers that {@link #add} adds to. */
  public static int moments(int classes) {
    return MOMENTS * classes;
  }

  /**
   * Adds an example's log odds of all classes but its own.
   *
   * @param outputs row-major
   * @param moments of each class: how many, their sum, the sum of their squares
   */
  public static void add(float[] outputs, int row, int width, int own, double[] moments) {
    int from = row * width;
    int top = 0;
    for (int c = 1; c < width; c++) {
      top = outputs[from + c] > outputs[from + top] ? c : top;
    }
    double largest = outputs[from + top];
    double sum = 0;
    for (int c = 0; c < width; c++) {
      sum += Math.exp(outputs[from + c] - largest);
    }
    for (int c = 0; c < moments.length / MOMENTS; c++) {
      if (c != own) {
        double above = width == 1 ? 0 : outputs[from + c] - largest;
        double odds =
            width == 1 || c == top
                ? logOdds(outputs, row, width, c)
                : above - Math.log(sum - Math.exp(above)); // of at least the largest: never near 0
        moments[MOMENTS * c]++;
        moments[MOMENTS * c + 1] += odds;
        moments[MOMENTS * c + 2] += odds * odds;
      }
    }
  }

  /** Of the moments of all examples but a part of them. */
  public static TypicalOdds ofRest(double[] all, double[] part) {
    double[] rest = all.clone();
    Vectors.addInPlace(rest, -1, part);
    return of(rest);
  }

  /** Of the moments; a class that no example tells of has even odds, within one nat. */
  public static TypicalOdds of(double[] moments) {
    int classes = moments.length / MOMENTS;
    double[] means = new double[classes];
    double[] deviations = new double[classes];
    for (int c = 0; c < classes; c++) {
      double count = moments[MOMENTS * c];
      means[c] = count == 0 ? 0 : moments[MOMENTS * c + 1] / count;
      double variance = count == 0 ? 1 : moments[MOMENTS * c + 2] / count - means[c] * means[c];
      deviations[c] = Math.sqrt(Math.max(variance, LEAST_DEVIATION * LEAST_DEVIATION));
    }
    return new TypicalOdds(means, deviations);
  }

  /** o_c of a row of outputs. */
  public static double logOdds(float[] outputs, int row, int width, int c) {
    if (width == 1) {
      return c == 1 ? outputs[row] : -outputs[row];
    }
    int from = row * width;
    double largest = Double.NEGATIVE_INFINITY;
    for (int k = 0; k < width; k++) {
      if (k != c) {
        largest = Math.max(largest, outputs[from + k]);
      }
    }
    double others = 0;
    for (int k = 0; k < width; k++) {
      others += k == c ? 0 : Math.exp(outputs[from + k] - largest);
    }
    return outputs[from + c] - largest - Math.log(others);
  }

  /** r of an example of class c. */
  public double standardized(float[] outputs, int row, int width, int c) {
    return (logOdds(outputs, row, width, c) - means[c]) / deviations[c];
  }

  /** m_c. */
  public double mean(int c) {
    return means[c];
  }

  /** s_c. */
  public double deviation(int c) {
    return deviations[c];
  }
}

package dev.lethe.core.testing;

import dev.lethe.core.loss.GammaLoss;
import dev.lethe.core.loss.HingeLoss;
import dev.lethe.core.loss.HuberLoss;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.loss.MultinomialLogisticLoss;
import dev.lethe.core.loss.OneVsRestLoss;
import dev.lethe.core.loss.PoissonLoss;
import dev.lethe.core.loss.SquaredLoss;
import java.util.SplittableRandom;

/** Every loss with its definition in exact arithmetic and labels to draw. */
public enum LossCase {
  LOGISTIC(LogisticLoss.INSTANCE, ExactLoss.of(ExactLoss.LOGISTIC)),
  PROPORTIONS(LogisticLoss.OF_PROPORTIONS, ExactLoss.of(ExactLoss.LOGISTIC)),
  SQUARED(SquaredLoss.INSTANCE, ExactLoss.of(ExactLoss.SQUARED)),
  POISSON(PoissonLoss.INSTANCE, ExactLoss.of(ExactLoss.POISSON)),
  GAMMA(GammaLoss.INSTANCE, ExactLoss.of(ExactLoss.GAMMA)),
  SMOOTHED_HINGE(HingeLoss.SMOOTHED, ExactLoss.of(ExactLoss.SMOOTHED_HINGE)),
  SQUARED_HINGE(HingeLoss.SQUARED, ExactLoss.of(ExactLoss.SQUARED_HINGE)),
  TWO_CLASSES(new MultinomialLogisticLoss(2), ExactLoss.softmax(2)),
  THREE_CLASSES(new MultinomialLogisticLoss(3), ExactLoss.softmax(3)),
  SEVEN_CLASSES(new MultinomialLogisticLoss(7), ExactLoss.softmax(7)),
  LOGISTIC_VS_REST(
      new OneVsRestLoss(LogisticLoss.INSTANCE, 3), ExactLoss.oneVsRest(ExactLoss.LOGISTIC, 3)),
  SMOOTHED_HINGE_VS_REST(
      new OneVsRestLoss(HingeLoss.SMOOTHED, 3), ExactLoss.oneVsRest(ExactLoss.SMOOTHED_HINGE, 3)),
  SQUARED_HINGE_VS_REST(
      new OneVsRestLoss(HingeLoss.SQUARED, 4), ExactLoss.oneVsRest(ExactLoss.SQUARED_HINGE, 4)),
  HUBER(new HuberLoss(1.35), ExactLoss.huber(1.35));

  private final LossFunction loss;
  private final ExactLoss exact;

  LossCase(LossFunction loss, ExactLoss exact) {
    this.loss = loss;
    this.exact = exact;
  }

  public LossFunction loss() {
    return loss;
  }

  public ExactLoss exact() {
    return exact;
  }

  /** Whether derivatives of every order exist everywhere. */
  public boolean isSmooth() {
    return loss.isSelfConcordant();
  }

  /** A legal label. */
  public double label(SplittableRandom random) {
    return switch (this) {
      case PROPORTIONS -> random.nextInt(3) == 0 ? random.nextInt(2) : random.nextDouble();
      case SQUARED, HUBER -> Problem.gaussian(random) * Math.pow(10, random.nextInt(-3, 4));
      case POISSON -> random.nextInt(3) == 0 ? 3 * random.nextDouble() : random.nextInt(9);
      case GAMMA -> Math.pow(10, 6 * random.nextDouble() - 3);
      default -> random.nextInt(loss.classes());
    };
  }

  /** Outputs of every size: near 0, of order 1 and 10, and margins up to +-800; scales above 0. */
  public double[] outputs(SplittableRandom random) {
    double[] s = new double[loss.outputs()];
    int size = random.nextInt(5);
    for (int k = 0; k < loss.margins(); k++) {
      double z = Problem.gaussian(random);
      s[k] =
          switch (size == 4 ? random.nextInt(4) : size) {
            case 0 -> z * Math.pow(10, -20 * random.nextDouble());
            case 1 -> z;
            case 2 -> 10 * z;
            default -> 1600 * random.nextDouble() - 800;
          };
    }
    for (int k = loss.margins(); k < s.length; k++) {
      s[k] = Math.exp(12 * random.nextDouble() - 6);
    }
    return s;
  }

  /** How far, at least, every point where the Hessian jumps is from s, relative to a scale. */
  public double distanceToJump(double[] s, double label) {
    double distance = Double.POSITIVE_INFINITY;
    if (this == HUBER) {
      return Math.abs(Math.abs(s[0] - label) / s[1] - 1.35);
    }
    if (!isSmooth()) {
      boolean smoothed = this == SMOOTHED_HINGE || this == SMOOTHED_HINGE_VS_REST;
      for (int k = 0; k < s.length; k++) {
        double z = label == (s.length == 1 ? 1 : k) ? s[k] : -s[k];
        distance = Math.min(distance, Math.abs(z - (smoothed ? 1.5 : 1)));
        distance = Math.min(distance, smoothed ? Math.abs(z - 0.5) : distance);
      }
    }
    return distance;
  }
}

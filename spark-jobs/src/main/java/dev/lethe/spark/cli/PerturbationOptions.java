package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.job.PerturbedTraining;
import dev.lethe.spark.ml.TrainableLoss;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Training for the paper's certificate. */
final class PerturbationOptions {
  private static final String LOSS_PERTURBATION = "loss-perturbation";

  @Option(
      names = "--mechanism",
      paramLabel = "NAME",
      description =
          "loss-perturbation: add b'theta to the sum form, b ~ N(0, sigma^2 I) with sigma ="
              + " R sqrt(2 ln(1.5 / D)) / E, and penalise the intercept, as the paper does; for"
              + " comparison, --loss logistic only (default: none, unlearn adds noise to the output)")
  private @Nullable String mechanism;

  @Option(names = "--epsilon", paramLabel = "E", description = "With --mechanism: in (0, 1]")
  private @Nullable Double epsilon;

  @Option(names = "--delta", paramLabel = "D", description = "With --mechanism: in (0, 1)")
  private @Nullable Double delta;

  @Option(
      names = "--residual",
      paramLabel = "R",
      description =
          "With --mechanism: gradient norm that unlearn may leave, sum form: ||grad L_b||_2 <= R")
  private @Nullable Double residual;

  @Option(
      names = "--vault",
      paramLabel = "DIR",
      description = "With --mechanism: where the secret b goes; unlearn needs it")
  private @Nullable String vault;

  private boolean isGiven() {
    return mechanism != null
        || epsilon != null
        || delta != null
        || residual != null
        || vault != null;
  }

  /** Null where no perturbation is asked for. */
  @Nullable PerturbedTraining perturbation(
      @Nullable String like, TrainableLoss loss, double regParam) {
    if (!isGiven()) {
      return null;
    }
    if (mechanism == null || !mechanism.equals(LOSS_PERTURBATION)) {
      throw new InvalidInputException(
          mechanism == null
              ? "--epsilon, --delta, --residual and --vault need --mechanism loss-perturbation"
              : "--mechanism " + mechanism + ": allowed is " + LOSS_PERTURBATION);
    }
    if (epsilon == null || delta == null || residual == null || vault == null) {
      throw new InvalidInputException(
          "--mechanism loss-perturbation needs --epsilon, --delta, --residual and --vault");
    }
    if (like != null) {
      throw new InvalidInputException("--mechanism and --like exclude each other");
    }
    PerturbedTraining.requireFits(loss, regParam);
    return PerturbedTraining.calibrate(epsilon, delta, residual, vault);
  }
}

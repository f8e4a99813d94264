package dev.lethe.spark.api;

import java.util.Optional;
import org.apache.spark.ml.Transformer;

/**
 * What a retraining from scratch has reached: the comparator of a certificate.
 *
 * @param model the trained model; empty if the gradient norm that was asked for was not reached
 * @param parameters for each margin the coefficients, then the intercept where there is one; as far
 *     as they came
 * @param gradientNorm reached: the 2-norm of the objective's gradient over the total weight
 * @param roundingBound of the gradient, 2-norm, before the division by the total weight
 * @param rows that it was trained on
 */
@SuppressWarnings("ArrayRecordComponent") // copied on the way out
public record RetrainedModel(
    Optional<Transformer> model,
    double[] parameters,
    double gradientNorm,
    double roundingBound,
    long rows) {

  /** {@return a copy} */
  @Override
  public double[] parameters() {
    return parameters.clone();
  }
}

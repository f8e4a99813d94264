package dev.lethe.spark.certificate;

import java.util.ArrayList;
import java.util.List;

/**
 * What a release is about: the method, what the certificate covers and what not.
 *
 * @param method {@code first-order}, {@code second-order} or {@code refined}
 * @param covers what the guarantee extends to
 * @param notCovered what it does not extend to
 * @param zeroCoefficients slots that the request removed, strictly ascending
 * @param parameters number p of published parameters, the intercept included where there is one
 */
public record Scope(
    String method,
    List<String> covers,
    List<String> notCovered,
    List<Integer> zeroCoefficients,
    int parameters) {
  public Scope {
    covers = List.copyOf(covers);
    notCovered = List.copyOf(notCovered);
    zeroCoefficients = List.copyOf(zeroCoefficients);
  }

  /**
   * The scope of a release whose featurizer is kept as it was fitted on the original data.
   *
   * @param learnedStages every featurizer stage with learned state, as {@code class uid}
   */
  public static Scope frozenFeaturizer(
      String method, List<String> learnedStages, List<Integer> zeroCoefficients, int parameters) {
    List<String> notCovered = new ArrayList<>();
    for (String stage : learnedStages) {
      notCovered.add(
          "featurizer stage " + stage + ": its state was learned from the original data and kept");
    }
    notCovered.add("hyperparameters: kept, even if they were chosen on the original data");
    notCovered.add("earlier releases and copies of the old model");
    notCovered.add("joint observation of this and other releases");
    return new Scope(
        method,
        List.of(
            "one observer of this release alone",
            "the parameters of the model (coefficients and intercept)"),
        notCovered,
        zeroCoefficients,
        parameters);
  }
}

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
  private static final String PARAMETERS =
      "the parameters of the model (coefficients and intercept)";
  private static final String PARAMETERS_AND_SCALE =
      "the parameters of the model (coefficients, intercept and scale)";

  /** What a certificate covers besides, where the featurizer was fitted again. */
  public static final String REFITTED =
      "the featurizer's learned state: fitted again on the corrected data alone, published without"
          + " noise";

  public Scope {
    covers = List.copyOf(covers);
    notCovered = List.copyOf(notCovered);
    zeroCoefficients = List.copyOf(zeroCoefficients);
  }

  /**
   * The scope of a release whose featurizer is kept as it was fitted on the original data.
   *
   * @param learnedStages every stage with learned state, as {@code class uid}
   */
  public static Scope frozenFeaturizer(
      String method, List<String> learnedStages, List<Integer> zeroCoefficients, int parameters) {
    List<String> notCovered = new ArrayList<>();
    for (String stage : learnedStages) {
      notCovered.add(
          "featurizer stage " + stage + ": its state was learned from the original data and kept");
    }
    return of(method, List.of(), notCovered, zeroCoefficients, parameters);
  }

  /**
   * The scope of a release whose featurizer was fitted again on the corrected data.
   *
   * @param keptStages every stage with learned state that was not fitted again, as {@code class
   *     uid}
   */
  public static Scope refittedFeaturizer(
      String method, List<String> keptStages, List<Integer> zeroCoefficients, int parameters) {
    List<String> notCovered = new ArrayList<>();
    for (String stage : keptStages) {
      notCovered.add(
          "featurizer stage "
              + stage
              + ": not fitted again; its labels and their order, or its splits, are those of the old"
              + " model");
    }
    return of(method, List.of(REFITTED), notCovered, zeroCoefficients, parameters);
  }

  /**
   * The same, where a tuning chose the hyperparameters.
   *
   * @param tuning what did, as {@code class uid}
   */
  public Scope tunedBy(List<String> tuning) {
    List<String> more = new ArrayList<>(notCovered);
    for (String tuner : tuning) {
      more.add("hyperparameters chosen by " + tuner + ": it scored them on the original data");
    }
    return new Scope(method, covers, more, zeroCoefficients, parameters);
  }

  /** The same of a model that has a scale beside coefficients and intercept. */
  public Scope withScale() {
    List<String> more = new ArrayList<>(covers);
    more.replaceAll(covered -> covered.equals(PARAMETERS) ? PARAMETERS_AND_SCALE : covered);
    return new Scope(method, more, notCovered, zeroCoefficients, parameters);
  }

  private static Scope of(
      String method,
      List<String> moreCovered,
      List<String> notCovered,
      List<Integer> zeroCoefficients,
      int parameters) {
    List<String> covers = new ArrayList<>();
    covers.add("one observer of this release alone");
    covers.add(PARAMETERS);
    covers.addAll(moreCovered);
    notCovered.add("hyperparameters: kept, even if they were chosen on the original data");
    notCovered.add("earlier releases and copies of the old model");
    notCovered.add("joint observation of this and other releases");
    return new Scope(method, covers, notCovered, zeroCoefficients, parameters);
  }
}

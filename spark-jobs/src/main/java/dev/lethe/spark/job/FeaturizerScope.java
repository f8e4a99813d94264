package dev.lethe.spark.job;

import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Scope;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.featurizer.FeaturizerRefit;
import dev.lethe.spark.request.FeaturizerPolicy;
import java.util.List;

/** What a certificate covers, from the published model and what became of its featurizer. */
final class FeaturizerScope {
  private FeaturizerScope() {}

  /**
   * @param model the published one
   * @param zeroCoefficients slots that the request removed
   * @param parameters p
   */
  static Scope of(
      FeaturizerPolicy policy,
      LoadedModel model,
      String method,
      List<Integer> zeroCoefficients,
      int parameters) {
    Scope scope =
        policy == FeaturizerPolicy.REFIT
            ? Scope.refittedFeaturizer(
                method,
                FeaturizerRefit.kept(model.featurizer()).names(),
                zeroCoefficients,
                parameters)
            : Scope.frozenFeaturizer(method, model.learnedStages(), zeroCoefficients, parameters);
    Scope tuned = scope.tunedBy(model.featurizer().tuning());
    return model.linear().layout().scalars() > 0 ? tuned.withScale() : tuned;
  }

  /** Whether a certificate says of this model what it must say under a policy. */
  static boolean holds(FeaturizerPolicy policy, Certificate certificate, LoadedModel model) {
    Scope scope =
        of(
            policy,
            model,
            certificate.method(),
            certificate.zeroCoefficients(),
            certificate.parameters());
    return certificate.notCovered().equals(scope.notCovered())
        && (certificate.verdict() == Verdict.NOT_CERTIFIED
            || certificate.covers().equals(scope.covers()));
  }
}

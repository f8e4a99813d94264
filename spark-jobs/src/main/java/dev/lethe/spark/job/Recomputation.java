package dev.lethe.spark.job;

import dev.lethe.core.certify.DistanceBound;
import dev.lethe.core.certify.GammaRadiusNoise;
import dev.lethe.core.certify.GaussianNoise;
import dev.lethe.core.certify.NoiseTest;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.objective.Objective;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.Claim;
import dev.lethe.spark.certificate.DataDigest;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.Mechanism;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Perturbation;
import dev.lethe.spark.certificate.PerturbationClaim;
import dev.lethe.spark.certificate.Scope;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.data.Snapshots;
import dev.lethe.spark.featurizer.Featurizer;
import dev.lethe.spark.featurizer.FeaturizerRefit;
import dev.lethe.spark.featurizer.RemovedFeature;
import dev.lethe.spark.ml.LinearModel;
import dev.lethe.spark.request.CertificateTerms;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.Method;
import dev.lethe.spark.request.Request;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * The part of {@code lethe verify} that needs the vault and the data: what the evidence records is
 * computed again and compared, then the distance and the noise are proven again.
 */
final class Recomputation {
  /** The check that the corrected data are those of the evidence. */
  static final String CORRECTED_DATA = "corrected data digest";

  private static final String EVIDENCE = "evidence is of this certificate";
  private static final String ORIGINAL_MODEL = "original model digest";
  private static final String STAGES = "stages and params are the original's";
  private static final String REQUEST = "request digest";

  private static final String REFITTED = "featurizer was fitted to the corrected data";
  private static final String REMOVED_ROWS = "no removed row is left";
  private static final String CONSTANTS = "constants that are set are in the table";
  private static final String ALIKE = "published stages featurise alike";
  private static final String ORIGINAL_DATA = "original data digest";
  private static final String DIFFERENCES = "rows that differ between the tables";
  private static final String OBJECTIVE = "objective";
  private static final String FIXED = "coordinates held at zero";
  private static final String GRADIENT = "gradient norm as recorded";
  private static final String RESIDUAL = "residual is at most r";
  private static final String DISTANCE = "distance to the minimiser";
  private static final String BOUND = "distance bound as recorded";

  /** Checks that other data than those of the evidence may fail; all others hold of any. */
  static final Set<String> OF_DATA =
      Set.of(
          CORRECTED_DATA,
          REFITTED,
          REMOVED_ROWS,
          CONSTANTS,
          ALIKE,
          ORIGINAL_DATA,
          DIFFERENCES,
          OBJECTIVE,
          FIXED,
          GRADIENT,
          RESIDUAL,
          DISTANCE,
          BOUND);

  /** Where the corrected table is all that is given. */
  private static final Request NO_REQUEST =
      new Request("none", List.of(), null, Method.REFINED, null);

  private final SparkSession spark;
  private final Certificate certificate;
  private final LoadedModel published;
  private final Verification.Confidential given;
  private final Progress progress;
  private final VaultKey key;
  private final Evidence evidence;
  private final List<Check> checks = new ArrayList<>();

  /**
   * @param published a model whose digest is the certificate's
   */
  Recomputation(
      SparkSession spark,
      Certificate certificate,
      LoadedModel published,
      Verification.Confidential given,
      Progress progress) {
    this.spark = spark;
    this.certificate = certificate;
    this.published = published;
    this.given = given;
    this.progress = progress;
    key = given.key();
    evidence = given.evidence();
  }

  /** All checks; reads the data. */
  List<Check> run() {
    check(
        EVIDENCE,
        Evidence.Digests.ofCertificate(certificate, key).equals(evidence.digests().certificate())
            && evidence.certificateId().equals(certificate.certificateId())
            && evidence.requestId().equals(certificate.requestId())
            && evidence.method().equals(certificate.method())
            && (certificate.rho() == null
                || certificate.rho().equals(evidence.measurement().rho())),
        "keyed digest of the certificate; request, method and rho");
    Request request = given.request();
    boolean refit =
        request == null
            ? certificate.covers().contains(Scope.REFITTED)
            : request.featurizer() == FeaturizerPolicy.REFIT;
    // Where the old model is at hand, it says what the features and the objective are, unless the
    // featurizer is another.
    LoadedModel reference = published;
    if (given.original() != null) {
      compare(given.original(), refit ? request : null);
      reference = refit ? published : given.original();
    }
    if (given.secret() != null) {
      secret(given.secret());
    }
    data(reference, label(reference), request, refit);
    noise();
    return checks;
  }

  private String label(LoadedModel model) {
    return model.tableLabel(
        given.label() == null ? evidence.inputs().labelColumn() : given.label());
  }

  private void check(String name, boolean passed, String detail) {
    checks.add(new Check(name, passed, detail));
  }

  /** That b is the certificate's, was drawn from its law, and used for this release alone. */
  private void secret(Verification.Secret secret) {
    Perturbation perturbation = secret.perturbation();
    PerturbationClaim claim = certificate.perturbation();
    check(
        "b is the certificate's",
        claim != null
            && perturbation.epsilon() == claim.epsilon()
            && perturbation.delta() == claim.delta()
            && perturbation.residual() == claim.residual()
            && perturbation.sigma() == claim.sigma(),
        "epsilon, delta, r and sigma of the vault");
    check(
        "b was used for this release",
        certificate.certificateId().equals(secret.release()),
        "the vault records " + secret.release());
    double[] b = perturbation.b();
    NoiseTest test =
        new GaussianNoise(perturbation.sigma())
            .test(
                b,
                new double[b.length],
                new boolean[b.length],
                NoiseTest.DEFAULT_FALSE_REJECTION_RATE);
    check(
        "b is N(0, sigma^2 I)",
        test.passed(),
        format(
            "%d coordinates; p-values %.2g (radius), %.2g (maximum), %.2g (mean), %.2g"
                + " (distribution)",
            test.count(), test.radius(), test.maximum(), test.mean(), test.distribution()));
  }

  /**
   * The model before unlearning: what was published must differ from it in the parameters only, and
   * in what a refit fits.
   *
   * @param refit the request, if it fits the featurizer again
   */
  private void compare(LoadedModel original, @Nullable Request refit) {
    ModelDigest recorded = evidence.digests().model();
    ModelDigest digest =
        recorded.algorithm().equals(ModelDigest.OF_PARAMETERS)
            ? original.parametersDigest()
            : original.digest(spark);
    check(
        ORIGINAL_MODEL,
        digest.equals(recorded),
        "evidence " + recorded.value() + ", model " + digest.value());
    List<String> differences =
        refit == null
            ? published.featurizer().differences(original.featurizer())
            : refitDifferences(original, refit);
    check(
        STAGES,
        differences.isEmpty(),
        differences.isEmpty()
            ? "all but the parameters and what a FeatureHasher no longer reads"
            : String.join(", ", differences));
  }

  private List<String> refitDifferences(LoadedModel original, Request request) {
    List<RemovedFeature> named = RequestedChange.removedFeatures(request, given.requestName());
    FeatureChange features =
        FeatureChange.of(
            original,
            RequestedChange.asFeaturized(
                request, original, given.tables().tables().get(0).read(spark)),
            named,
            given.earlier().removedSlots(),
            label(original),
            place());
    return RefitChange.of(original, features, named, given.requestName())
        .differences(published.featurizer());
  }

  /** That the published stages learned what a fit to the corrected rows learns. */
  private void refit(Dataset<Row> corrected) {
    progress.phase("fitting the featurizer again");
    List<String> others =
        SparkFailures.sanitized(
            place(),
            () ->
                FeaturizerRefit.of(published.featurizer(), List.of(), published.path())
                    .disagreements(corrected, given.partitions(), place()));
    check(
        REFITTED,
        others.isEmpty(),
        others.isEmpty()
            ? "every stage that was fitted again learned the same, up to rounding"
            : String.join(", ", others) + " learned something else");
  }

  /** Digests and measurements on the corrected data, as the reference model featurises it. */
  private void data(LoadedModel reference, String label, @Nullable Request request, boolean refit) {
    if (request != null) {
      request(request);
    }
    CorrectedRows rows =
        CorrectedRows.of(
            spark,
            given.tables(),
            request == null ? NO_REQUEST : request,
            given.requestName(),
            reference,
            label);
    BitSet zero = EarlierRelease.slots(certificate);
    BitSet earlier = new BitSet();
    IntStream.of(evidence.removedEarlier()).forEach(earlier::set);
    List<RemovedFeature> removed = request == null ? List.of() : features(reference, request);
    // without the request it is not known which of them it removed
    BitSet left = request == null ? zero : earlier;
    if (reference != published) {
      left.or(given.earlier().removedSlots()); // whatever the evidence says
    }
    Dataset<Row> corrected =
        refit
            ? FeaturizerRefit.withoutCategories(reference.featurizer(), rows.corrected())
            : rows.corrected();
    FeatureChange change = FeatureChange.of(reference, corrected, removed, left, label, place());
    if (request != null) {
      removal(reference, change, zero);
      if (given.tables() instanceof GivenTables.Snapshots
          || given.tables() instanceof GivenTables.Corrected) {
        Corrections.Corrected found =
            SparkFailures.sanitized(place(), () -> rows.corrections().checkCorrected(corrected));
        check(
            REMOVED_ROWS,
            found.left().isEmpty(),
            "conditions of removeRows on the corrected table");
        check(
            CONSTANTS,
            found.different().isEmpty(),
            "conditions of the other changes on the corrected table");
      }
    }
    if (evidence.rowChanges() != null) {
      differences(rows, evidence.rowChanges());
    }
    if (refit) {
      refit(corrected);
    }
    ExampleTable.Columns columns = reference.columns(label);
    try (CorrectedProblem problem =
        CorrectedProblem.open(
            change.featurized(corrected),
            columns,
            reference.linear(),
            zero,
            given.secret() == null ? null : given.secret().perturbation().b(),
            certificate.rho() == null ? ModelUpdate.DEFAULT_RHO : certificate.rho(),
            given.partitions(),
            progress,
            place())) {
      DataDigest recorded = evidence.digests().correctedData();
      DataDigest read =
          recorded == null && reference == published
              ? null
              : DataDigest.of(problem.examples().blocks(), published.linear().features(), key);
      if (recorded != null) {
        check(CORRECTED_DATA, recorded.equals(read), "keyed digest over all corrected examples");
      }
      if (reference != published) {
        check(
            ALIKE,
            digest(
                    Featurizer.transform(
                        published.featurizer().stages(), change.withoutRemoved(corrected)),
                    columns,
                    zero)
                .equals(read),
            "the same digest through the published model's own stages");
      }
      DataDigest original = evidence.digests().data();
      Dataset<Row> before = rows.original();
      if (before != null && original != null) {
        Dataset<Row> featurized =
            FeatureChange.of(reference, before, removed, left, label, place())
                .originalAsPublished(before);
        check(
            ORIGINAL_DATA,
            digest(featurized, columns, new BitSet()).equals(original),
            "keyed digest over all original examples");
      }
      measure(reference.linear(), problem);
    }
  }

  private String place() {
    return given.tables().name();
  }

  private DataDigest digest(Dataset<Row> featurized, ExampleTable.Columns columns, BitSet removed) {
    int features = published.linear().features();
    return SparkFailures.sanitized(
        place(),
        () ->
            DataDigest.of(
                ExampleTable.blocks(ExampleTable.examples(featurized, columns), features, removed),
                features,
                key));
  }

  private void request(Request request) {
    check(
        REQUEST,
        Evidence.Digests.ofRequest(request.canonicalBytes(), key)
            .equals(evidence.digests().request()),
        "keyed digest of the request");
    CertificateTerms terms = request.certificate();
    check(
        "terms are the request's",
        certificate.requestId().equals(request.id())
            && certificate.method().equals(request.method().word())
            && (certificate.verdict() != Verdict.CERTIFIED
                || (terms != null
                    && terms.epsilon() == Verification.figure(certificate.epsilon())
                    && isDelta(terms.delta())
                    && terms.rho() == Verification.figure(certificate.rho()))),
        "id, method, epsilon, delta, rho");
    check(
        "featurizer policy is the request's",
        FeaturizerScope.holds(request.featurizer(), certificate, published)
            && (request.featurizer() != FeaturizerPolicy.FORBID
                || published.learnedStages().isEmpty()),
        request.featurizer().word());
  }

  /** Of pure noise the certificate's delta is what the sampler costs; the request's is 0. */
  private boolean isDelta(double requested) {
    return certificate.mechanism() == Mechanism.GAMMA_RADIUS_OUTPUT_NOISE
        ? requested == 0
        : requested == Verification.figure(certificate.delta());
  }

  /**
   * The features that the request names and the reference still reads: a FeatureHasher of the
   * published model reads a removed column no more.
   */
  private List<RemovedFeature> features(LoadedModel reference, Request request) {
    Set<String> known = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    known.addAll(reference.featurizer().readColumns());
    known.add(reference.linear().featuresColumn());
    return RequestedChange.removedFeatures(request, given.requestName()).stream()
        .filter(feature -> reference != published || known.contains(feature.column()))
        .toList();
  }

  /**
   * That the zero coefficients are the slots which stem from the removed features alone, and those
   * that earlier releases removed.
   */
  private void removal(LoadedModel reference, FeatureChange change, BitSet zero) {
    BitSet kept = change.removedSlots();
    kept.andNot(zero);
    BitSet more = (BitSet) zero.clone();
    more.andNot(change.removedSlots());
    // A published hasher that reads the column no more does not tell which slots were its alone.
    boolean hashed =
        reference == published
            && reference.featurizer().stages().stream()
                .anyMatch(stage -> stage instanceof FeatureHasher);
    check(
        "removed features have left the model",
        kept.isEmpty() && (more.isEmpty() || hashed),
        kept.cardinality()
            + " of their slots are not among the zero coefficients, "
            + more.cardinality()
            + " others are; "
            + evidence.removedEarlier().length
            + " were removed earlier");
  }

  /** That a join by key finds what it found when the model was made. */
  private void differences(CorrectedRows rows, Evidence.RowChanges recorded) {
    Snapshots.Difference found = SparkFailures.sanitized(place(), rows::difference);
    if (found != null) {
      check(
          DIFFERENCES,
          recorded.equals(ReleaseDocuments.rowChanges(found)),
          found.added()
              + " added, "
              + found.removed()
              + " removed, "
              + found.changed()
              + " changed");
    }
  }

  private void measure(LinearModel model, CorrectedProblem problem) {
    Objective objective = problem.objective();
    Evidence.Objective stated = evidence.objective();
    check(
        OBJECTIVE,
        stated.n() == problem.statistics().rows()
            && stated.p() == objective.size()
            && Math.abs(stated.totalWeight() - problem.statistics().totalWeight())
                <= 1e-12 * stated.totalWeight(),
        stated.n() + " rows, " + stated.p() + " parameters");
    check(
        "hyperparameters",
        stated.loss().equals(model.loss().name())
            && stated.lambdaRule().equals(CorrectedProblem.lambdaRule(model))
            && stated.regParam() == model.regParam()
            && stated.standardization() == model.standardization()
            && stated.fitIntercept() == model.fitIntercept()
            && stated.d() == model.features(),
        "regParam " + model.regParam() + ", standardization " + model.standardization());
    boolean sameFixed = Arrays.equals(problem.fixedCoordinates(), evidence.fixedCoordinates());
    check(FIXED, sameFixed, evidence.fixedCoordinates().length + " removed or constant");
    if (stated.p() != objective.size() || !sameFixed) {
      return;
    }
    progress.phase("measuring the gradient");
    Objective.Measured measured =
        SparkFailures.sanitized(place(), () -> objective.evaluate(evidence.unnoisedParameters()));
    double norm = Vectors.norm(measured.gradient());
    double rounding = Vectors.norm(measured.measurement().gradientError());
    Evidence.Measurement recorded = evidence.measurement();
    // Both norms are within their bounds of the exact one. Another number of partitions changes
    // the bound of a measurement by less than a factor 2.
    check(
        GRADIENT,
        Math.abs(norm - recorded.gradientNorm()) <= rounding + recorded.roundingBound()
            && (recorded.isBounded()
                || (recorded.roundingBound() <= 2 * rounding
                    && rounding <= 2 * recorded.roundingBound())),
        format(
            "%.3e, recorded %.3e; rounding %.1e, recorded %.1e",
            norm, recorded.gradientNorm(), rounding, recorded.roundingBound()));
    if (given.secret() != null) {
      double r = given.secret().perturbation().residual();
      double residual = measured.measurement().residualBound();
      check(RESIDUAL, residual <= r, format("%.3e <= r = %s", residual, r));
    }
    distance(objective, measured, norm + rounding);
  }

  private void distance(Objective objective, Objective.Measured measured, double gradient) {
    Evidence.Measurement recorded = evidence.measurement();
    @Nullable Double stated = recorded.distanceBound();
    if (certificate.verdict() != Verdict.CERTIFIED && stated == null) {
      return;
    }
    DistanceBound bound =
        SparkFailures.sanitized(
            place(),
            () ->
                recorded.isBounded()
                    ? objective.proveByHessian(objective.withHessian(measured))
                    : objective.prove(measured));
    if (!(bound instanceof DistanceBound.Proven proven)) {
      check(DISTANCE, false, bound.statement());
      return;
    }
    if (certificate.verdict() == Verdict.CERTIFIED) {
      double rho = Verification.figure(certificate.rho());
      check(DISTANCE, proven.distance() <= rho, format("%.3e <= rho = %s", proven.distance(), rho));
    }
    if (recorded.isBounded()) {
      // What was bounded without the data is at least what they show, but for a factor 2 of the
      // rounding bounds and what the eigenvalue's bisection leaves.
      check(
          BOUND,
          stated != null && proven.distance() <= 2.1 * stated,
          format("%.3e measured, recorded as bounded %.3e", proven.distance(), stated));
      return;
    }
    // The bound is proportional to the gradient plus its rounding, and to 1 / (1 - q) in [1, 2].
    double ratio = gradient / (recorded.gradientNorm() + recorded.roundingBound());
    double slack = 2.1 * Math.max(ratio, 1 / ratio);
    check(
        BOUND,
        stated != null
            && proven.rule().mayBeRecordedAs(recorded.distanceRule())
            && proven.distance() <= slack * stated
            && stated <= slack * proven.distance(),
        format("%.3e, recorded %.3e; %s", proven.distance(), stated, recorded.distanceRule()));
  }

  private void noise() {
    double[] theta = published.linear().parameters();
    double[] unnoised = evidence.unnoisedParameters();
    @Nullable Claim claim = certificate.claim();
    if (theta.length != unnoised.length) {
      check(
          "un-noised parameters",
          false,
          "the evidence has " + unnoised.length + ", the model " + theta.length);
      return;
    }
    if (claim == null) {
      check("no noise", Arrays.equals(theta, unnoised), "published as they were computed");
      return;
    }
    boolean[] fixed = new boolean[theta.length];
    boolean zero = true;
    for (int j : evidence.fixedCoordinates()) {
      fixed[j] = true;
      zero &= theta[j] == 0;
    }
    int noisy = theta.length - evidence.fixedCoordinates().length;
    String law = "noise is N(0, sigma^2 I)";
    if (claim.noise() instanceof GammaRadiusNoise gamma) {
      law = "noise is of density exp(-||z|| / scale)";
      if (gamma.coordinates() != noisy) {
        check(law, false, noisy + " parameters carry noise, not " + gamma.coordinates());
        return;
      }
    }
    NoiseTest test =
        claim.noise().test(theta, unnoised, fixed, NoiseTest.DEFAULT_FALSE_REJECTION_RATE);
    check(
        law,
        test.passed() && zero,
        format(
            "%d coordinates; p-values %.2g (radius), %.2g (maximum), %.2g (mean), %.2g"
                + " (distribution); the others %s",
            test.count(),
            test.radius(),
            test.maximum(),
            test.mean(),
            test.distribution(),
            zero ? "are 0" : "are NOT 0"));
  }

  private static String format(String pattern, @Nullable Object... arguments) {
    return String.format(Locale.ROOT, pattern, arguments);
  }
}

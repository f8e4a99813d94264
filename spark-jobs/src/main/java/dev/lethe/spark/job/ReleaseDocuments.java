package dev.lethe.spark.job;

import dev.lethe.core.certify.LossPerturbation;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.objective.KeptSums;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.Preconditioning;
import dev.lethe.core.unlearn.AprioriBound;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Claim;
import dev.lethe.spark.certificate.DataDigest;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Reason;
import dev.lethe.spark.certificate.Scope;
import dev.lethe.spark.certificate.Software;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.data.Snapshots;
import dev.lethe.spark.data.Table;
import dev.lethe.spark.ml.LinearModel;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.Request;
import java.time.Instant;
import java.util.BitSet;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.jspecify.annotations.Nullable;

/**
 * Words the certificate and the evidence of one release.
 *
 * @param digests of the examples; null to take them of the problem's and of the original rows
 */
record ReleaseDocuments(
    ModelCorrection correction,
    CorrectedProblem problem,
    RequestedChange change,
    Snapshots.@Nullable Difference difference,
    String label,
    UnlearningResult unlearning,
    @Nullable ExampleDigests digests,
    Progress progress,
    @Nullable KeptSums followed) {

  /**
   * The state for the next request: the sums that followed the data, or, by one pass, those at the
   * un-noised parameters.
   *
   * @return empty where none can be kept
   */
  Optional<KeptState> state() {
    Request inForce = change.request();
    if (correction.tables() instanceof GivenTables.Corrected) {
      inForce = KeptState.part(inForce, 0, 0);
    } else if (!(correction.tables() instanceof GivenTables.Original)) {
      return Optional.empty();
    }
    Objective objective = problem.objective();
    if (!objective.canKeepSums()
        || correction.perturbation() != null
        || change.request().featurizer() == FeaturizerPolicy.REFIT
        || !model().featurizer().mapsRowsByThemselves()
        || !correction.isSameTable()) {
      return Optional.empty();
    }
    progress.phase("the state to keep");
    KeptSums sums = followed;
    if (sums == null) {
      double[] theta = unlearning.end().point();
      sums =
          SparkFailures.sanitized(
              correction.place(),
              () -> KeptSums.of(problem.examples().sums(), objective.at(theta)));
    }
    return Optional.of(
        KeptState.of(
            Objects.requireNonNull(Objects.requireNonNull(correction.state()).table()),
            inForce,
            problem.removed(),
            sums));
  }

  Certificate certified(Claim claim, ModelDigest digest) {
    return Certificate.certified(
        Certificate.newId(),
        change.request().id(),
        Instant.now(),
        claim,
        scope(),
        digest,
        Software.running(BuildInfo.version(), correction.spark().version()));
  }

  Certificate conditional(LossPerturbation perturbation, ModelDigest digest) {
    return Certificate.conditional(
        Certificate.newId(),
        change.request().id(),
        Instant.now(),
        perturbation,
        scope(),
        digest,
        Software.running(BuildInfo.version(), correction.spark().version()));
  }

  Certificate notCertified(Reason reason, ModelDigest digest) {
    return Certificate.notCertified(
        Certificate.newId(),
        change.request().id(),
        Instant.now(),
        reason,
        scope(),
        digest,
        Software.running(BuildInfo.version(), correction.spark().version()));
  }

  /** The model with the featurizer that is published. */
  private LoadedModel model() {
    return change.model();
  }

  private Scope scope() {
    return FeaturizerScope.of(
        change.request().featurizer(),
        model(),
        change.request().method().word(),
        problem.removed().stream().boxed().toList(),
        problem.objective().size());
  }

  /**
   * The evidence; one or two passes for the digests.
   *
   * @param seconds that the release has taken
   */
  Evidence evidence(
      Certificate certificate,
      VaultKey key,
      Evidence.@Nullable Metrics before,
      Evidence.@Nullable Metrics after,
      double seconds) {
    Request request = change.request();
    LinearModel linear = model().linear();
    Objective objective = problem.objective();
    Objective.Measured end = unlearning.end();
    ExampleDigests.Both examples = digests == null ? digests(key) : digests.under(key);
    return new Evidence(
        Evidence.SCHEMA_VERSION,
        certificate.certificateId(),
        request.id(),
        Evidence.Digests.of(
            Evidence.Digests.ofRequest(request.canonicalBytes(), key),
            Evidence.Digests.ofCertificate(certificate, key),
            correction.model().digest(correction.spark()),
            examples.original(),
            examples.corrected()),
        new Evidence.Objective(
            linear.loss().name(),
            CorrectedProblem.lambdaRule(linear),
            linear.regParam(),
            linear.standardization(),
            linear.fitIntercept(),
            problem.statistics().rows(),
            linear.features(),
            objective.size(),
            problem.statistics().totalWeight()),
        request.method().word(),
        solver(),
        end.point(),
        problem.fixedCoordinates(),
        change.removedEarlier().stream().toArray(),
        apriori(unlearning.apriori()),
        new Evidence.Measurement(
            Vectors.norm(end.gradient()),
            Vectors.norm(end.measurement().gradientError()),
            unlearning.distance().isPresent() ? unlearning.distance().getAsDouble() : null,
            unlearning.bound().statement(),
            request.certificate() == null ? null : request.certificate().rho(),
            problem.isRead() ? Evidence.Measurement.MEASURED : Evidence.Measurement.BOUNDED),
        unlearning.steps().stream().map(ReleaseDocuments::step).toList(),
        new Evidence.Totals(objective.passes(), objective.hessianVectorProducts(), seconds),
        before,
        after,
        rowChanges(difference),
        inputs());
  }

  /** The solver, and what better preconditioner it has made, if any. */
  private String solver() {
    LinearSolver solver = problem.solver(correction.solver());
    Preconditioning made = problem.objective().preconditioning();
    String words = made == Preconditioning.JACOBI ? solver.toString() : solver + ", " + made;
    return words.toLowerCase(Locale.ROOT);
  }

  /** What a join by key found, as the evidence words it. */
  static Evidence.@Nullable RowChanges rowChanges(Snapshots.@Nullable Difference difference) {
    return difference == null
        ? null
        : new Evidence.RowChanges(difference.added(), difference.removed(), difference.changed());
  }

  private Evidence.Inputs inputs() {
    @Nullable String data = null;
    @Nullable String corrected = null;
    Evidence.@Nullable Join join = null;
    GivenTables given = correction.tables();
    Table first = given.tables().get(0);
    if (given instanceof GivenTables.Corrected) {
      corrected = first.path();
    } else {
      data = first.path();
    }
    if (given instanceof GivenTables.Snapshots tables) {
      Table second = tables.corrected();
      corrected = second.path();
      join = new Evidence.Join(tables.key(), null, second.format(), second.options());
    } else if (given instanceof GivenTables.Overwritten tables) {
      Table second = tables.corrections();
      join = new Evidence.Join(tables.key(), second.path(), second.format(), second.options());
    }
    return new Evidence.Inputs(
        correction.model().path(),
        data,
        corrected,
        first.format(),
        first.options(),
        join,
        label,
        model().linear().weightColumn(),
        problem.isRead()
            ? problem.examples().partitions()
            : change.corrected().javaRDD().getNumPartitions(),
        problem.isRead() ? storage() : null);
  }

  private Map<String, Long> storage() {
    correction.spark().sparkContext().setJobDescription(progress.description() + ": storage");
    try {
      return SparkFailures.sanitized(correction.place(), () -> problem.examples().storage());
    } finally {
      correction.spark().sparkContext().setJobDescription(null);
    }
  }

  private static Evidence.AprioriBounds apriori(AprioriBound bound) {
    return new Evidence.AprioriBounds(
        Double.isFinite(bound.dataNorm()) ? bound.dataNorm() : null,
        bound.residual().isPresent() ? bound.residual().getAsDouble() : null,
        bound.rule());
  }

  private static Evidence.Step step(UnlearningResult.Step step) {
    return new Evidence.Step(
        step.step(),
        step.gradientNorm(),
        step.distance().isPresent() ? step.distance().getAsDouble() : null,
        step.products(),
        step.passes(),
        step.seconds());
  }

  private ExampleDigests.Both digests(VaultKey key) {
    if (!problem.isRead()) {
      return new ExampleDigests.Both(null, null);
    }
    Dataset<Row> rows = change.originalAsPublished();
    return new ExampleDigests.Both(
        rows == null
            ? null
            : digest(
                () ->
                    DataDigest.of(
                        ExampleTable.blocks(
                            ExampleTable.examples(rows, model().columns(label)),
                            model().linear().features(),
                            new BitSet()),
                        model().linear().features(),
                        key)),
        // a block that was lost has been read again: it must be what was learned from
        digest(
            () ->
                DataDigest.of(
                    problem.examples().blocks(),
                    model().linear().features(),
                    key,
                    problem.statistics())));
  }

  private DataDigest digest(Supplier<DataDigest> pass) {
    progress.phase("keyed digest of the data");
    correction.spark().sparkContext().setJobDescription(progress.description());
    try {
      return SparkFailures.sanitized(correction.place(), pass);
    } finally {
      correction.spark().sparkContext().setJobDescription(null);
    }
  }
}

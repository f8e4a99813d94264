package dev.lethe.spark.job;

import dev.lethe.core.certify.DistanceBound;
import dev.lethe.core.certify.OutputMechanism;
import dev.lethe.core.certify.OutputNoise;
import dev.lethe.core.certify.PublicationGrid;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Claim;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Perturbation;
import dev.lethe.spark.certificate.Reason;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.request.CertificateTerms;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.Method;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe unlearn}: changes a saved model as if it had been trained on the corrected data.
 *
 * <ol>
 *   <li>check the request, the model, the table and the places to write to;
 *   <li>fit the featurizer again, if the request says so;
 *   <li>read the corrected rows into blocks, one pass;
 *   <li>update the parameters until their distance to the minimiser on the corrected data is proven
 *       to be at most rho;
 *   <li>add noise, and publish model and certificate; the evidence goes into the vault.
 * </ol>
 *
 * <p>A model that was trained with loss perturbation is updated until its residual is proven to be
 * at most r, and published without noise.
 */
public final class UnlearnJob {
  private final UnlearnOptions options;
  private final SparkSession spark;

  public UnlearnJob(UnlearnOptions options, SparkSession spark) {
    this.options = options;
    this.spark = spark;
  }

  /**
   * Everything that the job found; confidential but for the certificate.
   *
   * @param notes what the operator should know: sentences without figures of the data
   */
  public record Result(
      Certificate certificate,
      Evidence evidence,
      UnlearningResult unlearning,
      double[] published,
      List<String> notes) {}

  /**
   * Runs the job.
   *
   * @throws InvalidInputException if something given cannot be used; nothing is written then
   */
  public Result run() throws IOException {
    long begin = System.nanoTime();
    Request request = options.request().read(spark);
    String id = options.request().id();
    if (id != null && !id.equals(request.id())) {
      throw new InvalidInputException(
          "--id " + id + ": a single request has its own id, here " + request.id());
    }
    Progress progress = Progress.onTerminal("Lethe unlearn " + request.id());
    try (Release release = Release.open(spark, options.out(), options.vault(), options.sources())) {
      LoadedModel given = LoadedModel.load(spark, "--model", options.model());
      String label = given.tableLabel(options.label());
      EarlierRelease earlier =
          EarlierRelease.of(spark, options.model(), options.modelCertificate());
      @Nullable Perturbation perturbation = perturbation(release, given, request);
      RequestedChange requested =
          RequestedChange.of(
              spark,
              request,
              options.request().toString(),
              given,
              earlier.removedSlots(),
              options.tables(),
              label);
      double[] kept = kept(given, requested);
      requireGridFits(request.certificate(), kept, noisy(given, requested));
      CorrectedRows.Found found = requested.inspect(progress, options.place());
      List<String> notes = notes(earlier, found.unchecked());
      Evidence.@Nullable Metrics before = metrics(given, label);
      RequestedChange change = requested.refitted(progress, options.partitions(), options.place());
      LoadedModel model = change.model();
      ExampleTable.Columns columns = model.columns(label);
      try (CorrectedProblem problem =
          CorrectedProblem.open(
              change.corrected(),
              columns,
              model.linear(),
              change.removedSlots(),
              perturbation == null ? null : perturbation.b(),
              ModelUpdate.rho(request),
              options.partitions(),
              progress,
              options.place())) {
        UnlearningResult unlearning =
            new ModelUpdate(options, problem, change, columns, model, perturbation, progress).run();
        requireResidual(perturbation, request, unlearning);
        ReleaseDocuments documents =
            new ReleaseDocuments(
                spark,
                options,
                problem,
                change,
                found.difference(),
                model,
                label,
                unlearning,
                progress);
        progress.phase("publishing");
        return publish(release, documents, perturbation, before, notes, begin);
      }
    }
  }

  /** The perturbation of the model's loss; null for an ordinary model. */
  private @Nullable Perturbation perturbation(Release release, LoadedModel model, Request request) {
    if (!model.linear().isPerturbed()) {
      return null;
    }
    if (request.certificate() != null) {
      throw new InvalidInputException(
          options.request()
              + ": certificate: the model was trained with loss perturbation, so epsilon, delta and"
              + " the residual were fixed then, and no output noise is added; leave out the key");
    }
    if (request.featurizer() == FeaturizerPolicy.REFIT) {
      throw new InvalidInputException(
          options.request()
              + ": featurizer: refit changes which parameter each coordinate of the model's loss"
              + " perturbation belongs to; allowed for such a model are frozen and forbid");
    }
    return release.perturbation(
        ModelDigest.of(spark.sparkContext().hadoopConfiguration(), options.model()));
  }

  /** Refuses to publish what its mechanism does not cover, so that b is not used up for nothing. */
  private void requireResidual(
      @Nullable Perturbation perturbation, Request request, UnlearningResult unlearning) {
    if (perturbation == null
        || unlearning.end().measurement().residualBound() <= perturbation.residual()) {
      return;
    }
    String remedy =
        request.method() != Method.REFINED
            ? "one step is not repeated; use method: refined"
            : unlearning.outcome() == UnlearningResult.Outcome.ROUNDING_LIMITED
                ? "rounding allows no less; train with a larger --residual"
                : "raise --max-steps or --max-cg-iterations, or try --solver cholesky";
    throw new InvalidInputException(
        options.request()
            + ": the residual on the corrected data was not brought to r = "
            + perturbation.residual()
            + ", that of the model's training, so nothing was published and b is not used up: "
            + remedy);
  }

  private static List<String> notes(EarlierRelease earlier, List<String> uncheckedConditions) {
    List<String> notes = new ArrayList<>();
    if (earlier.note() != null) {
      notes.add(earlier.note());
    }
    for (String place : uncheckedConditions) {
      notes.add(
          place
              + " was not checked on the corrected table: it lacks a column that the condition"
              + " reads, or the request sets one");
    }
    return notes;
  }

  /** The coordinates that carry noise, as far as the request tells before the data are read. */
  private static int noisy(LoadedModel model, RequestedChange change) {
    ParameterLayout layout = model.linear().layout();
    return layout.size() - layout.margins() * change.removedSlots().cardinality();
  }

  /** The old parameters without those that leave. */
  private static double[] kept(LoadedModel model, RequestedChange change) {
    return model.linear().layout().without(change.removedSlots(), model.linear().parameters());
  }

  /**
   * Refuses terms whose noise the grid of the published parameters would not hide, before any pass.
   */
  private void requireGridFits(@Nullable CertificateTerms terms, double[] theta, int noisy) {
    if (terms == null) {
      return;
    }
    double deviation = mechanism(terms, theta.length, noisy).noise().deviation();
    double largest = Vectors.maxAbs(theta);
    if (!(deviation >= PublicationGrid.SMALLEST_SIGMA
        && PublicationGrid.of(deviation).fits(largest))) {
      throw new InvalidInputException(
          options.request()
              + ": certificate.rho = "
              + terms.rho()
              + ": its noise, sigma = "
              + deviation
              + ", is below 100 steps of the grid that hides the last bits of a published double."
              + " The smallest rho for this epsilon, delta and model is "
              + PublicationGrid.smallestRho(deviation / terms.rho(), largest));
    }
  }

  /**
   * @param noisy how many parameters get noise
   */
  private OutputMechanism mechanism(CertificateTerms terms, int parameters, int noisy) {
    try {
      return OutputMechanism.calibrate(
          terms.epsilon(), terms.delta(), terms.rho(), parameters, noisy);
    } catch (IllegalArgumentException e) {
      throw new InvalidInputException(options.request() + ": certificate: " + e.getMessage(), e);
    }
  }

  private Evidence.@Nullable Metrics metrics(LoadedModel model, String label) {
    return options.test() == null ? null : TestMetrics.of(spark, model, label, options.test());
  }

  private Result publish(
      Release release,
      ReleaseDocuments documents,
      @Nullable Perturbation perturbation,
      Evidence.@Nullable Metrics before,
      List<String> notes,
      long begin)
      throws IOException {
    UnlearningResult unlearning = documents.unlearning();
    LoadedModel model = documents.model();
    Request request = documents.change().request();
    CertificateTerms terms = request.certificate();
    double[] theta = unlearning.end().point();
    double[] published = theta;
    Claim claim = null;
    if (terms != null && unlearning.outcome() == UnlearningResult.Outcome.WITHIN_RHO) {
      int noisy = theta.length - documents.problem().fixedCoordinates().length;
      requireGridFits(terms, theta, noisy);
      OutputMechanism mechanism = mechanism(terms, theta.length, noisy);
      OutputNoise noise = mechanism.noise();
      PublicationGrid grid = noise.grid();
      published =
          noise.publish(
              theta, documents.problem().objective().fixed(), grid, OutputNoise.cryptographic());
      // of pure noise, what the sampler costs; of Gaussian noise that has been taken off delta
      double delta = Math.max(terms.delta(), mechanism.delta());
      claim = new Claim(terms.epsilon(), delta, terms.rho(), noise, grid.step());
    }
    release.saveModel(
        model
            .featurizer()
            .publish(
                documents.change().publishedStages(), model.linear().withParameters(published)));
    Evidence.@Nullable Metrics after = metrics(release.reload(spark, published), documents.label());
    ModelDigest digest = release.modelDigest();
    Certificate certificate;
    if (perturbation != null) {
      certificate = documents.conditional(perturbation.mechanism(), digest);
    } else if (claim != null) {
      certificate = documents.certified(claim, digest);
    } else {
      certificate = documents.notCertified(reason(request, unlearning), digest);
    }
    Evidence evidence = documents.evidence(certificate, release.vaultKey(), before, after, begin);
    release.commit(certificate, evidence);
    return new Result(certificate, evidence, unlearning, published, notes);
  }

  private static Reason reason(Request request, UnlearningResult unlearning) {
    if (request.certificate() == null) {
      return Reason.CERTIFICATE_NOT_REQUESTED;
    }
    if (request.method() != Method.REFINED) {
      return Reason.METHOD_WITHOUT_TARGET;
    }
    return unlearning.bound() instanceof DistanceBound.Unproven unproven && !unproven.isTooFar()
        ? Reason.NO_DISTANCE_BOUND
        : Reason.DISTANCE_NOT_PROVEN;
  }
}

package dev.lethe.spark.job;

import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Perturbation;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe unlearn}: loads what the options name, checks the places to write to, runs the
 * {@link ModelCorrection}, and publishes model and certificate; the evidence goes into the vault.
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
    RequestSource source = Objects.requireNonNull(options.request());
    Request request = source.read(spark);
    String id = source.id();
    if (id != null && !id.equals(request.id())) {
      throw new InvalidInputException(
          "--id " + id + ": a single request has its own id, here " + request.id());
    }
    AtomicPublication.check(
        spark.sparkContext().hadoopConfiguration(),
        options.out(),
        source.places().toArray(String[]::new));
    return run(request, source.toString());
  }

  /**
   * Runs the job with a request that is there.
   *
   * @param name names it, for messages
   * @throws InvalidInputException if something given cannot be used; nothing is written then
   */
  public Result run(Request request, String name) throws IOException {
    Progress progress = Progress.onTerminal(spark, "Lethe unlearn " + request.id());
    try (LogContext log = LogContext.request(spark, request.id());
        Release release = Release.open(spark, options.out(), options.vault(), options.sources())) {
      LoadedModel model = LoadedModel.load(spark, "--model", options.model());
      GivenTables tables = options.state() ? options.tables().lookedUp(spark) : options.tables();
      ModelCorrection correction =
          correction(
              spark,
              options,
              model,
              EarlierRelease.of(spark, options.model(), options.modelCertificate()),
              perturbation(release, model, request, name),
              tables,
              request,
              name,
              options.state() ? state(release, model, tables) : null);
      try (CorrectedModel corrected = correction.run(progress)) {
        return corrected.publish(release, null);
      }
    }
  }

  private ModelCorrection.State state(Release release, LoadedModel model, GivenTables tables) {
    ModelDigest digest =
        ModelDigest.of(spark.sparkContext().hadoopConfiguration(), options.model());
    return ModelCorrection.State.of(
        spark, release.state(digest).orElse(null), model, tables, options.label());
  }

  /** What the options ask for, of a model that is loaded. */
  static ModelCorrection correction(
      SparkSession spark,
      UnlearnOptions options,
      LoadedModel model,
      EarlierRelease earlier,
      @Nullable Perturbation perturbation,
      GivenTables tables,
      Request request,
      String name,
      ModelCorrection.@Nullable State state) {
    return new ModelCorrection(
        spark,
        model,
        earlier,
        perturbation,
        tables,
        options.label(),
        request,
        name,
        options.test(),
        options.solver(),
        options.maxSteps(),
        options.maxCgIterations(),
        options.partitions(),
        options.preconditioning(),
        state);
  }

  /** The perturbation of the model's loss; null for an ordinary model. */
  private @Nullable Perturbation perturbation(
      Release release, LoadedModel model, Request request, String name) {
    if (!model.linear().isPerturbed()) {
      return null;
    }
    if (request.certificate() != null) {
      throw new InvalidInputException(
          name
              + ": certificate: the model was trained with loss perturbation, so epsilon, delta and"
              + " the residual were fixed then, and no output noise is added; leave out the key");
    }
    if (request.featurizer() == FeaturizerPolicy.REFIT) {
      throw new InvalidInputException(
          name
              + ": featurizer: refit changes which parameter each coordinate of the model's loss"
              + " perturbation belongs to; allowed for such a model are frozen and forbid");
    }
    return release.perturbation(
        ModelDigest.of(spark.sparkContext().hadoopConfiguration(), options.model()));
  }
}

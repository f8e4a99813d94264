package dev.lethe.spark.job;

import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Perturbation;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe unlearn}: loads what the options name, checks the places to write to, runs the
 * {@link ModelCorrection}, and publishes model and certificate; the evidence goes into the vault.
 */
public final class UnlearnJob {
  private final UnlearnOptions options;
  private final ReleaseKeys keys;
  private final SparkSession spark;

  public UnlearnJob(UnlearnOptions options, SparkSession spark) {
    this(options, ReleaseKeys.NONE, spark);
  }

  public UnlearnJob(UnlearnOptions options, ReleaseKeys keys, SparkSession spark) {
    this.options = options;
    this.keys = keys;
    this.spark = spark;
  }

  /**
   * Everything that the job found; confidential but for the certificate.
   *
   * @param notes what the operator should know: sentences without figures of the data
   * @param reports of the release, for people
   */
  public record Result(
      Certificate certificate,
      Evidence evidence,
      UnlearningResult unlearning,
      double[] published,
      List<String> notes,
      ReleaseReports reports) {}

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
    ModelCorrection.Resuming resuming = resuming(request);
    return forgettingIfRefused(
        resuming,
        () -> {
          AtomicPublication.check(
              spark.sparkContext().hadoopConfiguration(),
              options.out(),
              source.places().toArray(String[]::new));
          return run(request, source.toString(), resuming, null);
        });
  }

  /**
   * Runs the job with a request that is there.
   *
   * @param name names it, for messages
   * @throws InvalidInputException if something given cannot be used; nothing is written then
   */
  public Result run(Request request, String name) throws IOException {
    ModelCorrection.Resuming resuming = resuming(request);
    return forgettingIfRefused(resuming, () -> run(request, name, resuming, null));
  }

  /**
   * The same, but nothing is published unless it is certified.
   *
   * @param certificateId that the release is to have
   * @param allowed asked right before the publication; throws if there must be none
   * @throws NotCertifiedException if it is not
   */
  public Result runCertified(Request request, String name, String certificateId, Runnable allowed)
      throws IOException {
    ModelCorrection.Resuming resuming = resuming(request);
    try {
      return forgettingIfRefused(
          resuming, () -> run(request, name, resuming, new Decided(certificateId, allowed)));
    } catch (NotCertifiedException e) {
      forgetCheckpoint(request);
      throw e;
    }
  }

  /** Deletes what a run that did not end may have kept of its refinement. */
  public void forgetCheckpoint(Request request) {
    ModelCorrection.Resuming resuming = resuming(request);
    if (resuming != null) {
      resuming.forget();
    }
  }

  /** A release that a ledger waits for. */
  private record Decided(String certificateId, Runnable allowed) {}

  private Result run(
      Request request,
      String name,
      ModelCorrection.@Nullable Resuming resuming,
      @Nullable Decided decided)
      throws IOException {
    Progress progress = Progress.onTerminal(spark, "Lethe unlearn " + request.id());
    try (LogContext log = LogContext.request(spark, request.id());
        Release release =
            Release.open(spark, options.out(), options.vault(), keys, options.sources())) {
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
      if (resuming != null) {
        correction = correction.resuming(resuming);
      }
      try (CorrectedModel corrected = correction.run(progress)) {
        Certificate issued = corrected.certificate();
        if (decided == null) {
          return corrected.publish(release, null, issued.certificateId());
        }
        if (issued.verdict() != Verdict.CERTIFIED) {
          throw new NotCertifiedException(Objects.requireNonNull(issued.reason()));
        }
        release.askBeforeCommit(decided.allowed());
        return corrected.publish(release, null, decided.certificateId());
      }
    }
  }

  private interface Work {
    Result run() throws IOException;
  }

  /**
   * A run that is refused would be refused again, and one whose OUT exists has been finished; where
   * a file could not be read or written it may be repeated.
   */
  private static Result forgettingIfRefused(ModelCorrection.@Nullable Resuming resuming, Work work)
      throws IOException {
    try {
      return work.run();
    } catch (InvalidInputException e) {
      if (resuming != null && !(e.getCause() instanceof IOException)) {
        resuming.forget().ifPresent(note -> e.addSuppressed(new InvalidInputException(note)));
      }
      throw e;
    }
  }

  /**
   * Checkpoints in the vault, of this model, table, request and OUT; null if none are asked for.
   * How the systems are solved is no part of it: any start serves.
   */
  private ModelCorrection.@Nullable Resuming resuming(Request request) {
    if (options.checkpointInterval() == null) {
      return null;
    }
    Configuration configuration = spark.sparkContext().hadoopConfiguration();
    List<String> of = new ArrayList<>(options.sources());
    of.add(ModelDigest.of(configuration, options.model()).value());
    of.add(KeptState.sha256(request.canonicalBytes()));
    of.add(options.out());
    String digest = KeptState.sha256(String.join("\n", of).getBytes(StandardCharsets.UTF_8));
    Vault vault =
        Vault.open(
            configuration, options.vault(), keys.vault(), options.sources().toArray(String[]::new));
    return new ModelCorrection.Resuming(
        Checkpoints.in(vault, digest), digest, options.checkpointInterval());
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

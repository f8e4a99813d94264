package dev.lethe.spark.job;

import dev.lethe.core.certify.DistanceBound;
import dev.lethe.core.certify.OutputMechanism;
import dev.lethe.core.certify.OutputNoise;
import dev.lethe.core.certify.PublicationGrid;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Claim;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Reason;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.metrics.LetheMetrics;
import dev.lethe.spark.request.CertificateTerms;
import dev.lethe.spark.request.Method;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.ml.Transformer;
import org.jspecify.annotations.Nullable;

/**
 * A model that has been changed and carries its noise, in memory. It keeps the corrected examples
 * in Spark's cache, from which the evidence's digests are taken, until it is closed.
 */
public final class CorrectedModel implements AutoCloseable {
  private final ReleaseDocuments documents;
  private final LoadedModel model;
  private final Certificate certificate;
  private final Evidence.@Nullable Metrics before;
  private final Evidence.@Nullable Metrics after;
  private final List<String> notes;
  private final double seconds;
  private final List<ModelDigest> releases = new ArrayList<>();
  private List<ModelDigest> superseded = List.of();
  // null until it has been asked for
  private @Nullable Optional<byte[]> state;
  private boolean closed;

  private CorrectedModel(
      ReleaseDocuments documents,
      LoadedModel model,
      Certificate certificate,
      Evidence.@Nullable Metrics before,
      Evidence.@Nullable Metrics after,
      List<String> notes,
      double seconds) {
    this.documents = documents;
    this.model = model;
    this.certificate = certificate;
    this.before = before;
    this.after = after;
    this.notes = List.copyOf(notes);
    this.seconds = seconds;
  }

  /**
   * Adds the noise, if the update has achieved what a certificate needs.
   *
   * @param before metrics of the old model
   * @param notes what the operator should know
   * @param begin {@link System#nanoTime} when the work began
   */
  static CorrectedModel of(
      ReleaseDocuments documents,
      Evidence.@Nullable Metrics before,
      List<String> notes,
      long begin) {
    ModelCorrection correction = documents.correction();
    UnlearningResult unlearning = documents.unlearning();
    CertificateTerms terms = correction.request().certificate();
    double[] theta = unlearning.end().point();
    double[] published = theta;
    Claim claim = null;
    if (terms != null && unlearning.outcome() == UnlearningResult.Outcome.WITHIN_RHO) {
      int noisy = theta.length - documents.problem().fixedCoordinates().length;
      correction.requireGridFits(theta, noisy);
      OutputMechanism mechanism = correction.mechanism(terms, theta.length, noisy);
      OutputNoise noise = mechanism.noise();
      PublicationGrid grid = noise.grid();
      published =
          noise.publish(
              theta, documents.problem().objective().fixed(), grid, OutputNoise.cryptographic());
      // of pure noise, what the sampler costs; of Gaussian noise that has been taken off delta
      double delta = Math.max(terms.delta(), mechanism.delta());
      claim = new Claim(terms.epsilon(), delta, terms.rho(), noise, grid.step());
    }
    LoadedModel old = documents.change().model();
    Transformer transformer =
        old.featurizer()
            .publish(documents.change().publishedStages(), old.linear().withParameters(published));
    LoadedModel model = LoadedModel.of(transformer, "model", transformer.uid());
    ModelDigest digest = model.parametersDigest();
    Certificate certificate;
    if (correction.perturbation() != null) {
      certificate = documents.conditional(correction.perturbation().mechanism(), digest);
    } else if (claim != null) {
      certificate = documents.certified(claim, digest);
    } else {
      certificate = documents.notCertified(reason(correction.request(), unlearning), digest);
    }
    return new CorrectedModel(
        documents,
        model,
        certificate,
        before,
        correction.metrics(model, documents.label()),
        notes,
        (System.nanoTime() - begin) / 1e9);
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

  /** The model, with noise if it is certified. */
  public LoadedModel model() {
    return model;
  }

  /** What an earlier release removed from the old model. */
  public EarlierRelease earlier() {
    return documents.correction().earlier();
  }

  /** The table's label column. */
  public String label() {
    return documents.label();
  }

  /** The certificate, about the model in memory. */
  public Certificate certificate() {
    return certificate;
  }

  /** What the operator should know: sentences without figures of the data. */
  public List<String> notes() {
    if (documents.correction().state() == null || state == null || state.isPresent()) {
      return notes;
    }
    List<String> said = new ArrayList<>(notes);
    said.add(
        "no state is kept: it needs --data or --corrected alone, plain files (parquet, orc, csv,"
            + " json, libsvm) that were written some seconds before the run, do not change during it"
            + " and are not cached, at most 4096 parameters, a self-concordant loss of one margin or"
            + " of separate ones, and stages that are kept and known to map each row by itself");
    return said;
  }

  /**
   * The evidence of {@link #certificate}, digests under a key; one or two passes.
   *
   * @throws IllegalStateException after {@link #close}
   */
  public Evidence evidence(VaultKey key) {
    return evidence(certificate, key, System.nanoTime());
  }

  /**
   * What is kept for the next request, as {@link ModelCorrection.State#of} takes it; the first call
   * may take a pass over the cached examples. Confidential.
   *
   * @return empty if no state is kept, or none can be
   * @throws IllegalStateException after {@link #close}, unless it was asked for before
   */
  public Optional<byte[]> state() {
    if (state == null) {
      requireOpen();
      state =
          documents.correction().state() == null
              ? Optional.empty()
              : documents.state().map(KeptState::toBytes);
    }
    return state;
  }

  /**
   * Says which release in memory this one takes the place of: where that one has been saved, {@link
   * #save} deletes the state that was kept with it.
   */
  public void supersede(CorrectedModel before) {
    superseded = before.releases;
  }

  private Evidence evidence(Certificate of, VaultKey key, long begin) {
    requireOpen();
    return documents.evidence(of, key, before, after, seconds + (System.nanoTime() - begin) / 1e9);
  }

  private void requireOpen() {
    if (closed) {
      // read again, the data might not be what the model was made of
      throw new IllegalStateException("the corrected model is closed: its examples are given up");
    }
  }

  /**
   * Writes what {@code lethe unlearn} writes: model and certificate in one step, the evidence into
   * the vault.
   *
   * @param out directory to publish into; must not exist
   * @param vault directory for the confidential evidence
   * @throws InvalidInputException if a place cannot be used; nothing is written then
   * @throws IllegalStateException after {@link #close}
   */
  public UnlearnJob.Result save(String out, String vault) throws IOException {
    ModelStore.requireWritable(model.transformer());
    ModelCorrection correction = documents.correction();
    List<String> sources = new ArrayList<>();
    correction.tables().tables().forEach(table -> table.place().ifPresent(sources::add));
    try (Release release =
        Release.open(correction.spark(), out, vault, ReleaseKeys.NONE, sources)) {
      return publish(release, null, certificate.certificateId());
    }
  }

  /**
   * @param siblings the other answers, if it is one of several; null where the release takes the
   *     place of the model before, whose state goes then
   * @param certificateId of the saved release
   */
  UnlearnJob.Result publish(Release release, @Nullable SiblingModels siblings, String certificateId)
      throws IOException {
    long begin = System.nanoTime();
    documents.progress().phase("publishing");
    double[] published = model.linear().parameters();
    release.saveModel(documents.correction().spark(), model, siblings);
    ModelDigest digest = release.modelDigest();
    Certificate saved = certificate.ofSaved(digest, certificateId);
    Evidence evidence = evidence(saved, release.vaultKey(), begin);
    ModelCorrection correction = documents.correction();
    Optional<byte[]> kept = state();
    List<String> said = new ArrayList<>(notes());
    said.addAll(release.notes());
    release.commit(saved, evidence);
    LetheMetrics.get().released(saved.verdict());
    if (siblings != null) {
      siblings.published(model, release.model(), digest);
    }
    // The release stands from here on: what happens to states is told, and fails nothing.
    try {
      if (siblings == null) {
        release.forgetState(correction.model().digest(correction.spark()));
        superseded.forEach(release::forgetState);
      }
      kept.ifPresent(bytes -> release.keepState(digest, bytes));
      releases.add(digest);
    } catch (InvalidInputException e) {
      said.add("the kept states are not as they should be: " + e.getMessage());
    }
    if (correction.resuming() != null) {
      correction.resuming().forget().ifPresent(said::add);
    }
    return new UnlearnJob.Result(
        saved,
        evidence,
        documents.unlearning(),
        published,
        said,
        ReleaseReports.of(correction, documents.change(), model, saved, evidence));
  }

  /** Gives the cached examples up; what is in memory stays, but for the evidence. */
  @Override
  public void close() {
    closed = true;
    documents.problem().close();
  }
}

package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Perturbation;
import dev.lethe.spark.certificate.SigningKey;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.certificate.VaultKey;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * One release: OUT/model and OUT/certificate.json, OUT/certificate.json.sig where there is a key to
 * sign with, and the evidence in the vault. The rename of OUT is the commit: before it nothing is
 * published, and the evidence of a release that failed is taken back unless OUT has its
 * certificate.
 */
final class Release implements AutoCloseable {
  private static final String MODEL = "model";
  private static final String CERTIFICATE = "certificate.json";

  /** What the name of a signature has behind that of the file that it is of. */
  static final String SIGNATURE = ".sig";

  private final String out;
  private final Configuration configuration;
  private final AtomicPublication publication;
  private final Vault vault;
  private final @Nullable SigningKey signing;
  private @Nullable ModelDigest perturbed;
  private Runnable allowed = () -> {};

  private Release(
      String out,
      Configuration configuration,
      AtomicPublication publication,
      Vault vault,
      @Nullable SigningKey signing) {
    this.out = out;
    this.configuration = configuration;
    this.publication = publication;
    this.vault = vault;
    this.signing = signing;
  }

  /**
   * Checks the places to write to; creates nothing but an empty staging directory, which {@link
   * #close} deletes.
   *
   * @param sources what is read: neither OUT nor the vault may lie there
   */
  static Release open(
      SparkSession spark, String out, String vault, ReleaseKeys keys, List<String> sources) {
    Configuration configuration = spark.sparkContext().hadoopConfiguration();
    Vault opened = check(configuration, out, vault, keys, sources);
    return new Release(
        out,
        configuration,
        AtomicPublication.begin(configuration, out, sources.toArray(String[]::new)),
        opened,
        keys.signing());
  }

  /** The same checks alone; the vault, if they hold. */
  static Vault check(
      Configuration configuration,
      String out,
      String vault,
      ReleaseKeys keys,
      List<String> sources) {
    AtomicPublication.check(configuration, out, sources.toArray(String[]::new));
    List<String> forbidden = new ArrayList<>(sources);
    forbidden.add(0, out);
    return Vault.open(configuration, vault, keys.vault(), forbidden.toArray(String[]::new));
  }

  /**
   * The perturbation that a model was trained with, which this release will use up.
   *
   * @throws InvalidInputException if there is none in the vault, or it was used before
   */
  Perturbation perturbation(ModelDigest model) {
    Perturbation perturbation = vault.perturbations().read(model);
    vault.perturbations().requireUnused(model);
    perturbed = model;
    return perturbation;
  }

  /** Made by one of several threads: not every store can create a file only if it is absent. */
  VaultKey vaultKey() throws IOException {
    synchronized (Release.class) {
      return vault.createKeyIfAbsent();
    }
  }

  /**
   * Saves the model and reads it back.
   *
   * @param siblings of which it may take files
   * @throws InvalidInputException if what can be read is not what was saved
   */
  void saveModel(SparkSession spark, LoadedModel model, @Nullable SiblingModels siblings)
      throws IOException {
    if (siblings == null || !siblings.save(model, staged(MODEL), out)) {
      ModelStore.save(model.transformer(), staged(MODEL));
      ModelStore.readBack(spark, staged(MODEL), model.linear().parameters(), out);
    }
  }

  /** Where the model is, once it is published. */
  Path model() {
    return model(out);
  }

  /** Where the model of a release is. */
  static Path model(String out) {
    return new Path(out, MODEL);
  }

  /** What a release is made of: model, certificate, and perhaps its signature. */
  static List<String> parts(String out) {
    return List.of(
        model(out).toString(),
        new Path(out, CERTIFICATE).toString(),
        new Path(out, CERTIFICATE + SIGNATURE).toString());
  }

  ModelDigest modelDigest() throws IOException {
    return ModelDigest.of(configuration, staged(MODEL).toString());
  }

  /** What was kept with a model; empty if nothing was. */
  Optional<byte[]> state(ModelDigest model) {
    return vault.readState(model);
  }

  /** Keeps a state with a model that is published. */
  void keepState(ModelDigest model, byte[] state) {
    vault.writeState(model, state);
  }

  /** Deletes what was kept with the model before: it holds what has been unlearned. */
  void forgetState(ModelDigest model) {
    vault.deleteState(model);
  }

  /**
   * Has {@link #commit} ask before it writes anything, and again right before it publishes.
   *
   * @param question throws if nothing may be published
   */
  void askBeforeCommit(Runnable question) {
    allowed = question;
  }

  /** Writes the evidence, then publishes. */
  void commit(Certificate certificate, Evidence evidence) throws IOException {
    allowed.run();
    byte[] document = certificate.toJson();
    publication.write(CERTIFICATE, document);
    if (signing != null) {
      publication.write(CERTIFICATE + SIGNATURE, signing.sign(document));
    }
    if (perturbed != null) {
      vault.perturbations().use(perturbed, certificate.certificateId());
    }
    try {
      vault.writeEvidence(evidence);
    } catch (RuntimeException e) {
      takeBack(this::takeBackUse, e);
      throw e;
    }
    // evidence is not taken back where this throws: whoever may publish now has it under this id
    allowed.run();
    try {
      publication.commit();
    } catch (RuntimeException e) {
      // A store that copies may fail after the last copy: what is published needs its evidence.
      if (publication.mayHavePublished(CERTIFICATE, document)) {
        e.addSuppressed(
            new InvalidInputException(
                "the certificate "
                    + certificate.certificateId()
                    + " was copied to --out although the rename failed; its evidence stays in the"
                    + " vault. Check the release with lethe verify"));
      } else {
        takeBack(() -> vault.takeBackEvidence(evidence), e);
        takeBack(this::takeBackUse, e);
      }
      throw e;
    }
  }

  /** For the operator: by whom the certificate is signed; nothing where it is not. */
  List<String> notes() {
    return signing == null
        ? List.of()
        : List.of(CERTIFICATE + SIGNATURE + " is the signature by the key " + signing.keyId());
  }

  private void takeBackUse() {
    if (perturbed != null) {
      vault.perturbations().takeBackUse(perturbed);
    }
  }

  /** What happens in the vault must not hide why nothing was published. */
  private static void takeBack(Runnable undo, RuntimeException failure) {
    try {
      undo.run();
    } catch (RuntimeException e) {
      failure.addSuppressed(e);
    }
  }

  private Path staged(String name) {
    return publication.resolve(name);
  }

  @Override
  public void close() throws IOException {
    publication.close();
  }
}

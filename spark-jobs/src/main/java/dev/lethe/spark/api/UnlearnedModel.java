package dev.lethe.spark.api;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.job.CorrectedModel;
import dev.lethe.spark.job.SessionSettings;
import java.io.IOException;
import java.util.List;
import org.apache.spark.ml.Transformer;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * A model that has forgotten, with its certificate.
 *
 * <p>It keeps the corrected examples in Spark's cache, from which the digests of the evidence are
 * taken, until it is closed; Spark gives them up, too, when nothing refers to it any more. Not for
 * several threads at once.
 */
public final class UnlearnedModel implements AutoCloseable {
  private final SparkSession spark;
  private final CorrectedModel corrected;
  private final VaultKey key = VaultKey.random();
  private @Nullable Evidence evidence;

  private UnlearnedModel(SparkSession spark, CorrectedModel corrected) {
    this.spark = spark;
    this.corrected = corrected;
  }

  /** With its state, if one is kept. */
  static UnlearnedModel of(SparkSession spark, CorrectedModel corrected) {
    boolean done = false;
    try {
      corrected.state();
      done = true;
      return new UnlearnedModel(spark, corrected);
    } finally {
      if (!done) {
        corrected.close();
      }
    }
  }

  /**
   * The model, as Spark ML scores with it: of the class and the uid of the old one, with noise if
   * it is certified.
   *
   * @return the model
   */
  public Transformer model() {
    return corrected.model().transformer();
  }

  /**
   * {@return its parameters: for each margin the coefficients, then the intercept where there is
   * one}
   */
  public double[] parameters() {
    return corrected.model().linear().parameters();
  }

  /**
   * The public certificate. Its {@code modelDigest} is of the parameters; {@link #save} makes the
   * one that is of the saved files. {@code verdict()} says whether anything is certified.
   *
   * @return the certificate
   */
  public Certificate certificate() {
    return corrected.certificate();
  }

  /**
   * The confidential evidence, with digests under a key that only this object has; the first call
   * takes one or two passes over the data. Whoever has it can take the noise off the model: it
   * belongs into a vault, never into a notebook's output.
   *
   * @return the evidence
   * @throws IllegalStateException after {@link #close}, unless it was asked for before
   */
  public Evidence evidence() {
    if (evidence == null) {
      try (SessionSettings pinned = SessionSettings.pin(spark)) {
        evidence = corrected.evidence(key);
      }
    }
    return evidence;
  }

  /** {@return what the operator should know: sentences without figures of the data} */
  public List<String> notes() {
    return corrected.notes();
  }

  /**
   * Writes what {@code lethe unlearn} writes: {@code path/model} and {@code path/certificate.json}
   * in one step, and the evidence into the vault, with digests under the vault's key. {@code lethe
   * verify} and {@link Unlearner#verifySaved} check it.
   *
   * @param path must not exist, on a file system that driver and executors share
   * @param vault a confidential directory, apart from {@code path}; made if absent
   * @return the certificate that was written
   * @throws InvalidInputException if a place cannot be used; nothing is published then
   * @throws IOException if writing fails; nothing is published then
   * @throws IllegalStateException after {@link #close}
   */
  public Certificate save(String path, String vault) throws IOException {
    try (SessionSettings pinned = SessionSettings.pin(spark)) {
      return corrected.save(path, vault).certificate();
    } catch (InvalidInputException e) {
      throw ParamNames.in(e);
    }
  }

  /** Of this release, for the next request; null if none is kept. Confidential. */
  byte @Nullable [] state() {
    return corrected.state().orElse(null);
  }

  VaultKey key() {
    return key;
  }

  CorrectedModel corrected() {
    return corrected;
  }

  /** Takes the corrected examples out of Spark's cache; model and certificate stay usable. */
  @Override
  public void close() {
    corrected.close();
  }
}

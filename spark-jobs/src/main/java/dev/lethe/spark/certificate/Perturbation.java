package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.core.certify.LossPerturbation;
import dev.lethe.spark.InvalidInputException;
import java.util.Set;

/**
 * The linear term b of the loss that a model was trained with. Secret: with b and the corrected
 * data anybody can compute what was unlearned. It is written into a {@link Vault} only.
 *
 * @param schemaVersion {@value #SCHEMA_VERSION}
 * @param model digest of the trained model's directory
 * @param epsilon of the claim, in (0, 1]
 * @param delta of the claim
 * @param residual r, the residual that a release may have
 * @param sigma the standard deviation that b was drawn with
 * @param b shape (p): coefficients, then the intercept where there is one
 */
@JsonPropertyOrder({"schemaVersion", "model", "epsilon", "delta", "residual", "sigma", "b"})
@SuppressWarnings("ArrayRecordComponent") // Up to millions of parameters; copied on the way in.
public record Perturbation(
    int schemaVersion,
    ModelDigest model,
    double epsilon,
    double delta,
    double residual,
    double sigma,
    double[] b) {

  /** The only version. */
  public static final int SCHEMA_VERSION = 1;

  public Perturbation {
    Require.that(schemaVersion == SCHEMA_VERSION, "schemaVersion must be " + SCHEMA_VERSION);
    Require.present(model, "model");
    new LossPerturbation(epsilon, delta, residual, sigma);
    b = Require.present(b, "b").clone();
    for (double value : b) {
      Require.that(Double.isFinite(value), "b must be finite numbers");
    }
  }

  /** The perturbation of a model that was just trained. */
  public static Perturbation of(ModelDigest model, LossPerturbation mechanism, double[] b) {
    return new Perturbation(
        SCHEMA_VERSION,
        model,
        mechanism.epsilon(),
        mechanism.delta(),
        mechanism.residual(),
        mechanism.sigma(),
        b);
  }

  /** A copy. */
  @Override
  public double[] b() {
    return b.clone();
  }

  /** The claim that a release under b may make. */
  public LossPerturbation mechanism() {
    return new LossPerturbation(epsilon, delta, residual, sigma);
  }

  /** Says nothing of the contents. */
  @Override
  public String toString() {
    return "Perturbation[hidden]";
  }

  byte[] toJson() {
    return JsonDocument.write(this);
  }

  /**
   * Reads a document.
   *
   * @param source the file, for messages
   * @throws InvalidInputException if the document breaks the schema or contradicts itself
   */
  static Perturbation read(byte[] json, String source) {
    return JsonDocument.read(json, Perturbation.class, SCHEMA_VERSION, Set.of(), source);
  }
}

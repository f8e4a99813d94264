package dev.lethe.spark.job;

import dev.lethe.core.certify.LossPerturbation;
import dev.lethe.core.certify.OutputNoise;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Perturbation;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.certificate.VaultEncryption;
import dev.lethe.spark.ml.TrainableLoss;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * How a training perturbs the loss.
 *
 * @param mechanism the law of b and the claim that it is for
 * @param vault directory for b
 */
public record PerturbedTraining(LossPerturbation mechanism, String vault) {

  /**
   * With the smallest sigma for a claim.
   *
   * @throws InvalidInputException unless epsilon lies in (0, 1], delta in (0, 1), and the residual
   *     is positive and finite
   */
  public static PerturbedTraining calibrate(
      double epsilon, double delta, double residual, String vault) {
    try {
      return new PerturbedTraining(LossPerturbation.calibrate(epsilon, delta, residual), vault);
    } catch (IllegalArgumentException e) {
      throw new InvalidInputException("--" + e.getMessage(), e);
    }
  }

  /**
   * Refuses a loss that is not offered with a perturbation.
   *
   * @throws InvalidInputException unless the loss is logistic and has a penalty
   */
  public static void requireFits(TrainableLoss loss, double regParam) {
    if (loss != TrainableLoss.LOGISTIC) {
      throw new InvalidInputException(
          "--loss "
              + loss.word()
              + ": loss perturbation is there for comparison with the paper, and offered for"
              + " logistic only; output noise, the default, covers every loss");
    }
    if (!(regParam > 0)) {
      throw new InvalidInputException(
          "--reg-param "
              + regParam
              + ": must be greater than 0 with loss perturbation: without a penalty b'theta has no"
              + " minimum wherever b outweighs the data");
    }
  }

  /**
   * Trains a model behind fitted stages and publishes it.
   *
   * @param rows that the stages read
   * @param place names the rows, for messages
   * @param out directory to save the model into; must not exist
   * @return what was reached; without a model, nothing was written
   * @throws InvalidInputException if something given cannot be used; nothing is written then
   */
  public Training.Trained run(
      SparkSession spark,
      PipelineModel featurizer,
      Dataset<?> rows,
      TrainableLoss loss,
      TrainableLoss.Params params,
      String place,
      Training.Settings settings,
      Progress progress,
      String out)
      throws IOException {
    requireFits(loss, params.regParam());
    Configuration configuration = spark.sparkContext().hadoopConfiguration();
    try (AtomicPublication publication = AtomicPublication.begin(configuration, out)) {
      Vault opened = open(configuration, out, null, List.of());
      Training training = Training.anew(featurizer, loss, params, rows, this, place);
      Training.Trained trained = training.run(settings, progress);
      if (trained.model() != null) {
        ModelStore.save(trained.model(), publication.staging());
        ModelStore.readBack(spark, publication.staging(), trained.parameters(), out);
        commit(configuration, publication, opened, Objects.requireNonNull(training.perturbation()));
      }
      return trained;
    }
  }

  /**
   * The vault, which must lie apart from the model and from what is read.
   *
   * @param encryption its master key, or null for one in plain text
   * @throws InvalidInputException if it does not
   */
  Vault open(
      Configuration configuration,
      String out,
      @Nullable VaultEncryption encryption,
      List<String> sources) {
    List<String> forbidden = new ArrayList<>(List.of(out));
    forbidden.addAll(sources);
    return Vault.open(configuration, vault, encryption, forbidden.toArray(String[]::new));
  }

  /** Draws b, from the platform's secure random numbers. */
  double[] draw(LoadedModel model) {
    return mechanism.draw(model.linear().layout().size(), OutputNoise.cryptographic());
  }

  /** Publishes a staged model; b goes into the vault first, under the digest of the model. */
  void commit(
      Configuration configuration, AtomicPublication publication, Vault opened, double[] b) {
    ModelDigest digest = ModelDigest.of(configuration, publication.staging().toString());
    opened.writePerturbation(Perturbation.of(digest, mechanism, b));
    try {
      publication.commit();
    } catch (RuntimeException e) {
      if (publication.mayHavePublished()) {
        throw e; // a store that copies may fail after the last copy: the model needs its b
      }
      try {
        opened.perturbations().delete(digest);
      } catch (RuntimeException leftover) {
        e.addSuppressed(leftover);
      }
      throw e;
    }
  }
}

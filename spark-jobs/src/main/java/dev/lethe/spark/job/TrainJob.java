package dev.lethe.spark.job;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.certificate.VaultEncryption;
import dev.lethe.spark.featurizer.Featurizer;
import java.io.IOException;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe train}: minimises a Spark ML estimator's objective from zero to a stated gradient
 * norm and saves a Spark ML model. With {@code --like} and {@code --request} it is the retraining
 * from scratch that unlearning is compared with.
 */
public final class TrainJob {
  private final TrainOptions options;
  private final @Nullable VaultEncryption encryption;
  private final SparkSession spark;

  public TrainJob(TrainOptions options, SparkSession spark) {
    this(options, null, spark);
  }

  /**
   * @param encryption the master key of the vault that the perturbation goes into, or that the
   *     evidence is of; null for one in plain text
   */
  public TrainJob(TrainOptions options, @Nullable VaultEncryption encryption, SparkSession spark) {
    this.options = options;
    this.encryption = encryption;
    this.spark = spark;
  }

  /**
   * @param converged whether the gradient norm was reached; nothing is saved otherwise
   * @param parameters coefficients, then the intercept if there is one
   * @param gradientNorm reached, mean form
   * @param gradientNormSum reached, sum form
   * @param roundingBound of the gradient, 2-norm, sum form
   * @param rows n
   * @param features d
   * @param removedFeatures slots fixed at zero by the request
   * @param steps Newton steps
   * @param passes over the data
   * @param distance to the evidence's un-noised parameters, if one was given
   * @param metrics on the test data, if given
   */
  public record Result(
      boolean converged,
      double[] parameters,
      double gradientNorm,
      double gradientNormSum,
      double roundingBound,
      long rows,
      int features,
      int removedFeatures,
      List<NewtonSolver.Step> steps,
      int passes,
      double seconds,
      @Nullable Double distance,
      Evidence.@Nullable Metrics metrics) {}

  /**
   * Runs the job.
   *
   * @throws InvalidInputException if something given cannot be used; nothing is written then
   */
  public Result run() throws IOException {
    long begin = System.nanoTime();
    Progress progress = Progress.onTerminal(spark, "Lethe train");
    try (AtomicPublication publication =
        AtomicPublication.begin(configuration(), options.out(), options.sources())) {
      double @Nullable [] compared = compared();
      PerturbedTraining perturbed = options.perturbation();
      @Nullable Vault vault =
          perturbed == null
              ? null
              : perturbed.open(
                  configuration(), options.out(), encryption, List.of(options.sources()));
      Training training = options.like() == null ? anew() : like(options.like(), progress);
      requireSameSize(compared, training.model());
      Training.Trained trained =
          training.run(
              new Training.Settings(
                  options.gradientNorm(),
                  options.solver(),
                  options.maxSteps(),
                  options.maxCgIterations(),
                  options.partitions(),
                  options.preconditioning()),
              progress);
      Evidence.@Nullable Metrics metrics = null;
      if (trained.model() != null) {
        ModelStore.save(trained.model(), publication.staging());
        LoadedModel saved =
            ModelStore.readBack(spark, publication.staging(), trained.parameters(), options.out());
        metrics = metrics(saved, training.label());
        if (perturbed == null) {
          publication.commit();
        } else {
          perturbed.commit(
              configuration(),
              publication,
              Objects.requireNonNull(vault),
              Objects.requireNonNull(training.perturbation()));
        }
      }
      return new Result(
          trained.model() != null,
          trained.parameters(),
          trained.gradientNorm(),
          trained.gradientNormSum(),
          trained.roundingBound(),
          trained.rows(),
          training.model().linear().features(),
          training.removed().cardinality(),
          trained.steps(),
          trained.passes(),
          (System.nanoTime() - begin) / 1e9,
          compared == null ? null : Vectors.distance(trained.parameters(), compared),
          metrics);
    }
  }

  private Training like(String directory, Progress progress) {
    LoadedModel model = LoadedModel.load(spark, "--like", directory);
    if (model.linear().isPerturbed()) {
      throw new InvalidInputException(
          "--like "
              + directory
              + ": was trained with loss perturbation; a retraining draws its own b, so train it"
              + " with --mechanism loss-perturbation");
    }
    return Training.like(
        spark,
        model,
        EarlierRelease.of(spark, directory, options.modelCertificate()),
        new GivenTables.Original(options.table()),
        options.label(),
        options.request() == null ? null : options.request().read(spark),
        String.valueOf(options.request()),
        options.partitions(),
        progress);
  }

  private Training anew() {
    Dataset<Row> table = options.table().read(spark);
    String label = Objects.requireNonNull(options.label());
    PipelineStage pipeline =
        options.pipeline() == null
            ? TrainingPipeline.ofRawColumns(options, label, table)
            : ModelStore.loadPipeline(spark, "--pipeline", options.pipeline());
    LoadedModel model =
        LoadedModel.of(
            SparkFailures.sanitized(
                place(), () -> TrainingPipeline.fit(options, label, table, pipeline)),
            "--data",
            options.table().path());
    return new Training(
        model,
        Featurizer.assemble(model.featurizer().stages(), table),
        new BitSet(),
        options.perturbation() == null ? null : options.perturbation().draw(model),
        model.featurizer().stages(),
        label,
        place());
  }

  private Configuration configuration() {
    return spark.sparkContext().hadoopConfiguration();
  }

  private String place() {
    return options.table().name();
  }

  private Evidence.@Nullable Metrics metrics(LoadedModel model, String label) {
    return options.test() == null ? null : TestMetrics.of(spark, model, label, options.test());
  }

  /** The un-noised parameters of the evidence that the result is compared with. */
  private double @Nullable [] compared() {
    return options.evidence() == null
        ? null
        : Vault.readEvidence(
                InputFile.read(spark, "--evidence", options.evidence(), Integer.MAX_VALUE),
                options.evidence(),
                encryption)
            .unnoisedParameters();
  }

  private void requireSameSize(double @Nullable [] compared, LoadedModel model) {
    int size = model.linear().parameters().length;
    if (compared != null && compared.length != size) {
      throw new InvalidInputException(
          "--evidence "
              + options.evidence()
              + ": has "
              + compared.length
              + " parameters, this model "
              + size
              + "; it must be of a model with the same features");
    }
  }
}

package dev.lethe.spark.job;

import dev.lethe.core.certify.OutputNoise;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Perturbation;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
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
  /** Training proves no distance. */
  private static final double NO_RHO = -1;

  private final TrainOptions options;
  private final SparkSession spark;

  public TrainJob(TrainOptions options, SparkSession spark) {
    this.options = options;
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
    Progress progress = Progress.onTerminal("Lethe train");
    try (AtomicPublication publication =
        AtomicPublication.begin(configuration(), options.out(), options.sources())) {
      double @Nullable [] compared = compared();
      @Nullable Vault vault = vault();
      Dataset<Row> table = options.table().read(spark);
      LoadedModel model;
      Dataset<Row> featurized;
      BitSet removed = new BitSet();
      List<Transformer> stages;
      String label;
      if (options.like() != null) {
        model = LoadedModel.load(spark, "--like", options.like());
        requireNotPerturbed(model);
        label = model.tableLabel(options.label());
        BitSet earlier =
            EarlierRelease.of(spark, options.like(), options.modelCertificate()).removedSlots();
        if (options.request() == null) {
          FeatureChange kept = FeatureChange.of(model, table, List.of(), earlier, label, place());
          featurized = kept.featurized(table);
          removed = kept.removedSlots();
          stages = kept.publishedStages();
        } else {
          Request request = options.request().read(spark);
          RequestedChange change =
              RequestedChange.of(
                  spark,
                  request,
                  options.request().toString(),
                  model,
                  earlier,
                  new GivenTables.Original(options.table()),
                  label);
          change.inspect(progress, place());
          change = change.refitted(progress, options.partitions(), place());
          model = change.model();
          featurized = change.corrected();
          removed = change.removedSlots();
          stages = change.publishedStages();
        }
      } else {
        String given = Objects.requireNonNull(options.label());
        label = given;
        PipelineStage pipeline =
            options.pipeline() == null
                ? TrainingPipeline.ofRawColumns(options, given, table)
                : ModelStore.loadPipeline(spark, "--pipeline", options.pipeline());
        model =
            LoadedModel.of(
                SparkFailures.sanitized(
                    place(), () -> TrainingPipeline.fit(options, given, table, pipeline)),
                "--data",
                options.table().path());
        featurized = model.featurizer().transform(table);
        stages = model.featurizer().stages();
      }
      requireSameSize(compared, model);
      ExampleTable.Columns columns = model.columns(label);
      double @Nullable [] b = perturbation(model);
      try (CorrectedProblem problem =
          CorrectedProblem.open(
              featurized,
              columns,
              model.linear(),
              removed,
              b,
              NO_RHO,
              options.partitions(),
              progress,
              place())) {
        NewtonSolver.Result<Objective.Measured> fit = minimize(problem, progress);
        Objective.Measured end = fit.evaluation();
        double weight = problem.statistics().totalWeight();
        Evidence.@Nullable Metrics metrics = null;
        if (fit.converged()) {
          Transformer trained =
              model.featurizer().publish(stages, model.linear().withParameters(end.point()));
          ModelStore.save(trained, publication.staging());
          LoadedModel saved =
              ModelStore.readBack(spark, publication.staging(), end.point(), options.out());
          metrics = metrics(saved, label);
          commit(publication, vault, b);
        }
        return new Result(
            fit.converged(),
            end.point(),
            Vectors.norm(end.gradient()) / weight,
            Vectors.norm(end.gradient()),
            Vectors.norm(end.measurement().gradientError()),
            problem.statistics().rows(),
            model.linear().features(),
            removed.cardinality(),
            fit.steps(),
            problem.objective().passes(),
            (System.nanoTime() - begin) / 1e9,
            compared == null ? null : Vectors.distance(end.point(), compared),
            metrics);
      }
    }
  }

  /** The vault of a perturbed training; null for another. */
  private @Nullable Vault vault() {
    if (options.perturbation() == null) {
      return null;
    }
    List<String> forbidden = new ArrayList<>(List.of(options.out()));
    forbidden.addAll(List.of(options.sources()));
    return Vault.open(
        configuration(), options.perturbation().vault(), forbidden.toArray(String[]::new));
  }

  private void requireNotPerturbed(LoadedModel model) {
    if (model.linear().isPerturbed()) {
      throw new InvalidInputException(
          "--like "
              + options.like()
              + ": was trained with loss perturbation; a retraining draws its own b, so train it"
              + " with --mechanism loss-perturbation");
    }
  }

  /** b, drawn anew; null without perturbation. */
  private double @Nullable [] perturbation(LoadedModel model) {
    return options.perturbation() == null
        ? null
        : options
            .perturbation()
            .mechanism()
            .draw(model.linear().layout().size(), OutputNoise.cryptographic());
  }

  /** Publishes the model; b goes into the vault first, under the digest of the model. */
  private void commit(AtomicPublication publication, @Nullable Vault vault, double @Nullable [] b) {
    if (vault == null || b == null || options.perturbation() == null) {
      publication.commit();
      return;
    }
    ModelDigest digest = ModelDigest.of(configuration(), publication.staging().toString());
    vault.writePerturbation(Perturbation.of(digest, options.perturbation().mechanism(), b));
    try {
      publication.commit();
    } catch (RuntimeException e) {
      try {
        vault.perturbations().delete(digest);
      } catch (RuntimeException leftover) {
        e.addSuppressed(leftover);
      }
      throw e;
    }
  }

  private Configuration configuration() {
    return spark.sparkContext().hadoopConfiguration();
  }

  private String place() {
    return options.table().name();
  }

  private NewtonSolver.Result<Objective.Measured> minimize(
      CorrectedProblem problem, Progress progress) {
    Objective objective = problem.objective();
    LinearSolver solver = problem.solver(options.solver());
    double target = options.gradientNorm() * problem.statistics().totalWeight();
    NewtonSolver<Objective.Measured> newton =
        new NewtonSolver<>(
            options.maxSteps(),
            new NewtonStep(solver, options.maxCgIterations(), progress),
            (step, measured) -> progress.training(step, Vectors.norm(measured.gradient()), target));
    return SparkFailures.sanitized(
        place(),
        () ->
            newton.minimize(
                objective,
                objective.origin(),
                measured -> Vectors.norm(measured.gradient()) <= target));
  }

  private Evidence.@Nullable Metrics metrics(LoadedModel model, String label) {
    return options.test() == null ? null : TestMetrics.of(spark, model, label, options.test());
  }

  /** The un-noised parameters of the evidence that the result is compared with. */
  private double @Nullable [] compared() {
    return options.evidence() == null
        ? null
        : Evidence.read(
                InputFile.read(spark, "--evidence", options.evidence(), Integer.MAX_VALUE),
                options.evidence())
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

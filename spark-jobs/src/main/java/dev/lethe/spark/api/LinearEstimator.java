package dev.lethe.spark.api;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.job.PerturbedTraining;
import dev.lethe.spark.job.Progress;
import dev.lethe.spark.job.SessionSettings;
import dev.lethe.spark.job.Training;
import dev.lethe.spark.ml.TrainableLoss;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.param.BooleanParam;
import org.apache.spark.ml.param.DoubleParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.param.ParamValidators;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.DefaultParamsWritable;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * Fits a linear model to a stated gradient norm: {@code lethe train} as a stage of a Spark ML
 * {@code Pipeline}. The model is of Spark ML's own class, as {@code docs/models.md} lists them;
 * what Spark ML cannot fit, smooth hinges for support vector machines, is there too.
 *
 * <pre>{@code
 * LinearEstimator svm = new LinearEstimator().setLoss("smoothed-hinge").setLabelCol("bought");
 * PipelineModel model = new Pipeline().setStages(new PipelineStage[] {assembler, svm}).fit(visits);
 * }</pre>
 *
 * <p>Minimises {@code (1/W) sum_i w_i l(x_i'theta, y_i) + regParam/2 sum_j c_j theta_j^2}, {@code W
 * = sum_i w_i}, without a penalty of the intercept, by Newton's method from zero. {@code c_j} is as
 * Spark ML has it for the loss: the column's variance, or 1 without {@link #standardization}; for
 * squared divided by the label's deviation; for gamma 1, for poisson the mean label. Equal data in
 * equal partitions give equal models.
 *
 * <p>Saved and loaded as Spark ML does it, alone, in a {@code Pipeline} or as a tuning's estimator;
 * to load it, this class must be on the class path.
 */
@SuppressWarnings({"rawtypes", "unchecked"}) // the class of the model follows from a param
public final class LinearEstimator extends Estimator implements DefaultParamsWritable {
  private static final long serialVersionUID = 1L;

  private final String uid;
  private final Param<String> loss;
  private final DoubleParam regParam;
  private final BooleanParam standardization;
  private final BooleanParam fitIntercept;
  private final Param<String> featuresCol;
  private final Param<String> labelCol;
  private final Param<String> weightCol;
  private final SolverParams solving;

  /** With a random uid. */
  public LinearEstimator() {
    this(Identifiable$.MODULE$.randomUID("linear"));
  }

  /**
   * With a given uid.
   *
   * @param uid identifies this object, as in Spark ML
   */
  public LinearEstimator(String uid) {
    this.uid = uid;
    loss =
        new Param<>(
            this,
            "loss",
            "one of " + TrainableLoss.words(),
            ParamValidators.inArray(List.of(TrainableLoss.words().split(", "))));
    regParam =
        new DoubleParam(
            this,
            "regParam",
            "regularization, on the mean form, finite and >= 0; where it is not set 0.001, and for binomial,"
                + " poisson and gamma 0",
            ParamValidators.inRange(0, Double.MAX_VALUE));
    standardization =
        new BooleanParam(
            this,
            "standardization",
            "whether features are penalised as if they were standardised; a generalized linear"
                + " regression has none");
    fitIntercept = new BooleanParam(this, "fitIntercept", "whether there is an intercept");
    featuresCol = new Param<>(this, "featuresCol", "column of feature vectors");
    labelCol = new Param<>(this, "labelCol", "label column");
    weightCol = new Param<>(this, "weightCol", "weight column; none where it is not set");
    solving = SolverParams.of(this, "fit");
    setDefault(loss, TrainableLoss.LOGISTIC.word());
    setDefault(standardization, true);
    setDefault(fitIntercept, true);
    setDefault(featuresCol, "features");
    setDefault(labelCol, "label");
    solving.setDefaults(this);
  }

  /** {@return a reader of what {@code write} saved} */
  public static MLReader<LinearEstimator> read() {
    return new DefaultParamsReader<>();
  }

  /**
   * Loads what {@code save} wrote.
   *
   * @param path of it
   * @return an equal estimator, with the same uid
   */
  public static LinearEstimator load(String path) {
    return read().load(path);
  }

  @Override
  public String uid() {
    return uid;
  }

  @Override
  public LinearEstimator copy(ParamMap extra) {
    return (LinearEstimator) defaultCopy(extra);
  }

  /**
   * {@return the schema with the columns of a prediction}
   *
   * @param schema with the column of features
   */
  @Override
  public StructType transformSchema(StructType schema) {
    return trainable().untrained(objective(false), 0, 2).transformSchema(schema);
  }

  /**
   * Fits.
   *
   * @param dataset with the columns of features, label and weight
   * @return a Spark ML model
   * @throws InvalidInputException if a column or value cannot be used, or {@link #gradientNorm} was
   *     not reached
   */
  @Override
  public Model fit(Dataset dataset) {
    try (SessionSettings pinned = SessionSettings.pin(dataset.sparkSession())) {
      return trained(dataset);
    } catch (InvalidInputException e) {
      throw ParamNames.in(e);
    }
  }

  private Model trained(Dataset<?> dataset) {
    return (Model)
        reached(
            Training.anew(trainable(), objective(false), dataset.toDF(), "data")
                .run(solving.settings(this), progress(dataset.sparkSession())));
  }

  private Progress progress(SparkSession spark) {
    return Progress.quiet(spark, "Lethe fit " + uid);
  }

  /** The model, where the gradient norm was reached. */
  private Transformer reached(Training.Trained trained) {
    if (trained.model() == null) {
      throw new InvalidInputException(
          "gradientNorm "
              + getOrDefault(solving.gradientNorm())
              + " was not reached: "
              + trained.gradientNorm()
              + " after "
              + trained.steps().size()
              + " steps; raise it, maxSteps or maxCgIterations, or regParam");
    }
    return trained.model();
  }

  /**
   * Fits with loss perturbation and saves, as {@code lethe train --mechanism loss-perturbation}
   * does, for comparison with the paper: {@code b'theta}, {@code b ~ N(0, sigma^2 I)}, is added to
   * the sum form, and the intercept is penalised. {@link Unlearner#unlearnSaved} removes from the
   * model, once; b is secret and is kept in the vault alone.
   *
   * @param featurizer fitted stages that make the column of features; saved before the model
   * @param rows that the featurizer reads
   * @param epsilon of the claim, in (0, 1]
   * @param delta of the claim, in (0, 1)
   * @param residual r: the gradient norm that a release may leave, sum form
   * @param path must not exist, on a file system that driver and executors share
   * @param vault confidential, apart from {@code path}; made if absent
   * @return the model that was saved
   * @throws InvalidInputException if a column, value or place cannot be used, {@link #loss} is not
   *     logistic, {@link #regParam} is 0, or {@link #gradientNorm} was not reached; nothing is
   *     written then
   * @throws IOException if writing fails; nothing is published then
   */
  public PipelineModel fitPerturbed(
      PipelineModel featurizer,
      Dataset<?> rows,
      double epsilon,
      double delta,
      double residual,
      String path,
      String vault)
      throws IOException {
    SparkSession spark = rows.sparkSession();
    try (SessionSettings pinned = SessionSettings.pin(spark)) {
      return (PipelineModel)
          reached(
              PerturbedTraining.calibrate(epsilon, delta, residual, vault)
                  .run(
                      spark,
                      featurizer,
                      rows,
                      trainable(),
                      objective(true),
                      "data",
                      solving.settings(this),
                      progress(spark),
                      path));
    } catch (InvalidInputException e) {
      throw ParamNames.in(e);
    }
  }

  private TrainableLoss trainable() {
    return Objects.requireNonNull(TrainableLoss.of((String) getOrDefault(loss)));
  }

  private TrainableLoss.Params objective(boolean perturbed) {
    return new TrainableLoss.Params(
        isDefined(regParam) ? (double) getOrDefault(regParam) : trainable().defaultRegParam(),
        (boolean) getOrDefault(standardization),
        (boolean) getOrDefault(fitIntercept),
        column(featuresCol),
        column(labelCol),
        isDefined(weightCol) ? column(weightCol) : null,
        perturbed);
  }

  private String column(Param<String> param) {
    return (String) getOrDefault(param);
  }

  /** {@return the loss, by its name on the command line; default logistic} */
  public Param<String> loss() {
    return loss;
  }

  /**
   * Sets {@link #loss}.
   *
   * @param value of it
   * @return this
   * @throws InvalidInputException if it is not allowed
   */
  public LinearEstimator setLoss(String value) {
    return with(loss, value);
  }

  /**
   * {@return regularization, on the mean form; where it is not set 1e-3, and for binomial, poisson
   * and gamma 0}
   */
  public DoubleParam regParam() {
    return regParam;
  }

  /**
   * Sets {@link #regParam}.
   *
   * @param value of it
   * @return this
   * @throws InvalidInputException if it is not allowed
   */
  public LinearEstimator setRegParam(double value) {
    return with(regParam, value);
  }

  /** {@return whether features are penalised as if they were standardised; default true} */
  public BooleanParam standardization() {
    return standardization;
  }

  /**
   * Sets {@link #standardization}.
   *
   * @param value of it
   * @return this
   * @throws InvalidInputException if it is not allowed
   */
  public LinearEstimator setStandardization(boolean value) {
    return with(standardization, value);
  }

  /** {@return whether there is an intercept; default true} */
  public BooleanParam fitIntercept() {
    return fitIntercept;
  }

  /**
   * Sets {@link #fitIntercept}.
   *
   * @param value of it
   * @return this
   * @throws InvalidInputException if it is not allowed
   */
  public LinearEstimator setFitIntercept(boolean value) {
    return with(fitIntercept, value);
  }

  /** {@return column of feature vectors; default {@code features}} */
  public Param<String> featuresCol() {
    return featuresCol;
  }

  /**
   * Sets {@link #featuresCol}.
   *
   * @param value of it
   * @return this
   * @throws InvalidInputException if it is not allowed
   */
  public LinearEstimator setFeaturesCol(String value) {
    return with(featuresCol, value);
  }

  /** {@return label column; default {@code label}} */
  public Param<String> labelCol() {
    return labelCol;
  }

  /**
   * Sets {@link #labelCol}.
   *
   * @param value of it
   * @return this
   * @throws InvalidInputException if it is not allowed
   */
  public LinearEstimator setLabelCol(String value) {
    return with(labelCol, value);
  }

  /** {@return weight column; none by default} */
  public Param<String> weightCol() {
    return weightCol;
  }

  /**
   * Sets {@link #weightCol}.
   *
   * @param value of it
   * @return this
   * @throws InvalidInputException if it is not allowed
   */
  public LinearEstimator setWeightCol(String value) {
    return with(weightCol, value);
  }

  /** {@return how the Newton systems are solved, auto, cg or cholesky; default auto} */
  public Param<String> solver() {
    return solving.solver();
  }

  /**
   * Sets {@link #solver}.
   *
   * @param value of it
   * @return this
   * @throws InvalidInputException if it is not allowed
   */
  public LinearEstimator setSolver(String value) {
    return with(solving.solver(), value);
  }

  /** {@return what conjugate gradient is preconditioned by; default auto} */
  public Param<String> preconditioner() {
    return solving.preconditioner();
  }

  /**
   * Sets {@link #preconditioner}.
   *
   * @param value auto, jacobi, nystrom or sample
   * @return this
   * @throws InvalidInputException if it is none of these
   */
  public LinearEstimator setPreconditioner(String value) {
    return with(solving.preconditioner(), value);
  }

  /** {@return Newton steps at most; default 50} */
  public IntParam maxSteps() {
    return solving.maxSteps();
  }

  /**
   * Sets {@link #maxSteps}.
   *
   * @param value of it
   * @return this
   * @throws InvalidInputException if it is not allowed
   */
  public LinearEstimator setMaxSteps(int value) {
    return with(solving.maxSteps(), value);
  }

  /** {@return conjugate gradient iterations in one step at most; default 1000} */
  public IntParam maxCgIterations() {
    return solving.maxCgIterations();
  }

  /**
   * Sets {@link #maxCgIterations}.
   *
   * @param value of it
   * @return this
   * @throws InvalidInputException if it is not allowed
   */
  public LinearEstimator setMaxCgIterations(int value) {
    return with(solving.maxCgIterations(), value);
  }

  /** {@return partitions of the cached data; default 0, the data's own, at least the cores} */
  public IntParam partitions() {
    return solving.partitions();
  }

  /**
   * Sets {@link #partitions}.
   *
   * @param value of it
   * @return this
   * @throws InvalidInputException if it is not allowed
   */
  public LinearEstimator setPartitions(int value) {
    return with(solving.partitions(), value);
  }

  /** {@return mean-form gradient norm to reach; default 1e-9} */
  public DoubleParam gradientNorm() {
    return solving.gradientNorm();
  }

  /**
   * Sets {@link #gradientNorm}.
   *
   * @param value of it
   * @return this
   * @throws InvalidInputException if it is not allowed
   */
  public LinearEstimator setGradientNorm(double value) {
    return with(solving.gradientNorm(), value);
  }

  private LinearEstimator with(Param param, Object value) {
    SolverParams.requireAllowed(param, value);
    set(param, value);
    return this;
  }
}

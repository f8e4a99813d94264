package dev.lethe.spark.api;

import dev.lethe.core.model.ParameterLayout;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.job.CorrectedModel;
import dev.lethe.spark.job.CorrectedTable;
import dev.lethe.spark.job.EarlierRelease;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.LoadedModel;
import dev.lethe.spark.job.ModelCorrection;
import dev.lethe.spark.job.Progress;
import dev.lethe.spark.job.SessionSettings;
import dev.lethe.spark.job.Training;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.job.UnlearnOptions;
import dev.lethe.spark.job.Verification;
import dev.lethe.spark.job.VerifyJob;
import dev.lethe.spark.job.VerifyOptions;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.param.BooleanParam;
import org.apache.spark.ml.param.DoubleParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.JavaParams;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * Removes features, labels and rows from fitted Spark ML models, as if these had been trained on
 * the corrected data, and certifies the result. All that {@code lethe unlearn}, {@code verify},
 * {@code apply} and {@code train --like} do, on models and datasets in memory.
 *
 * <pre>{@code
 * UnlearnRequest request =
 *     UnlearnRequest.builder("ticket-118")
 *         .removeFeatures("race")
 *         .removeRows("user_id = 'u-4711'")
 *         .certificate(0.1, 1e-4, 1e-8)
 *         .build();
 * try (UnlearnedModel unlearned = new Unlearner().unlearn(model, data, request)) {
 *   unlearned.model().transform(newRows).show();
 * }
 * }</pre>
 *
 * <p>A model is a {@code PipelineModel}, a predictor alone, or a {@code CrossValidatorModel} or
 * {@code TrainValidationSplitModel} of these; {@code docs/models.md} says which predictors. Every
 * method works in the session of its data; while it does, coalescing of shuffle partitions is off
 * there. Defaults of the params are those of the command line, and for the same rows in the same
 * partitions the un-noised parameters are the same to the last bit. A failure names the param or
 * argument; it quotes no cell of the data:
 *
 * <ul>
 *   <li>{@link InvalidInputException} if something given cannot be used;
 *   <li>{@link dev.lethe.spark.SparkFailedException} if Spark did not finish.
 * </ul>
 */
public final class Unlearner extends JavaParams {
  private static final long serialVersionUID = 1L;

  private final String uid;
  private final Param<String> labelCol;
  private final Param<String> weightCol;
  private final BooleanParam keepState;
  private final SolverParams solving;

  /** With a random uid. */
  public Unlearner() {
    this(Identifiable$.MODULE$.randomUID("unlearner"));
  }

  /**
   * With a given uid.
   *
   * @param uid identifies this object, as in Spark ML
   */
  public Unlearner(String uid) {
    this.uid = uid;
    labelCol =
        new Param<>(
            this,
            "labelCol",
            "the data's label column; where it is not set, the one that the model was fitted with");
    weightCol =
        new Param<>(
            this,
            "weightCol",
            "the data's weight column, for correctedData without a model; a model has its own");
    keepState =
        new BooleanParam(
            this,
            "keepState",
            "whether unlearning keeps what lets the next request that touches few rows do without"
                + " the others; it takes TrainingData.originalTable");
    setDefault(keepState, false);
    solving = SolverParams.of(this, "retrain");
    solving.setDefaults(this);
  }

  @Override
  public String uid() {
    return uid;
  }

  @Override
  public Unlearner copy(ParamMap extra) {
    return defaultCopy(extra);
  }

  /** {@return the data's label column} */
  public Param<String> labelCol() {
    return labelCol;
  }

  /** {@return the data's weight column, for {@link #correctedData} without a model} */
  public Param<String> weightCol() {
    return weightCol;
  }

  /** {@return whether unlearning keeps a state for the next request; default false} */
  public BooleanParam keepState() {
    return keepState;
  }

  /** {@return how the Newton systems are solved; default {@code auto}} */
  public Param<String> solver() {
    return solving.solver();
  }

  /** {@return what conjugate gradient is preconditioned by; default {@code auto}} */
  public Param<String> preconditioner() {
    return solving.preconditioner();
  }

  /** {@return Newton steps at most; default 50} */
  public IntParam maxSteps() {
    return solving.maxSteps();
  }

  /** {@return conjugate gradient iterations in one step at most; default 1000} */
  public IntParam maxCgIterations() {
    return solving.maxCgIterations();
  }

  /** {@return partitions of the cached data; default 0, the data's own, at least the cores} */
  public IntParam partitions() {
    return solving.partitions();
  }

  /** {@return mean-form gradient norm that {@link #retrain} has to reach; default 1e-9} */
  public DoubleParam gradientNorm() {
    return solving.gradientNorm();
  }

  /**
   * Sets {@link #labelCol}.
   *
   * @param value a column
   * @return this
   */
  public Unlearner setLabelCol(String value) {
    return with(labelCol, value);
  }

  /**
   * Sets {@link #weightCol}.
   *
   * @param value a column
   * @return this
   */
  public Unlearner setWeightCol(String value) {
    return with(weightCol, value);
  }

  /**
   * Sets {@link #keepState}.
   *
   * @param value whether {@link #unlearn} and {@link #unlearnSaved} keep a state
   * @return this
   */
  public Unlearner setKeepState(boolean value) {
    return with(keepState, value);
  }

  /**
   * Sets {@link #solver}.
   *
   * @param value auto, cg or cholesky
   * @return this
   * @throws InvalidInputException if it is none of auto, cg and cholesky
   */
  public Unlearner setSolver(String value) {
    return with(solving.solver(), value);
  }

  /**
   * Sets {@link #preconditioner}.
   *
   * @param value auto, jacobi, nystrom or sample
   * @return this
   * @throws InvalidInputException if it is none of these
   */
  public Unlearner setPreconditioner(String value) {
    return with(solving.preconditioner(), value);
  }

  /**
   * Sets {@link #maxSteps}.
   *
   * @param value at least 1
   * @return this
   * @throws InvalidInputException if it is below 1
   */
  public Unlearner setMaxSteps(int value) {
    return with(solving.maxSteps(), value);
  }

  /**
   * Sets {@link #maxCgIterations}.
   *
   * @param value at least 1
   * @return this
   * @throws InvalidInputException if it is below 1
   */
  public Unlearner setMaxCgIterations(int value) {
    return with(solving.maxCgIterations(), value);
  }

  /**
   * Sets {@link #partitions}.
   *
   * @param value at least 0
   * @return this
   * @throws InvalidInputException if it is below 0
   */
  public Unlearner setPartitions(int value) {
    return with(solving.partitions(), value);
  }

  /**
   * Sets {@link #gradientNorm}.
   *
   * @param value positive and finite
   * @return this
   * @throws InvalidInputException if it is not
   */
  public Unlearner setGradientNorm(double value) {
    return with(solving.gradientNorm(), value);
  }

  /** {@return the label column that is set; empty for the model's} */
  public Optional<String> getLabelCol() {
    return Optional.ofNullable(valueOf(labelCol));
  }

  /** {@return the weight column that is set, if any} */
  public Optional<String> getWeightCol() {
    return Optional.ofNullable(valueOf(weightCol));
  }

  /** {@return whether a state is kept} */
  public boolean getKeepState() {
    return (boolean) getOrDefault(keepState);
  }

  /** {@return the solver} */
  public String getSolver() {
    return getOrDefault(solving.solver());
  }

  /** {@return the value of {@link #preconditioner}} */
  public String getPreconditioner() {
    return getOrDefault(solving.preconditioner());
  }

  /** {@return Newton steps at most} */
  public int getMaxSteps() {
    return (int) getOrDefault(solving.maxSteps());
  }

  /** {@return conjugate gradient iterations in one step at most} */
  public int getMaxCgIterations() {
    return (int) getOrDefault(solving.maxCgIterations());
  }

  /** {@return partitions of the cached data, or 0} */
  public int getPartitions() {
    return (int) getOrDefault(solving.partitions());
  }

  /** {@return the gradient norm of {@link #retrain}} */
  public double getGradientNorm() {
    return (double) getOrDefault(solving.gradientNorm());
  }

  /**
   * Makes a model forget, from its original rows.
   *
   * @param model fitted
   * @param data the rows that it was trained on
   * @param request what to forget
   * @return the model and its certificate
   */
  public UnlearnedModel unlearn(Transformer model, Dataset<?> data, UnlearnRequest request) {
    return unlearn(model, TrainingData.original(data), request);
  }

  /**
   * Makes a model forget.
   *
   * @param model fitted
   * @param data the rows that it was trained on, and how their correction arrives
   * @param request what to forget
   * @return the model and its certificate
   */
  public UnlearnedModel unlearn(Transformer model, TrainingData data, UnlearnRequest request) {
    return unlearn(given(model), EarlierRelease.NONE, null, data, request);
  }

  /**
   * Makes a model forget that has been unlearned before: what its certificate says was removed
   * stays removed.
   *
   * @param model as it was published
   * @param modelCertificate of that release
   * @param data the rows of that model, and how their correction arrives
   * @param request what to forget
   * @return the model and its certificate
   */
  public UnlearnedModel unlearn(
      Transformer model, Certificate modelCertificate, TrainingData data, UnlearnRequest request) {
    LoadedModel loaded = given(model);
    return unlearn(loaded, earlier(modelCertificate, loaded), null, data, request);
  }

  /**
   * Makes a model forget more. If {@link #keepState} was set when it was unlearned, and is set now,
   * a request that touches few rows reads these alone where a bound proves that this suffices
   * ({@code docs/kept-state.md}); {@link UnlearnedModel#notes} say so if it does not.
   *
   * @param before a release in memory, open or closed
   * @param data the rows as they were before {@code before}: a state is of the original table
   * @param request all changes so far in their order, and the new ones
   * @return the model and its certificate
   */
  public UnlearnedModel unlearn(UnlearnedModel before, TrainingData data, UnlearnRequest request) {
    UnlearnedModel unlearned =
        unlearn(
            before.corrected().model(),
            EarlierRelease.of(before.certificate()),
            getKeepState() ? before.state() : null,
            data,
            request);
    unlearned.corrected().supersede(before.corrected());
    return unlearned;
  }

  private UnlearnedModel unlearn(
      LoadedModel model,
      EarlierRelease earlier,
      byte @Nullable [] state,
      TrainingData data,
      UnlearnRequest request) {
    return within(
        data.session(),
        () -> {
          ModelCorrection correction =
              new ModelCorrection(
                  data.session(),
                  model,
                  earlier,
                  null,
                  data.tables(),
                  valueOf(labelCol),
                  request.request(),
                  request.name(),
                  data.test(),
                  solving.linearSolver(this),
                  getMaxSteps(),
                  getMaxCgIterations(),
                  getPartitions(),
                  solving.preconditioning(this),
                  getKeepState()
                      ? ModelCorrection.State.of(
                          data.session(), state, model, data.tables(), valueOf(labelCol))
                      : null);
          CorrectedModel corrected =
              correction.run(Progress.quiet(data.session(), "Lethe unlearn " + request.id()));
          return UnlearnedModel.of(data.session(), corrected);
        });
  }

  /**
   * Makes a saved model forget and publishes it, as {@code lethe unlearn} does: the one way for a
   * model that {@link LinearEstimator#fitPerturbed} wrote, whose secret term is in the vault.
   *
   * @param model directory of it, with its certificate beside it if it is of an earlier release
   * @param data the rows that it was trained on, and how their correction arrives
   * @param request what to forget
   * @param path must not exist; {@code path/model} and {@code path/certificate.json} appear there
   *     in one step
   * @param vault confidential, apart from {@code path}; made if absent
   * @return the certificate that was written
   * @throws InvalidInputException if something given cannot be used; nothing is published then
   * @throws IOException if writing fails; nothing is published then
   */
  public Certificate unlearnSaved(
      String model, TrainingData data, UnlearnRequest request, String path, String vault)
      throws IOException {
    UnlearnOptions options =
        new UnlearnOptions(
            model,
            null,
            data.tables(),
            valueOf(labelCol),
            null,
            path,
            vault,
            data.test(),
            solving.linearSolver(this),
            getMaxSteps(),
            getMaxCgIterations(),
            getPartitions(),
            solving.preconditioning(this),
            getKeepState());
    try (SessionSettings pinned = SessionSettings.pin(data.session())) {
      return new UnlearnJob(options, data.session())
          .run(request.request(), request.name())
          .certificate();
    } catch (InvalidInputException e) {
      throw ParamNames.in(e);
    }
  }

  /**
   * Checks the public claims of a certificate about a model in memory: that it is of this model,
   * and that its figures support what it says.
   *
   * @param model as {@link UnlearnedModel#model} gave it
   * @param certificate as {@link UnlearnedModel#certificate} gave it
   * @param spark any session
   * @return every check; the claims hold if all have passed
   */
  public List<Check> verify(Transformer model, Certificate certificate, SparkSession spark) {
    LoadedModel loaded = given(model);
    return within(
        spark,
        () ->
            new Verification(spark, certificate, loaded, loaded.parametersDigest(), null)
                .run(Progress.quiet(spark, "Lethe verify " + certificate.requestId()))
                .checks());
  }

  /**
   * Checks an unlearning in memory as {@code lethe verify} checks a saved one: the public claims,
   * and the evidence computed again from the data, with no code of the update.
   *
   * @param unlearned with its evidence
   * @param original the model before
   * @param data as it was unlearned with
   * @param request as it was unlearned with
   * @return every check; the claims hold if all have passed
   */
  public List<Check> verify(
      UnlearnedModel unlearned, Transformer original, TrainingData data, UnlearnRequest request) {
    LoadedModel before = given(original);
    Certificate certificate = unlearned.certificate();
    LoadedModel published = unlearned.corrected().model();
    return within(
        data.session(),
        () ->
            new Verification(
                    data.session(),
                    certificate,
                    published,
                    published.parametersDigest(),
                    new Verification.Confidential(
                        unlearned.key(),
                        unlearned.evidence(),
                        data.tables(),
                        valueOf(labelCol),
                        request.request(),
                        request.name(),
                        before,
                        unlearned.corrected().earlier(),
                        null,
                        getPartitions()))
                .run(Progress.quiet(data.session(), "Lethe verify " + certificate.requestId()))
                .checks());
  }

  /**
   * Checks a release that {@link UnlearnedModel#save} or {@code lethe unlearn} wrote, as {@code
   * lethe verify --vault} does.
   *
   * @param path of the release
   * @param vault with its evidence
   * @param data as it was unlearned with
   * @param request as it was unlearned with
   * @return every check; the claims hold if all have passed
   * @throws IOException if something cannot be read
   */
  public List<Check> verifySaved(
      String path, String vault, TrainingData data, UnlearnRequest request) throws IOException {
    return verifySaved(saved(path, vault, data, null), data, request);
  }

  /**
   * The same with {@code --original-model}: stages and hyperparameters are checked against the
   * model before.
   *
   * @param path of the release
   * @param vault with its evidence
   * @param originalModel directory of the model before, with its certificate beside it if it is of
   *     an earlier release
   * @param data as it was unlearned with
   * @param request as it was unlearned with
   * @return every check; the claims hold if all have passed
   * @throws IOException if something cannot be read
   */
  public List<Check> verifySaved(
      String path, String vault, String originalModel, TrainingData data, UnlearnRequest request)
      throws IOException {
    return verifySaved(saved(path, vault, data, originalModel), data, request);
  }

  /**
   * Checks a release against the data as they are now, as {@code lethe verify --vault --corrected}
   * does without a request: that the figures hold on these rows, not that a request was carried
   * out.
   *
   * @param path of the release
   * @param vault with its evidence
   * @param corrected {@link TrainingData#corrected}
   * @return every check; the claims hold if all have passed
   * @throws InvalidInputException if the data are others than corrected ones alone
   * @throws IOException if something cannot be read
   */
  public List<Check> verifySaved(String path, String vault, TrainingData corrected)
      throws IOException {
    if (!(corrected.tables() instanceof GivenTables.Corrected)) {
      throw new InvalidInputException(
          "corrected: without a request, allowed are the corrected rows alone,"
              + " TrainingData.corrected: from original rows nobody can tell what was changed");
    }
    return verifySaved(saved(path, vault, corrected, null), corrected.session());
  }

  /**
   * Checks the public claims of a release that {@link UnlearnedModel#save} or {@code lethe unlearn}
   * wrote, as {@code lethe verify} does without a vault.
   *
   * @param path of the release
   * @param spark any session
   * @return every check; the claims hold if all have passed
   * @throws IOException if something cannot be read
   */
  public List<Check> verifySaved(String path, SparkSession spark) throws IOException {
    return verifySaved(saved(path, null, null, null), spark);
  }

  private static List<Check> verifySaved(VerifyOptions options, SparkSession spark)
      throws IOException {
    try (SessionSettings pinned = SessionSettings.pin(spark)) {
      return new VerifyJob(options, spark).run().checks();
    } catch (InvalidInputException e) {
      throw ParamNames.in(e);
    }
  }

  private static List<Check> verifySaved(
      VerifyOptions options, TrainingData data, UnlearnRequest request) throws IOException {
    try (SessionSettings pinned = SessionSettings.pin(data.session())) {
      return new VerifyJob(options, data.session()).run(request.request(), request.name()).checks();
    } catch (InvalidInputException e) {
      throw ParamNames.in(e);
    }
  }

  private VerifyOptions saved(
      String path,
      @Nullable String vault,
      @Nullable TrainingData data,
      @Nullable String originalModel) {
    return new VerifyOptions(
        path + "/certificate.json",
        path + "/model",
        vault,
        data == null ? null : data.tables(),
        valueOf(labelCol),
        null,
        originalModel,
        null,
        getPartitions());
  }

  /**
   * The corrected rows, as {@code lethe apply} writes them.
   *
   * @param model that reads the data; says which column is the label
   * @param data original rows, and perhaps corrected ones that overwrite them
   * @param request what to change
   * @return the rows and what was counted
   */
  public CorrectedData correctedData(Transformer model, TrainingData data, UnlearnRequest request) {
    return correctedData(given(model), EarlierRelease.NONE, data, request);
  }

  /**
   * The corrected rows for a model that has been unlearned before: they may lack what its
   * certificate says was removed.
   *
   * @param model as it was published
   * @param modelCertificate of that release
   * @param data original rows, and perhaps corrected ones that overwrite them
   * @param request what to change
   * @return the rows and what was counted
   */
  public CorrectedData correctedData(
      Transformer model, Certificate modelCertificate, TrainingData data, UnlearnRequest request) {
    LoadedModel loaded = given(model);
    return correctedData(loaded, earlier(modelCertificate, loaded), data, request);
  }

  /**
   * The same without a model; {@link #labelCol} must be set, and {@link #weightCol} if there is
   * one.
   *
   * @param data original rows, and perhaps corrected ones that overwrite them
   * @param request what to change
   * @return the rows and what was counted
   */
  public CorrectedData correctedData(TrainingData data, UnlearnRequest request) {
    if (valueOf(labelCol) == null) {
      throw new InvalidInputException("labelCol: must be set where no model is given");
    }
    return correctedData((LoadedModel) null, EarlierRelease.NONE, data, request);
  }

  private CorrectedData correctedData(
      @Nullable LoadedModel model,
      EarlierRelease earlier,
      TrainingData data,
      UnlearnRequest request) {
    if (!(data.tables() instanceof GivenTables.Original
        || data.tables() instanceof GivenTables.Overwritten)) {
      throw new InvalidInputException(
          "data: the corrected rows are given already; allowed are original rows, or original rows"
              + " and corrections");
    }
    return within(
        data.session(),
        () -> {
          CorrectedTable table =
              CorrectedTable.of(
                  data.session(),
                  data.tables(),
                  valueOf(labelCol),
                  valueOf(weightCol),
                  model,
                  earlier,
                  request.request(),
                  request.name());
          CorrectedTable.Inspected found = table.inspect();
          return new CorrectedData(
              table.rows(),
              found.impact().touchedRows(),
              found.impact().removedRows(),
              found.overwritten(),
              table.dropped(),
              table.notApplied());
        });
  }

  /**
   * Trains a model's objective from zero on the corrected data, to {@link #gradientNorm}: what the
   * certificate compares with. Featurizer stages and hyperparameters are the model's.
   *
   * @param model fitted, never unlearned: what an earlier release removed would come back
   * @param data the rows that it was trained on, and how their correction arrives
   * @param request what is corrected
   * @return what was reached
   */
  public RetrainedModel retrain(Transformer model, TrainingData data, UnlearnRequest request) {
    return train(given(model), EarlierRelease.NONE, data, request);
  }

  /**
   * The same for a model that has been unlearned before: what its certificate says was removed
   * stays removed.
   *
   * @param model as it was published
   * @param modelCertificate of that release
   * @param data the rows of that model, and how their correction arrives
   * @param request what is corrected
   * @return what was reached
   */
  public RetrainedModel retrain(
      Transformer model, Certificate modelCertificate, TrainingData data, UnlearnRequest request) {
    LoadedModel loaded = given(model);
    return train(loaded, earlier(modelCertificate, loaded), data, request);
  }

  /**
   * Trains a model's objective from zero, to {@link #gradientNorm}.
   *
   * @param model fitted, never unlearned: what an earlier release removed would come back
   * @param data rows
   * @return what was reached
   */
  public RetrainedModel retrain(Transformer model, Dataset<?> data) {
    return train(given(model), EarlierRelease.NONE, TrainingData.original(data), null);
  }

  /**
   * The same for a model that has been unlearned before: what its certificate says was removed
   * stays removed.
   *
   * @param model as it was published
   * @param modelCertificate of that release
   * @param data rows
   * @return what was reached
   */
  public RetrainedModel retrain(Transformer model, Certificate modelCertificate, Dataset<?> data) {
    LoadedModel loaded = given(model);
    return train(loaded, earlier(modelCertificate, loaded), TrainingData.original(data), null);
  }

  private RetrainedModel train(
      LoadedModel model,
      EarlierRelease earlier,
      TrainingData data,
      @Nullable UnlearnRequest request) {
    Progress progress = Progress.quiet(data.session(), "Lethe train");
    return within(
        data.session(),
        () -> {
          Training.Trained trained =
              Training.like(
                      data.session(),
                      model,
                      earlier,
                      data.tables(),
                      valueOf(labelCol),
                      request == null ? null : request.request(),
                      request == null ? "" : request.name(),
                      getPartitions(),
                      progress)
                  .run(solving.settings(this), progress);
          return new RetrainedModel(
              Optional.ofNullable(trained.model()),
              trained.parameters(),
              trained.gradientNorm(),
              trained.roundingBound(),
              trained.rows());
        });
  }

  private static LoadedModel given(Transformer model) {
    return LoadedModel.of(model, "model", model.uid());
  }

  /**
   * What the certificate says was removed from the model. One of files says nothing of a model in
   * memory but what can be seen in it.
   */
  private static EarlierRelease earlier(Certificate certificate, LoadedModel model) {
    double[] theta = model.linear().parameters();
    boolean same =
        certificate.modelDigest().algorithm().equals(ModelDigest.OF_PARAMETERS)
            ? certificate.modelDigest().equals(model.parametersDigest())
            : certificate.parameters() == theta.length
                && certificate.zeroCoefficients().stream().allMatch(slot -> isZero(model, slot));
    if (!same) {
      throw new InvalidInputException(
          "modelCertificate " + certificate.certificateId() + ": is not of this model");
    }
    return EarlierRelease.of(certificate);
  }

  private static boolean isZero(LoadedModel model, int slot) {
    ParameterLayout layout = model.linear().layout();
    double[] theta = model.linear().parameters();
    return slot < layout.features()
        && IntStream.range(0, layout.margins())
            .allMatch(margin -> theta[layout.coefficient(margin, slot)] == 0);
  }

  private @Nullable String valueOf(Param<String> param) {
    return isDefined(param) ? getOrDefault(param) : null;
  }

  private <T> Unlearner with(Param<T> param, T value) {
    SolverParams.requireAllowed(param, value);
    set(param, value);
    return this;
  }

  private static <T> T within(SparkSession spark, Supplier<T> work) {
    try (SessionSettings pinned = SessionSettings.pin(spark)) {
      return work.get();
    } catch (InvalidInputException e) {
      throw ParamNames.in(e);
    }
  }
}

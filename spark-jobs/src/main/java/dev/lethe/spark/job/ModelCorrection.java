package dev.lethe.spark.job;

import dev.lethe.core.certify.OutputMechanism;
import dev.lethe.core.certify.PublicationGrid;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.objective.KeptSums;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.Preconditioning;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.Perturbation;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.data.Table;
import dev.lethe.spark.request.CertificateTerms;
import dev.lethe.spark.request.Method;
import dev.lethe.spark.request.Request;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * Changes a model as if it had been trained on the corrected data, in memory: what {@code lethe
 * unlearn} and the Java API do.
 *
 * <ol>
 *   <li>check the request, the model and the tables;
 *   <li>fit the featurizer again, if the request says so;
 *   <li>read the corrected rows into blocks, one pass;
 *   <li>update the parameters until their distance to the minimiser on the corrected data is proven
 *       to be at most rho;
 *   <li>add noise, if a certificate is asked for.
 * </ol>
 *
 * <p>A model that was trained with loss perturbation is updated until its residual is proven to be
 * at most r, and gets no noise.
 *
 * @param model the model before
 * @param earlier what an earlier release removed from it
 * @param perturbation of the model's loss; null for an ordinary model
 * @param tables the data, before or after or both
 * @param label the table's label column, or null for the one that the model was fitted with
 * @param request what to forget
 * @param requestName names the request, for messages
 * @param test test data, or null
 * @param solver of the Newton systems, or null to choose by the number of coordinates
 * @param maxSteps of the refinement
 * @param maxCgIterations in one Newton step
 * @param partitions 0 for the source's own
 * @param preconditioning of conjugate gradient, or null for the one that is worth its cost
 * @param state whether a state is kept, and what was kept with the model before; null to keep none
 * @param resuming where the refinement keeps checkpoints and starts from one; null to keep none
 */
public record ModelCorrection(
    SparkSession spark,
    LoadedModel model,
    EarlierRelease earlier,
    @Nullable Perturbation perturbation,
    GivenTables tables,
    @Nullable String label,
    Request request,
    String requestName,
    @Nullable Table test,
    @Nullable LinearSolver solver,
    int maxSteps,
    int maxCgIterations,
    int partitions,
    @Nullable Preconditioning preconditioning,
    @Nullable State state,
    @Nullable Resuming resuming) {

  /** Without checkpoints. */
  public ModelCorrection(
      SparkSession spark,
      LoadedModel model,
      EarlierRelease earlier,
      @Nullable Perturbation perturbation,
      GivenTables tables,
      @Nullable String label,
      Request request,
      String requestName,
      @Nullable Table test,
      @Nullable LinearSolver solver,
      int maxSteps,
      int maxCgIterations,
      int partitions,
      @Nullable Preconditioning preconditioning,
      @Nullable State state) {
    this(
        spark,
        model,
        earlier,
        perturbation,
        tables,
        label,
        request,
        requestName,
        test,
        solver,
        maxSteps,
        maxCgIterations,
        partitions,
        preconditioning,
        state,
        null);
  }

  /** The same, keeping checkpoints. */
  public ModelCorrection resuming(Resuming resuming) {
    return with(state, resuming);
  }

  private ModelCorrection with(@Nullable State state, @Nullable Resuming resuming) {
    return new ModelCorrection(
        spark,
        model,
        earlier,
        perturbation,
        tables,
        label,
        request,
        requestName,
        test,
        solver,
        maxSteps,
        maxCgIterations,
        partitions,
        preconditioning,
        state,
        resuming);
  }

  /**
   * That a refinement keeps checkpoints, so that another process can go on when this one ends.
   *
   * @param checkpoints of this run
   * @param of what the run does, to tell its checkpoints from others'
   * @param interval the least time between two of them
   */
  public record Resuming(Checkpoints checkpoints, String of, Duration interval) {
    /** Deletes the checkpoint; if that fails, a sentence for the operator. */
    Optional<String> forget() {
      try {
        checkpoints.delete();
        return Optional.empty();
      } catch (RuntimeException e) {
        return Optional.of(
            "a checkpoint is left, which holds parameters without noise; delete it: "
                + Resumption.words(e));
      }
    }
  }

  /**
   * That a state is kept for the next request.
   *
   * @param before what was kept with the model before, if anything; the run changes it
   * @param table {@link TableFiles#digest} when the run began; null where there is none
   */
  public record State(@Nullable KeptState before, @Nullable String table) {
    /**
     * As the run begins.
     *
     * @param before what was kept with the model, as {@link KeptState#toBytes} wrote it
     * @param tables {@linkplain GivenTables#lookedUp looked up}
     * @param label the table's label column, or null for the model's
     */
    public static State of(
        SparkSession spark,
        byte @Nullable [] before,
        LoadedModel model,
        GivenTables tables,
        @Nullable String label) {
      return new State(
          before == null ? null : KeptState.read(before, model.linear()),
          TableFiles.digest(spark, tables.tables().get(0), model.tableLabel(label)).orElse(null));
    }
  }

  /** The table's files are still those with which the run began. */
  boolean isSameTable() {
    return state != null
        && state.table() != null
        && TableFiles.digest(spark, tables.tables().get(0), tableLabel())
            .filter(state.table()::equals)
            .isPresent();
  }

  /** Names the data, for messages. */
  String place() {
    return tables.name();
  }

  /**
   * Runs; the result keeps the corrected examples in Spark's cache until it is closed.
   *
   * @throws InvalidInputException if something given cannot be used
   */
  public CorrectedModel run(Progress progress) {
    long begin = System.nanoTime();
    RequestedChange requested = checked();
    CorrectedRows.Found found = requested.inspect(progress, place());
    Evidence.@Nullable Metrics before = metricsBefore();
    KeptSums followed = null;
    String unused = null;
    if (state != null) {
      BoundedChange bounded = BoundedChange.of(this, requested, state, progress);
      if (bounded.reason() == null) {
        return released(
            Objects.requireNonNull(bounded.problem()),
            requested,
            found,
            Objects.requireNonNull(bounded.result()),
            before,
            null,
            bounded.kept(),
            notes(found.unchecked()),
            progress,
            begin);
      }
      unused = "the kept state did not stand for the data: " + bounded.reason();
      followed = bounded.kept();
    }
    RequestedChange change = requested.refitted(progress, partitions, place());
    ExampleTable.Columns columns = columns(change);
    CorrectedProblem problem =
        CorrectedProblem.open(
            change.corrected(),
            columns,
            change.model().linear(),
            change.removedSlots(),
            perturbation == null ? null : perturbation.b(),
            ModelUpdate.rho(request),
            partitions,
            progress,
            place());
    try {
      Resumption resumption = new Resumption(resuming);
      UnlearningResult unlearning = updated(problem, change, followed, resumption, progress);
      List<String> notes = notes(found.unchecked());
      notes.addAll(resumption.notes());
      if (unused != null) {
        notes.add(unused);
      }
      return released(
          problem, change, found, unlearning, before, null, null, notes, progress, begin);
    } catch (RuntimeException e) {
      problem.close();
      throw e;
    }
  }

  /**
   * Checks all that can be checked without reading rows.
   *
   * @throws InvalidInputException if something given cannot be used
   */
  RequestedChange checked() {
    requirePerturbation();
    requireWritableTuning();
    RequestedChange requested =
        RequestedChange.of(
            spark, request, requestName, model, earlier.removedSlots(), tables, tableLabel());
    requireGridFits(kept(requested), noisy(requested));
    return requested;
  }

  /** Updates the parameters. */
  UnlearningResult updated(CorrectedProblem problem, RequestedChange change, Progress progress) {
    return updated(problem, change, null, new Resumption(null), progress);
  }

  private UnlearningResult updated(
      CorrectedProblem problem,
      RequestedChange change,
      @Nullable KeptSums followed,
      Resumption resumption,
      Progress progress) {
    UnlearningResult unlearning =
        new ModelUpdate(
                this,
                problem,
                change,
                columns(change),
                change.model(),
                followed,
                resumption,
                progress)
            .run();
    requireResidual(unlearning);
    return unlearning;
  }

  /**
   * Adds the noise.
   *
   * @param before metrics of the old model
   * @param digests of the examples
   * @param begin {@link System#nanoTime} when the work began
   */
  CorrectedModel released(
      CorrectedProblem problem,
      RequestedChange change,
      CorrectedRows.Found found,
      UnlearningResult unlearning,
      Evidence.@Nullable Metrics before,
      @Nullable ExampleDigests digests,
      Progress progress,
      long begin) {
    return released(
        problem,
        change,
        found,
        unlearning,
        before,
        digests,
        null,
        notes(found.unchecked()),
        progress,
        begin);
  }

  private CorrectedModel released(
      CorrectedProblem problem,
      RequestedChange change,
      CorrectedRows.Found found,
      UnlearningResult unlearning,
      Evidence.@Nullable Metrics before,
      @Nullable ExampleDigests digests,
      @Nullable KeptSums followed,
      List<String> notes,
      Progress progress,
      long begin) {
    ReleaseDocuments documents =
        new ReleaseDocuments(
            forgettingStateBefore(),
            problem,
            change,
            found.difference(),
            tableLabel(),
            unlearning,
            digests,
            progress,
            followed);
    return CorrectedModel.of(documents, before, notes, begin);
  }

  /** Without the state before, which has done its work, and is large. */
  private ModelCorrection forgettingStateBefore() {
    return state == null || state.before() == null
        ? this
        : with(new State(null, state.table()), resuming);
  }

  private String tableLabel() {
    return model.tableLabel(label);
  }

  /** The columns of the featurised rows. */
  ExampleTable.Columns columns(RequestedChange change) {
    return change.model().columns(tableLabel());
  }

  /** Metrics of the model before, if there is test data. */
  Evidence.@Nullable Metrics metricsBefore() {
    return metrics(model, tableLabel());
  }

  /** Another model that cannot be saved is of use in memory; of a tuning, its best model is. */
  private void requireWritableTuning() {
    if (model.featurizer().tuning().isEmpty()) {
      return;
    }
    try {
      ModelStore.requireWritable(model.transformer());
    } catch (InvalidInputException e) {
      throw new InvalidInputException(
          "model: a tuning must be such that it can be saved, or give its best model alone: "
              + e.getMessage(),
          e);
    }
  }

  private void requirePerturbation() {
    if (perturbation == null && model.linear().isPerturbed()) {
      throw new InvalidInputException(
          "model: was trained with loss perturbation, and the secret term of its objective is in a"
              + " vault; lethe unlearn takes it from there");
    }
  }

  /** Refuses to publish what its mechanism does not cover, so that b is not used up for nothing. */
  private void requireResidual(UnlearningResult unlearning) {
    if (perturbation == null
        || unlearning.end().measurement().residualBound() <= perturbation.residual()) {
      return;
    }
    String remedy =
        request.method() != Method.REFINED
            ? "one step is not repeated; use method: refined"
            : unlearning.outcome() == UnlearningResult.Outcome.ROUNDING_LIMITED
                ? "rounding allows no less; train with a larger --residual"
                : "raise --max-steps or --max-cg-iterations, or try --solver cholesky";
    throw new InvalidInputException(
        requestName
            + ": the residual on the corrected data was not brought to r = "
            + perturbation.residual()
            + ", that of the model's training, so nothing was published and b is not used up: "
            + remedy);
  }

  private List<String> notes(List<String> uncheckedConditions) {
    List<String> notes = new ArrayList<>();
    if (earlier.note() != null) {
      notes.add(earlier.note());
    }
    for (String place : uncheckedConditions) {
      notes.add(
          place
              + " was not checked on the corrected table: it lacks a column that the condition"
              + " reads, or the request sets one");
    }
    return notes;
  }

  /** The coordinates that carry noise, as far as the request tells before the data are read. */
  private int noisy(RequestedChange change) {
    ParameterLayout layout = model.linear().layout();
    return layout.size() - layout.margins() * change.removedSlots().cardinality();
  }

  /** The old parameters without those that leave. */
  private double[] kept(RequestedChange change) {
    return model.linear().layout().without(change.removedSlots(), model.linear().parameters());
  }

  /**
   * Refuses terms whose noise the grid of the published parameters would not hide, before any pass.
   */
  void requireGridFits(double[] theta, int noisy) {
    CertificateTerms terms = request.certificate();
    if (terms == null) {
      return;
    }
    double deviation = mechanism(terms, theta.length, noisy).noise().deviation();
    visible(terms.rho(), deviation, Vectors.maxAbs(theta))
        .ifPresent(
            why -> {
              throw new InvalidInputException(requestName + ": " + why);
            });
  }

  /**
   * Why the grid of the published parameters would not hide their last bits; empty if it does.
   *
   * @param rho the proven distance
   * @param deviation sigma of the noise for it
   * @param largest the largest absolute parameter
   */
  static Optional<String> visible(double rho, double deviation, double largest) {
    if (deviation >= PublicationGrid.SMALLEST_SIGMA
        && PublicationGrid.of(deviation).fits(largest)) {
      return Optional.empty();
    }
    return Optional.of(
        "certificate.rho = "
            + rho
            + ": its noise, sigma = "
            + deviation
            + ", is below 100 steps of the grid that hides the last bits of a published double."
            + " The smallest rho for this epsilon, delta and model is "
            + PublicationGrid.smallestRho(deviation / rho, largest));
  }

  /**
   * @param noisy how many parameters get noise
   */
  OutputMechanism mechanism(CertificateTerms terms, int parameters, int noisy) {
    try {
      return OutputMechanism.calibrate(
          terms.epsilon(), terms.delta(), terms.rho(), parameters, noisy);
    } catch (IllegalArgumentException e) {
      throw new InvalidInputException(requestName + ": certificate: " + e.getMessage(), e);
    }
  }

  Evidence.@Nullable Metrics metrics(LoadedModel scored, String labelColumn) {
    return test == null ? null : TestMetrics.of(spark, scored, labelColumn, test);
  }
}

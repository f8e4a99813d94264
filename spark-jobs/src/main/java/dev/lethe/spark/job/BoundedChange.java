package dev.lethe.spark.job;

import dev.lethe.core.aggregate.Point;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.KeptSums;
import dev.lethe.core.unlearn.Unlearning;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.core.unlearn.UnlearningResult.Outcome;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.operator.DistributedExamples;
import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.Method;
import dev.lethe.spark.request.Request;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.jspecify.annotations.Nullable;

/**
 * A change of few rows by what was kept of the data before it: the rows that change are read, and
 * no others; the step's end is bounded, not measured.
 *
 * @param problem on the corrected data; null if no step was taken
 * @param kept the sums, which follow the corrected data by now where a step was taken; else null,
 *     or sums over data like these
 * @param result of the step
 * @param reason why the rows must be read all the same; null where the bound is within rho
 */
record BoundedChange(
    @Nullable CorrectedProblem problem,
    @Nullable KeptSums kept,
    @Nullable UnlearningResult result,
    @Nullable String reason) {

  private static BoundedChange none(String reason) {
    return none(reason, null);
  }

  private static BoundedChange none(String reason, @Nullable KeptSums kept) {
    return new BoundedChange(null, kept, null, reason);
  }

  /**
   * Takes the step.
   *
   * @param state what was kept with the model before, if anything
   */
  static BoundedChange of(
      ModelCorrection correction,
      RequestedChange change,
      ModelCorrection.State state,
      Progress progress) {
    Request request = change.request();
    KeptState before = state.before();
    if (before == null) {
      return none("none was kept with this model");
    }
    if (!(correction.tables() instanceof GivenTables.Original)) {
      return none("it follows a request on the table that it is of, given by --data");
    }
    if (request.method() != Method.REFINED
        || request.featurizer() == FeaturizerPolicy.REFIT
        || correction.perturbation() != null) {
      return none("it serves method refined, a featurizer that is kept, and noise on the output");
    }
    if (!before.table().equals(state.table())) {
      return none(
          "the table's files, or what decides how they are read, are not those that it is of");
    }
    if (!before.isContinuedBy(request)) {
      return none("the request does not begin with the changes that are in force");
    }
    boolean removesFeatures =
        request.changes().stream()
            .skip(before.changes())
            .anyMatch(Change.RemoveFeatures.class::isInstance);
    // a slot that a FeatureHasher fills from other columns as well does not leave with one of them
    if (removesFeatures || !before.removed().equals(change.removedSlots())) {
      return none("the request removes features, which touches every row", before.sums());
    }
    RequestedChange.Exchange rows = change.since(correction.spark(), before.changes());
    ExampleTable.Columns columns = correction.columns(change);
    KeptSums kept = before.sums();
    progress.phase("the rows that change");
    SparkFailures.sanitized(
        correction.place(),
        () -> {
          kept.exchange(
              sums(change, rows.before(), columns, kept.point(), progress),
              sums(change, rows.after(), columns, kept.point(), progress));
          return kept;
        });
    if (!correction.isSameTable()) {
      return none("the table's files changed while they were read");
    }
    Statistics.Invalid invalid = kept.statistics().invalid();
    if (invalid.labels() + invalid.weights() + invalid.values() > 0) {
      return none("a row that changes cannot be learned from");
    }
    if (!kept.isAccurate()) {
      return none("it no longer tells which columns are constant, or more has left than is left");
    }
    double rho = ModelUpdate.rho(request);
    CorrectedProblem problem =
        CorrectedProblem.following(
            kept, columns, change.model().linear(), change.removedSlots(), rho, correction.place());
    progress.phase("step 1");
    return new Unlearning(problem.objective(), rho, step -> progress.step(step, rho))
        .bounded(kept)
        .map(
            result ->
                new BoundedChange(
                    problem,
                    kept,
                    result,
                    result.outcome() == Outcome.WITHIN_RHO
                        ? null
                        : "what it bounds of the distance exceeds rho"))
        .orElseGet(
            () ->
                none(
                    "a column has left with its last row, or its Hessian is not positive definite"));
  }

  /** Over few rows, which are read once and not cached. */
  private static KeptSums sums(
      RequestedChange change,
      @Nullable Dataset<Row> rows,
      ExampleTable.Columns columns,
      Point point,
      Progress progress) {
    if (rows == null) {
      return KeptSums.none(point);
    }
    int features = change.model().linear().features();
    return KeptSums.of(
        new DistributedExamples(
            ExampleTable.orderedBlocksInPlace(
                ExampleTable.examples(rows, columns), features, change.removedSlots()),
            features,
            progress),
        point);
  }
}

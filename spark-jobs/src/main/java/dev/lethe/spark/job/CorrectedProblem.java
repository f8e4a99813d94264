package dev.lethe.spark.job;

import dev.lethe.core.aggregate.GramAggregator;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ColumnStatistics;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.ExampleSums;
import dev.lethe.core.objective.KeptSums;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.Penalty;
import dev.lethe.core.objective.PenaltyRule;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.ml.LinearModel;
import java.util.BitSet;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.jspecify.annotations.Nullable;

/**
 * The learning problem on given data: cached examples, their statistics, and the model's objective
 * on them. Coordinates are fixed at 0 where a feature was removed, and where a column is constant:
 * all of Spark ML's optimisers divide by a column's deviation and leave out those without.
 */
final class CorrectedProblem implements AutoCloseable {
  // null where the data were not read
  private final @Nullable CachedExamples examples;
  private final Statistics statistics;
  private final Objective objective;
  private final BitSet removed;

  private CorrectedProblem(
      @Nullable CachedExamples examples,
      Statistics statistics,
      Objective objective,
      BitSet removed) {
    this.examples = examples;
    this.statistics = statistics;
    this.objective = objective;
    this.removed = removed;
  }

  /**
   * Reads and caches the data, one pass.
   *
   * @param featurized the corrected rows after the featurizer
   * @param removed slots that the request removes
   * @param b of a model with a perturbed loss, length p; null for another
   * @param rho the distance that has to be proven, or a negative number
   * @param place names the data, for messages
   */
  static CorrectedProblem open(
      Dataset<Row> featurized,
      ExampleTable.Columns columns,
      LinearModel model,
      BitSet removed,
      double @Nullable [] b,
      double rho,
      int partitions,
      Progress progress,
      String place) {
    requirePerturbation(model, b);
    columns.check(featurized, place);
    progress.phase("reading the corrected data");
    CachedExamples examples =
        CachedExamples.of(
            featurized, columns, model.features(), removed, partitions, progress, place);
    try {
      Statistics statistics = examples.statistics(model.loss(), columns, place);
      return of(examples, statistics, columns, model, removed, b, rho, place);
    } catch (RuntimeException e) {
      examples.close();
      throw e;
    }
  }

  /**
   * The problem on data that were not read, of which kept sums tell: no pass, and none is possible.
   *
   * @throws InvalidInputException if the labels that are left cannot be learned from
   */
  static CorrectedProblem following(
      KeptSums kept,
      ExampleTable.Columns columns,
      LinearModel model,
      BitSet removed,
      double rho,
      String place) {
    Statistics statistics = kept.statistics();
    Objective objective =
        objective(
            new LocalExamples(model.features(), List.of()),
            statistics,
            columns,
            model,
            removed,
            null,
            rho,
            place);
    return new CorrectedProblem(null, statistics, objective, removed);
  }

  /**
   * The problem of examples that have been counted.
   *
   * @param statistics of the examples, zeros in removed columns
   * @throws InvalidInputException if there is no minimiser, or values are too large
   */
  static CorrectedProblem of(
      CachedExamples examples,
      Statistics statistics,
      ExampleTable.Columns columns,
      LinearModel model,
      BitSet removed,
      double @Nullable [] b,
      double rho,
      String place) {
    return new CorrectedProblem(
        examples,
        statistics,
        objective(examples.sums(), statistics, columns, model, removed, b, rho, place),
        removed);
  }

  private static Objective objective(
      ExampleSums examples,
      Statistics statistics,
      ExampleTable.Columns columns,
      LinearModel model,
      BitSet removed,
      double @Nullable [] b,
      double rho,
      String place) {
    requireSolvable(model, statistics, place + ": column '" + columns.label() + "'");
    Penalty penalty = penalty(model, statistics);
    boolean[] fixed = new boolean[penalty.size()];
    for (int j = 0; j < model.features(); j++) {
      if (removed.get(j) || statistics.column(j).isConstant()) {
        for (int k = 0; k < model.layout().margins(); k++) {
          fixed[model.layout().coefficient(k, j)] = true;
        }
      } else if (!Double.isFinite(statistics.column(j).secondMoment())) {
        // the Hessian's diagonal is a sum of squares
        throw new InvalidInputException(
            place
                + ": column '"
                + columns.features()
                + "': the values of slot "
                + j
                + " are too large to be squared, so gradient and curvature are not finite; scale"
                + " the column, and look for outliers in the table");
      }
    }
    return new Objective(
        examples,
        statistics,
        model.loss(),
        model.layout(),
        penalty,
        b == null ? new double[penalty.size()] : b,
        fixed,
        rho);
  }

  /** The objective of a model with a perturbed loss is another without b. */
  private static void requirePerturbation(LinearModel model, double @Nullable [] b) {
    if (model.isPerturbed() && b == null) {
      throw new InvalidInputException(
          "the model was trained with loss perturbation: its objective has a secret term b, which is"
              + " in the vault of its training; only unlearn and verify read it");
    }
    if (!model.isPerturbed() && b != null) {
      throw new IllegalArgumentException("b is given for a model whose loss is not perturbed");
    }
    if (b != null && b.length != model.layout().size()) {
      throw new InvalidInputException(
          "vault: the perturbation has "
              + b.length
              + " coordinates, the model "
              + model.layout().size()
              + " parameters; it must be that of the model");
    }
  }

  /** Refuses labels for which the objective has no minimiser. */
  private static void requireSolvable(LinearModel model, Statistics statistics, String column) {
    LossFunction loss = model.loss();
    long[] classes = statistics.classes();
    if (classes.length == 2 && (classes[0] == 0 || classes[1] == 0)) {
      throw new InvalidInputException(
          column + ": the corrected data has one class only; a model needs rows of both");
    }
    for (int k = 0; k < classes.length; k++) {
      if (classes[k] == 0) {
        throw new InvalidInputException(
            column
                + ": the corrected data has no row of class "
                + k
                + "; a model of "
                + classes.length
                + " classes needs rows of each");
      }
    }
    ColumnStatistics label = statistics.label();
    if (label.isConstant()
        && (label.min() == loss.leastLabel() || label.max() == loss.greatestLabel())) {
      throw new InvalidInputException(
          column
              + ": all labels of the corrected data are "
              + label.min()
              + ", the least or the greatest that "
              + loss.name()
              + " allows; no finite parameters are best for them");
    }
    if (!Double.isFinite(label.secondMoment())) {
      throw new InvalidInputException(
          column
              + ": the labels of the corrected data are too large to be squared, so value and penalty"
              + " are not finite; scale the labels, and look for outliers in the table");
    }
    if (label.isConstant() && loss.scalars() > 0) {
      throw new InvalidInputException(
          column
              + ": all labels of the corrected data are the same; the scale that "
              + loss.name()
              + " estimates would be 0, so they must differ");
    }
    if (label.isConstant() && model.penaltyRule().label() != PenaltyRule.Deviation.NONE) {
      throw new InvalidInputException(
          column
              + ": all labels of the corrected data are the same; the penalty is divided by their"
              + " deviation, so they must differ");
    }
  }

  /**
   * lambda on these data.
   *
   * @throws InvalidInputException if it needs a variance that is not finite, or divides by one that
   *     is 0
   */
  static Penalty penalty(LinearModel model, Statistics statistics) {
    for (int j = 0; model.standardization() && j < statistics.features(); j++) {
      // values near the largest double have squares beyond it
      if (!Double.isFinite(
          statistics.totalWeight() * model.regParam() * statistics.column(j).variance())) {
        throw new InvalidInputException(
            "column '"
                + model.featuresColumn()
                + "': the variance of slot "
                + j
                + ", which standardization needs, is not finite: its values are too large to be"
                + " squared. Scale the column, and look for outliers in the table");
      }
    }
    double label = statistics.label().variance();
    if (model.penaltyRule().label() != PenaltyRule.Deviation.NONE
        && !(label > 0 && label < Double.POSITIVE_INFINITY)) {
      throw new InvalidInputException(
          "column '"
              + model.labelColumn()
              + "': the variance of the labels, by whose root the penalty is divided, is 0 or not"
              + " finite: all labels are the same, or their squares underflow or overflow. Scale the"
              + " labels, and look for outliers in the table");
    }
    return model.penaltyRule().on(statistics, model.layout());
  }

  /** How {@link #penalty} follows from regParam, in words. */
  static String lambdaRule(LinearModel model) {
    String intercept =
        model.penaltyRule().intercept()
            ? "; lambda of the intercept = W regParam"
            : "; the intercept is not penalised";
    return model.penaltyRule().description()
        + (model.fitIntercept() ? intercept : "")
        + (model.isPerturbed() ? "; plus b'theta" : "");
  }

  Objective objective() {
    return objective;
  }

  /**
   * The solver that was asked for, or the one that suits the number of coordinates that are not
   * fixed.
   *
   * @throws InvalidInputException if Cholesky was asked for and p is too large
   */
  LinearSolver solver(@Nullable LinearSolver asked) {
    int p = objective.size();
    requireSolver(asked, p);
    return asked == null ? LinearSolver.auto(p, objective.freeSize()) : asked;
  }

  /**
   * @param asked the solver that was asked for; null if none was
   * @throws InvalidInputException if Cholesky was asked for and p is too large
   */
  static void requireSolver(@Nullable LinearSolver asked, int p) {
    if (asked == LinearSolver.CHOLESKY && p > GramAggregator.MAX_SIZE) {
      throw new InvalidInputException(
          "--solver cholesky: the model has "
              + p
              + " parameters, allowed are at most "
              + GramAggregator.MAX_SIZE
              + "; use cg");
    }
  }

  Statistics statistics() {
    return statistics;
  }

  /**
   * The examples, in Spark's cache.
   *
   * @throws IllegalStateException if the data were not read
   */
  CachedExamples examples() {
    if (examples == null) {
      throw new IllegalStateException("the corrected data were not read");
    }
    return examples;
  }

  /** Whether the data were read; else they are known by kept sums. */
  boolean isRead() {
    return examples != null;
  }

  /** Slots that the request removes. */
  BitSet removed() {
    return removed;
  }

  /** Coordinates held at 0, ascending: removed slots and constant columns. */
  int[] fixedCoordinates() {
    boolean[] fixed = objective.fixed();
    return IntStream.range(0, fixed.length).filter(j -> fixed[j]).toArray();
  }

  /**
   * theta, but a scale that noise has made 0 or negative, where no loss is defined, at the
   * origin's.
   */
  double[] admissible(double[] theta) {
    double[] admissible = theta.clone();
    for (int i = 0; i < objective.layout().scalars(); i++) {
      int j = objective.layout().scalar(i);
      admissible[j] = theta[j] > 0 ? theta[j] : objective.origin()[j];
    }
    return admissible;
  }

  /** theta with 0 at the fixed coordinates. */
  double[] restricted(double[] theta) {
    double[] start = theta.clone();
    boolean[] fixed = objective.fixed();
    for (int j = 0; j < start.length; j++) {
      if (fixed[j]) {
        start[j] = 0;
      }
    }
    return start;
  }

  @Override
  public void close() {
    if (examples != null) {
      examples.close();
    }
  }
}

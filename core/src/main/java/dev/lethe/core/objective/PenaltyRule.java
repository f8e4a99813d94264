package dev.lethe.core.objective;

import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.model.ColumnStatistics;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.Statistics;

/**
 * How a Spark ML estimator's regParam becomes the penalty on given data, sum form:
 *
 * <pre>
 *   lambda_j = B regParam s_j^2 / s_y
 * </pre>
 *
 * for every coefficient; scalars have none, intercepts B regParam / s_y if they are penalised. B,
 * s_j and s_y are statistics of the data at hand.
 *
 * @param regParam lambda of Spark ML, on the mean; at least 0
 * @param features s_j, the deviation of column j, or 1
 * @param label s_y, the deviation of the label, or 1
 * @param basis B
 * @param intercept whether intercepts are penalised, as coefficients without standardization; no
 *     Spark ML estimator does it
 */
public record PenaltyRule(
    double regParam, Deviation features, Deviation label, Basis basis, boolean intercept) {

  /** What a column, or the label, is scaled by. */
  public enum Deviation {
    NONE,
    /** Denominator W - sum w^2 / W. */
    UNBIASED,
    /** Denominator W. */
    POPULATION
  }

  /** What turns the mean form into the sum form. */
  public enum Basis {
    /** W = sum_i w_i. */
    TOTAL_WEIGHT,
    /**
     * sum_i w_i y_i, which is sum_i w_i l''(s_i) at the minimiser of a Poisson model with an
     * intercept: iteratively reweighted least squares divide by it.
     */
    WEIGHTED_LABELS
  }

  public PenaltyRule {
    if (!(regParam >= 0 && Double.isFinite(regParam))) {
      throw new IllegalArgumentException("regParam = " + regParam + ": must be finite, >= 0");
    }
  }

  /** A rule that penalises no intercept. */
  public PenaltyRule(double regParam, Deviation features, Deviation label, Basis basis) {
    this(regParam, features, label, basis, false);
  }

  /** LogisticRegression's and LinearSVC's. */
  public static PenaltyRule ofMean(double regParam, boolean standardization) {
    return new PenaltyRule(
        regParam,
        standardization ? Deviation.UNBIASED : Deviation.NONE,
        Deviation.NONE,
        Basis.TOTAL_WEIGHT);
  }

  /** The same rule with penalised intercepts. */
  public PenaltyRule withIntercept() {
    return new PenaltyRule(regParam, features, label, basis, true);
  }

  /** The penalty on data with these statistics. */
  public Penalty on(Statistics statistics, ParameterLayout layout) {
    double[] lambda = new double[layout.size()];
    double[] error = new double[lambda.length];
    double scale =
        basis == Basis.TOTAL_WEIGHT ? statistics.totalWeight() : statistics.label().sum();
    double labelVariance = variance(label, statistics.label(), statistics);
    double labelError = ofRoot(error(label, statistics.label(), statistics));
    int penalised = intercept ? layout.stride() : layout.features();
    for (int j = 0; j < penalised; j++) {
      boolean scaled = j < layout.features() && features != Deviation.NONE;
      double variance = scaled ? variance(features, statistics.column(j), statistics) : 1;
      double value = scale * regParam * variance / Math.sqrt(labelVariance);
      double columnError = scaled ? error(features, statistics.column(j), statistics) : 0;
      // (1 + e_column) (1 + e_label) (1 + 8 u) - 1: 8 for the sum B, the products, quotient, root
      double relative =
          Double.isInfinite(columnError)
              ? columnError
              : columnError
                  + labelError * (1 + columnError)
                  + 8 * Rounding.UNIT * (1 + columnError) * (1 + labelError);
      for (int k = 0; k < layout.margins(); k++) {
        lambda[layout.coefficient(k, j)] = value;
        error[layout.coefficient(k, j)] = regParam > 0 ? relative : 0;
      }
    }
    return new Penalty(lambda, error);
  }

  private static double variance(Deviation deviation, ColumnStatistics column, Statistics all) {
    return switch (deviation) {
      case NONE -> 1;
      case UNBIASED -> column.variance();
      case POPULATION -> column.variance() * all.populationShare();
    };
  }

  /** The relative error of 1 / sqrt(v), v of the relative error e: (1 - e)^(-1/2) - 1. */
  private static double ofRoot(double e) {
    return e <= 0.5 ? e : e < 1 ? Rounding.up(1 / Math.sqrt(1 - e), 4) : Double.POSITIVE_INFINITY;
  }

  /** The relative error of a variance. */
  private static double error(Deviation deviation, ColumnStatistics column, Statistics all) {
    return switch (deviation) {
      case NONE -> 0;
      case UNBIASED -> column.varianceRelativeError();
      case POPULATION ->
          column.varianceRelativeError()
              + 8 * Rounding.UNIT * (1 + all.totalWeight() / all.unbiasedWeight());
    };
  }

  /** The rule in words. */
  public String description() {
    String columns =
        switch (features) {
          case NONE -> "";
          case UNBIASED -> " s_j^2, s_j the unbiased weighted standard deviation";
          case POPULATION -> " s_j^2, s_j the weighted standard deviation";
        };
    String labels =
        switch (label) {
          case NONE -> "";
          case UNBIASED -> ", divided by the label's unbiased weighted standard deviation";
          case POPULATION -> ", divided by the label's weighted standard deviation";
        };
    return "lambda_j = "
        + (basis == Basis.TOTAL_WEIGHT ? "W" : "(sum w y)")
        + " regParam"
        + columns
        + labels;
  }
}

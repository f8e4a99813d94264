package dev.lethe.benchmarks.endtoend;

import java.util.List;

/**
 * What a comparison found; all times in seconds.
 *
 * @param caseName word of the case
 * @param rows n, of the corrected data
 * @param features d, of the model before
 * @param tableBytes of the Parquet files that both read
 * @param warmUp what ran before, in words
 */
record Result(
    String caseName,
    String title,
    String removed,
    long rows,
    int features,
    long tableBytes,
    double regParam,
    boolean standardization,
    String warmUp,
    Unlearned unlearned,
    Retrained retrained,
    double speedupFromParquet,
    double speedupFromCache,
    double parameterDistance) {

  /**
   * Lethe's side.
   *
   * @param fromParquet from the table's path to the certified model in memory
   * @param fromCache of that, what came after the blocks were read, packed, cached and counted
   * @param beforeReading of that, what came before the first job over the table
   * @param reading of that, the jobs that read, pack, cache and count
   * @param betweenJobs of fromCache, what no Spark job was running in: the driver
   * @param passes over the cached blocks
   * @param jobs of fromCache, by kind
   * @param blockBytes of the cached blocks
   * @param gradientNorm mean form, of the un-noised parameters, by the independent pass
   * @param gradientNormBefore mean form, of the model before on the corrected data, by the evidence
   * @param rho asked for
   * @param distance proven
   * @param steps of the evidence of the last run
   */
  record Unlearned(
      String verdict,
      double rho,
      double distance,
      String solver,
      Spread fromParquet,
      Spread fromCache,
      Spread beforeReading,
      Spread reading,
      Spread betweenJobs,
      long passes,
      List<Jobs> jobs,
      long blockBytes,
      double gradientNorm,
      double gradientNormBefore,
      List<Step> steps,
      Quality quality) {}

  /**
   * Passes of a kind in one run.
   *
   * @param count of them
   * @param seconds of all of them together
   * @param longest of the medians over the runs of a single one
   */
  record Jobs(String kind, int count, Spread seconds, Spread each) {}

  /** A step of the update, with the mean form of the gradient norm after it. */
  record Step(double gradientNorm, long passes, double seconds) {}

  /**
   * Spark ML's side.
   *
   * @param tol the loosest that reaches the norm, or the smallest norm
   * @param reachesNorm whether it got to Lethe's gradient norm
   * @param gradientNorm mean form, by the independent pass
   * @param fromParquet of a fit on the table
   * @param fromCache of a fit on a cached data frame
   * @param summaryAndBlocks of a fit on the cached data frame with maxIter 0: it still summarises,
   *     makes blocks and evaluates once
   * @param optimiser median of fromCache less that of summaryAndBlocks: L-BFGS alone
   */
  record Retrained(
      double tol,
      int iterations,
      boolean reachesNorm,
      double gradientNorm,
      Spread fromParquet,
      Spread fromCache,
      Spread summaryAndBlocks,
      double optimiser,
      Default atDefaultTol,
      Quality quality) {}

  /** The same fit at Spark ML's default tol of 1e-6: what a user gets who asks for nothing. */
  record Default(int iterations, double gradientNorm, Spread fromParquet) {}

  /** On rows that no fit has seen. */
  record Quality(double accuracy, double areaUnderROC, long rows) {}
}

package dev.lethe.benchmarks.endtoend;

import static org.apache.spark.sql.functions.avg;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;

import dev.lethe.spark.api.UnlearnedModel;
import dev.lethe.spark.api.Unlearner;
import dev.lethe.spark.certificate.Evidence;
import java.io.File;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.evaluation.BinaryClassificationEvaluator;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;

/**
 * Lethe's unlearning beside Spark ML's fit on the corrected data, of one case, in one session.
 *
 * <p>Before each timed piece garbage is collected; the pieces of the two sides alternate.
 */
final class Comparison {
  private static final double DEFAULT_TOL = 1e-6;
  private static final double LEAST_TOL = 1e-16;
  private static final int MAX_ITERATIONS = 1000;

  private final SparkSession spark;
  private final Tables tables;
  private final int runs;
  private final int warmUps;

  /**
   * @param runs of each timed piece
   * @param warmUps whole comparisons of the smaller case before
   */
  Comparison(Tables tables, int runs, int warmUps) {
    this.spark = tables.spark();
    this.tables = tables;
    this.runs = runs;
    this.warmUps = warmUps;
  }

  /** What one unlearning leaves behind. */
  private record Outcome(
      Evidence evidence, String verdict, BitSet removed, Result.Quality quality) {}

  private record Timed<T>(T value, double seconds) {}

  /** A fit with a tolerance, and the gradient norm that it reached. */
  private record Fit(LogisticRegressionModel model, double tol, double gradientNorm) {
    int iterations() {
      return model.summary().totalIterations();
    }
  }

  Result run(Case of) {
    Case small = of.smaller();
    say("%s: warming up on %s", of.name(), small.title());
    for (int i = 0; i < warmUps; i++) {
      warmUp(small);
    }
    say("%s: %s", of.name(), of.title());
    return measure(of);
  }

  /** An unlearning, and a fit from Parquet and one from the cache, all at default tolerance. */
  private void warmUp(Case of) {
    String train = tables.train(of);
    PipelineModel model = tables.model(of);
    outcome(of, model, train, tables.test(of));
    Dataset<Row> corrected = of.corrected(model, spark.read().parquet(train));
    of.predictor().fit(corrected);
    of.predictor().fit(corrected.persist(StorageLevel.MEMORY_AND_DISK()));
    corrected.unpersist(true);
  }

  private Result measure(Case of) {
    String train = tables.train(of);
    String test = tables.test(of);
    PipelineModel model = tables.model(of);
    Outcome outcome = outcome(of, model, train, test);

    Dataset<Row> cached =
        of.corrected(model, spark.read().parquet(train)).persist(StorageLevel.MEMORY_AND_DISK());
    try {
      MeanLogistic objective = MeanLogistic.of(cached, of.regParam(), of.standardization());
      double[] unlearned = retrainable(outcome, objective.features());
      double norm = objective.gradientNorm(unlearned);
      say("Lethe: %d passes, gradient norm %.1e", outcome.evidence().totals().passes(), norm);
      Fit byDefault = fit(of, cached, objective, DEFAULT_TOL);
      Fit fit = tightened(of, cached, objective, byDefault, norm);

      List<Unlearning> unlearnings = new ArrayList<>();
      List<Double> fromParquet = new ArrayList<>();
      List<Double> fromCache = new ArrayList<>();
      List<Double> withoutIterations = new ArrayList<>();
      List<Double> atDefault = new ArrayList<>();
      for (int run = 0; run < runs; run++) {
        LogisticRegression closer = closer(of, fit.tol());
        Unlearning one = Unlearning.run(spark, of, model, train);
        unlearnings.add(one);
        say(
            "run %d: Lethe %.3f s, of it after reading %.3f s",
            run, one.seconds(), one.fromCache());
        fromParquet.add(
            timed(() -> closer.fit(of.corrected(model, spark.read().parquet(train)))).seconds());
        atDefault.add(
            timed(
                    () ->
                        closer(of, DEFAULT_TOL)
                            .fit(of.corrected(model, spark.read().parquet(train))))
                .seconds());
        fromCache.add(timed(() -> closer.fit(cached)).seconds());
        withoutIterations.add(
            timed(() -> closer(of, fit.tol()).setMaxIter(0).fit(cached)).seconds());
        say(
            "run %d: Spark ML %.3f s, cached %.3f s",
            run, fromParquet.get(run), fromCache.get(run));
      }
      Result.Quality retrainedQuality =
          quality(fit.model(), of.corrected(model, spark.read().parquet(test)));
      Result.Retrained retrained =
          new Result.Retrained(
              fit.tol(),
              fit.iterations(),
              fit.gradientNorm() <= norm,
              fit.gradientNorm(),
              Spread.of(fromParquet),
              Spread.of(fromCache),
              Spread.of(withoutIterations),
              Spread.of(fromCache).median() - Spread.of(withoutIterations).median(),
              new Result.Default(
                  byDefault.iterations(), byDefault.gradientNorm(), Spread.of(atDefault)),
              retrainedQuality);
      Result.Unlearned side = side(of, outcome, unlearnings, norm);
      return new Result(
          of.name(),
          of.title(),
          of.removed(),
          objective.rows(),
          outcome.evidence().objective().d(),
          bytes(train),
          of.regParam(),
          of.standardization(),
          warmUps + " times unlearning and retraining of " + of.smaller().title(),
          side,
          retrained,
          retrained.fromParquet().median() / side.fromParquet().median(),
          retrained.fromCache().median() / side.fromCache().median(),
          distance(unlearned, parameters(fit.model())));
    } finally {
      cached.unpersist(true);
    }
  }

  private Result.Unlearned side(
      Case of, Outcome outcome, List<Unlearning> all, double gradientNorm) {
    Evidence evidence = outcome.evidence();
    double weight = evidence.objective().totalWeight();
    Double distance = evidence.measurement().distanceBound();
    return new Result.Unlearned(
        outcome.verdict(),
        of.rho(),
        distance == null ? Double.NaN : distance,
        evidence.solver(),
        Spread.of(all.stream().map(Unlearning::seconds).toList()),
        Spread.of(all.stream().map(Unlearning::fromCache).toList()),
        Spread.of(all.stream().map(Unlearning::beforeReading).toList()),
        Spread.of(all.stream().map(Unlearning::reading).toList()),
        Spread.of(all.stream().map(Unlearning::betweenJobs).toList()),
        evidence.totals().passes(),
        jobs(all),
        all.get(0).blockBytes(),
        gradientNorm,
        evidence.steps().get(0).residualNorm() / weight,
        evidence.steps().stream()
            .map(s -> new Result.Step(s.residualNorm() / weight, s.passes(), s.seconds()))
            .toList(),
        outcome.quality());
  }

  private static List<Result.Jobs> jobs(List<Unlearning> all) {
    Map<String, Result.Jobs> jobs = new LinkedHashMap<>();
    for (String kind : all.get(0).kinds().keySet()) {
      List<List<Double>> seconds = all.stream().map(u -> u.kinds().get(kind)).toList();
      jobs.put(
          kind,
          new Result.Jobs(
              kind,
              seconds.get(0).size(),
              Spread.of(
                  seconds.stream()
                      .map(run -> run.stream().mapToDouble(Double::doubleValue).sum())
                      .toList()),
              Spread.of(seconds.stream().flatMap(List::stream).toList())));
    }
    return List.copyOf(jobs.values());
  }

  /** An unlearning that is not timed: evidence takes passes of its own. */
  private Outcome outcome(Case of, PipelineModel model, String train, String test) {
    try (UnlearnedModel unlearned =
        new Unlearner().unlearn(model, spark.read().parquet(train), of.request())) {
      BitSet removed = new BitSet();
      unlearned.certificate().zeroCoefficients().forEach(removed::set);
      return new Outcome(
          unlearned.evidence(),
          unlearned.certificate().verdict().toString(),
          removed,
          quality(unlearned.model(), spark.read().parquet(test)));
    }
  }

  private static LogisticRegression closer(Case of, double tol) {
    return of.predictor().setTol(tol).setMaxIter(MAX_ITERATIONS);
  }

  private static Fit fit(Case of, Dataset<Row> cached, MeanLogistic objective, double tol) {
    LogisticRegressionModel model = closer(of, tol).fit(cached);
    Fit fit = new Fit(model, tol, objective.gradientNorm(parameters(model)));
    say(
        "Spark ML, tol %.0e: %d iterations, gradient norm %.1e",
        tol, fit.iterations(), fit.gradientNorm());
    return fit;
  }

  /**
   * The fit of the loosest tolerance that reaches a gradient norm; if none does before two tenfold
   * tighter ones add no iteration, the loosest that comes within a tenth of the smallest norm.
   */
  private static Fit tightened(
      Case of, Dataset<Row> cached, MeanLogistic objective, Fit first, double norm) {
    Fit best = first;
    int iterations = first.iterations();
    int idle = 0;
    for (double tol = first.tol() / 10;
        best.gradientNorm() > norm && idle < 2 && tol >= LEAST_TOL;
        tol /= 10) {
      Fit next = fit(of, cached, objective, tol);
      idle = next.iterations() == iterations ? idle + 1 : 0;
      iterations = next.iterations();
      if (next.gradientNorm() < 0.9 * best.gradientNorm()) {
        best = next;
      }
    }
    return best;
  }

  private static void say(String format, Object... values) {
    System.err.println("bench: " + String.format(Locale.ROOT, format, values));
  }

  private static <T> Timed<T> timed(Supplier<T> piece) {
    System.gc();
    long begin = System.nanoTime();
    T value = piece.get();
    return new Timed<>(value, (System.nanoTime() - begin) / 1e9);
  }

  static double[] parameters(LogisticRegressionModel model) {
    double[] theta = Arrays.copyOf(model.coefficients().toArray(), model.numFeatures() + 1);
    theta[theta.length - 1] = model.intercept();
    return theta;
  }

  /** The un-noised parameters in the coordinates that are retrained: without the removed slots. */
  private static double[] retrainable(Outcome outcome, int features) {
    double[] theta = outcome.evidence().unnoisedParameters();
    if (theta.length == features + 1) {
      return theta;
    }
    double[] kept = new double[features + 1];
    int at = 0;
    for (int j = 0; j < theta.length; j++) {
      if (!outcome.removed().get(j)) {
        kept[at++] = theta[j];
      }
    }
    return kept;
  }

  private static double distance(double[] a, double[] b) {
    double square = 0;
    for (int j = 0; j < a.length; j++) {
      square += (a[j] - b[j]) * (a[j] - b[j]);
    }
    return Math.sqrt(square);
  }

  private static Result.Quality quality(Transformer model, Dataset<Row> rows) {
    Dataset<Row> scored = model.transform(rows).persist();
    Row row =
        scored
            .select(avg(col("prediction").equalTo(col(Case.LABEL)).cast("double")), count(col("*")))
            .head();
    double area =
        new BinaryClassificationEvaluator().setLabelCol(Case.LABEL).setNumBins(0).evaluate(scored);
    scored.unpersist();
    return new Result.Quality(row.getDouble(0), area, row.getLong(1));
  }

  private static long bytes(String folder) {
    File[] files = new File(folder).listFiles((dir, name) -> name.endsWith(".parquet"));
    return files == null ? 0 : Stream.of(files).mapToLong(File::length).sum();
  }
}

package dev.lethe.spark;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.core.unlearn.Unlearning;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.job.UnlearnJob;
import dev.lethe.spark.ml.LinearModel;
import dev.lethe.spark.ml.TrainableLoss;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.classification.OneVsRest;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.regression.GeneralizedLinearRegression;
import org.apache.spark.ml.regression.GeneralizedLinearRegressionModel;
import org.apache.spark.ml.regression.LinearRegression;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every loss with every kind of request, end to end: the un-noised parameters are those of a
 * retraining by {@link Retrainer}, the release is certified and verifies, and Spark ML loads and
 * scores it.
 */
@ExtendWith(LocalSpark.class)
class EveryLossTest {
  private static final int ROWS = 120;
  private static final String[] COLUMNS = {"a", "b", "c", "d"};
  private static final double REG_PARAM = 0.05;

  /** Between the proven distance, at most 1e-8, and the retrainer's own error. */
  private static final double TOLERANCE = 1e-8 + 1e-10;

  @TempDir private static Path directory;

  /** Where the table and the fitted model of a kind and options are; made once. */
  private static final Map<Fit, Jobs> FITTED = new HashMap<>();

  private record Fit(Kind kind, Options options) {}

  /** Where the penalty of an estimator takes its deviations from. */
  private enum Deviations {
    /** The estimator's param decides; unbiased. */
    CHOSEN,
    /** As above, and divided by the label's deviation. */
    CHOSEN_OVER_LABEL,
    /** As above, of the population. */
    CHOSEN_OVER_LABEL_POPULATION,
    /** Always standardised, of the population, divided by the label's. */
    ALWAYS_OVER_LABEL_POPULATION,
    /** Never standardised. */
    NEVER,
    /** Never; times the mean label. */
    NEVER_TIMES_LABEL,
    /** No penalty. */
    NO_PENALTY
  }

  private enum Kind {
    LOGISTIC(Retrainer.LOGISTIC, Deviations.CHOSEN, "1 - label"),
    MULTINOMIAL(Retrainer.multinomial(3), Deviations.CHOSEN, "pmod(label + 1, 3)"),
    ONE_VS_REST(
        Retrainer.oneVsRest(Retrainer.LOGISTIC, 3), Deviations.CHOSEN, "pmod(label + 1, 3)"),
    SQUARED(Retrainer.SQUARED, Deviations.CHOSEN_OVER_LABEL, "label * 0.5 + 1"),
    SQUARED_NORMAL(Retrainer.SQUARED, Deviations.CHOSEN_OVER_LABEL_POPULATION, "label * 0.5 + 1"),
    HUBER(Retrainer.huber(1.35), Deviations.CHOSEN, "label * 0.5 + 1"),
    SMOOTHED_HINGE(Retrainer.SMOOTHED_HINGE, Deviations.CHOSEN, "1 - label"),
    SQUARED_HINGE(Retrainer.SQUARED_HINGE, Deviations.CHOSEN, "1 - label"),
    GAUSSIAN(Retrainer.SQUARED, Deviations.ALWAYS_OVER_LABEL_POPULATION, "label * 0.5 + 1"),
    BINOMIAL(Retrainer.LOGISTIC, Deviations.NO_PENALTY, "label * 0.5"),
    POISSON(Retrainer.POISSON, Deviations.NEVER_TIMES_LABEL, "label + 1"),
    GAMMA(Retrainer.GAMMA, Deviations.NEVER, "label * 0.5 + 1"),
    ONE_VS_REST_SMOOTHED_HINGE(
        Retrainer.oneVsRest(Retrainer.SMOOTHED_HINGE, 3), Deviations.CHOSEN, "pmod(label + 1, 3)"),
    ONE_VS_REST_SQUARED_HINGE(
        Retrainer.oneVsRest(Retrainer.SQUARED_HINGE, 3), Deviations.CHOSEN, "pmod(label + 1, 3)");

    private final Retrainer.Loss loss;
    private final Deviations deviations;
    private final String newLabel;

    Kind(Retrainer.Loss loss, Deviations deviations, String newLabel) {
      this.loss = loss;
      this.deviations = deviations;
      this.newLabel = newLabel;
    }

    private double relabelled(double label) {
      return switch (newLabel) {
        case "1 - label" -> 1 - label;
        case "pmod(label + 1, 3)" -> (label + 1) % 3;
        case "label * 0.5" -> label * 0.5;
        case "label + 1" -> label + 1;
        default -> label * 0.5 + 1;
      };
    }

    private double label(double s, SplittableRandom random) {
      double noise = random.nextGaussian();
      return switch (this) {
        case LOGISTIC, SMOOTHED_HINGE, SQUARED_HINGE -> s + noise > 0.3 ? 1 : 0;
        case MULTINOMIAL, ONE_VS_REST, ONE_VS_REST_SMOOTHED_HINGE, ONE_VS_REST_SQUARED_HINGE ->
            Math.floorMod(Math.round(s + noise), 3);
        case SQUARED, SQUARED_NORMAL, GAUSSIAN -> 3 * s + noise;
        case HUBER -> 3 * s + noise + (random.nextInt(8) == 0 ? 15 : 0);
        case BINOMIAL -> 1 / (1 + Math.exp(-s - noise));
        case POISSON -> Math.floor(Math.exp(s / 2) + 2 * random.nextDouble());
        case GAMMA -> Math.exp(s / 2) * (0.2 + random.nextDouble());
      };
    }
  }

  private enum Change {
    REMOVE_FEATURES,
    RELABEL,
    REMOVE_ROWS,
    MIXED
  }

  private record Options(
      boolean standardization, boolean weighted, boolean intercept, boolean sparse) {}

  /**
   * Each loss meets each change, and each option with and without, in two fits that are opposites;
   * the pairs of change and options rotate from loss to loss.
   */
  static Stream<Arguments> cases() {
    List<List<Options>> opposites =
        List.of(
            List.of(new Options(true, true, true, false), new Options(false, false, false, true)),
            List.of(new Options(true, false, true, true), new Options(false, true, false, false)));
    List<Arguments> cases = new ArrayList<>();
    for (Kind kind : Kind.values()) {
      for (Change change : Change.values()) {
        if (kind.compareTo(Kind.GAMMA) > 0 && change != Change.MIXED) {
          continue; // on files as ONE_VS_REST and the hinges; all changes together will do
        }
        cases.add(
            Arguments.of(
                kind,
                change,
                opposites
                    .get(kind.ordinal() / 2 % 2)
                    .get((kind.ordinal() / 4 + change.ordinal()) % 2)));
      }
    }
    return cases.stream();
  }

  /** The table in memory. */
  private static final class Table {
    private final double[][] x;
    private final double[] y;
    private final double[] w;

    private static Table random(Kind kind, Options options) {
      SplittableRandom random = new SplittableRandom(31 * kind.ordinal() + 7);
      Table table = new Table();
      for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < COLUMNS.length; j++) {
          boolean zero = options.sparse && random.nextInt(4) > 0;
          table.x[i][j] = zero ? 0 : 0.2 * j + (0.5 + 0.5 * j) * random.nextGaussian();
        }
        double[] row = table.x[i];
        table.y[i] = kind.label(0.3 + row[0] - 0.6 * row[1] + 0.3 * row[2], random);
        table.w[i] = options.weighted ? 0.3 + 2 * random.nextDouble() : 1;
      }
      return table;
    }

    private Dataset<Row> dataset() {
      StructType schema = new StructType().add("id", "long");
      for (String column : COLUMNS) {
        schema = schema.add(column, "double");
      }
      schema = schema.add("label", "double").add("weight", "double");
      List<Row> rows = new ArrayList<>();
      for (int i = 0; i < ROWS; i++) {
        rows.add(RowFactory.create((long) i, x[i][0], x[i][1], x[i][2], x[i][3], y[i], w[i]));
      }
      return LocalSpark.session().createDataFrame(rows, schema);
    }

    /** What the request makes of it, by hand. */
    private Table changed(Kind kind, Change change) {
      boolean all = change == Change.MIXED;
      List<Integer> kept = new ArrayList<>();
      Table corrected = new Table();
      for (int i = 0; i < ROWS; i++) {
        corrected.x[i] = x[i].clone();
        corrected.y[i] = y[i];
        if ((all || change == Change.RELABEL) && i % 7 == 0) {
          corrected.y[i] = kind.relabelled(y[i]);
        }
        if (all && i % 3 == 0) {
          corrected.x[i][0] = x[i][0] * 0.5;
        }
        if (!((all || change == Change.REMOVE_ROWS) && i % 5 == 1)) {
          kept.add(i);
        }
      }
      return corrected.rows(kept, w);
    }

    /** Without the removed columns; stored as the builder chooses. */
    private ExampleBlock block(boolean[] removed) {
      BlockBuilder builder = BlockBuilder.of(COLUMNS.length);
      for (int i = 0; i < y.length; i++) {
        for (int j = 0; j < COLUMNS.length; j++) {
          builder.add(j, removed[j] ? 0 : x[i][j]);
        }
        builder.endRow(y[i], w[i]);
      }
      return builder.build();
    }

    private Table rows(List<Integer> kept, double[] weights) {
      return new Table(
          kept.stream().map(i -> x[i]).toArray(double[][]::new),
          kept.stream().mapToDouble(i -> y[i]).toArray(),
          kept.stream().mapToDouble(i -> weights[i]).toArray());
    }

    private Table() {
      this(new double[ROWS][COLUMNS.length], new double[ROWS], new double[ROWS]);
    }

    private Table(double[][] x, double[] y, double[] w) {
      this.x = x;
      this.y = y;
      this.w = w;
    }
  }

  private static String request(Kind kind, Change change) {
    String remove = "  - removeFeatures: [c]\n";
    String relabel = "  - relabel: {to: '" + kind.newLabel + "', where: 'id % 7 = 0'}\n";
    String rows = "  - removeRows: {where: 'id % 5 = 1'}\n";
    String replace = "  - replaceFeatures: {set: {a: 'a * 0.5'}, where: 'id % 3 = 0'}\n";
    return "id: every-loss\nchanges:\n"
        + switch (change) {
          case REMOVE_FEATURES -> remove;
          case RELABEL -> relabel;
          case REMOVE_ROWS -> rows;
          case MIXED -> relabel + replace + rows + remove;
        }
        + "certificate: {epsilon: 0.5, delta: 1e-4, rho: 1e-8}\n";
  }

  @ParameterizedTest
  @MethodSource("cases")
  void unlearned_everyLossAndChange_equalsRetrained(Kind kind, Change change, Options options)
      throws IOException {
    Table table = Table.random(kind, options);
    Jobs jobs = FITTED.computeIfAbsent(new Fit(kind, options), EveryLossTest::fitted);
    String request = change + ".yaml";
    String out = "out-" + change;
    jobs.write(request, request(kind, change));

    UnlearnJob.Result result =
        jobs.unlearn(
            jobs.table("table", "parquet"),
            false,
            "model",
            request,
            out,
            kind.ordinal() % 2 == 0 ? LinearSolver.CG : LinearSolver.CHOLESKY,
            2);

    assertThat(result.certificate().verdict()).isEqualTo(Verdict.CERTIFIED);
    double[] unnoised = result.evidence().unnoisedParameters();
    assertThat(MeanFormLogistic.distance(unnoised, retrained(kind, change, options, table)))
        .as("%s", result.evidence().measurement())
        .isLessThan(TOLERANCE);
    Transformer published = PipelineModel.load(jobs.path(out + "/model"));
    Transformer[] stages = ((PipelineModel) published).stages();
    LinearModel predictor = LinearModel.of((Model<?>) stages[stages.length - 1], "test");
    assertThat(predictor.parameters()).isEqualTo(result.published());
    assertThat(
            published
                .transform(table.dataset())
                .where("isnotnull(prediction) and not isnan(prediction)")
                .count())
        .isEqualTo(ROWS);
    if (change == Change.MIXED) {
      assertThat(jobs.verify(jobs.table("table", "parquet"), false, request, out, 2).checks())
          .filteredOn(check -> !check.passed())
          .isEmpty();
    }
  }

  /**
   * All pairs of change and options, on blocks in memory: from the minimiser on the original data
   * to that on the corrected. Warm starts, storage, weights, intercepts and solvers all cross.
   */
  @ParameterizedTest
  @EnumSource(Kind.class)
  void refined_everyChangeAndOption_equalsRetrained(Kind kind) {
    for (Change change : Change.values()) {
      for (int bits = 0; bits < 16; bits++) {
        Options options =
            new Options((bits & 1) > 0, (bits & 2) > 0, (bits & 4) > 0, (bits & 8) > 0);
        Table table = Table.random(kind, options);
        Table corrected = table.changed(kind, change);
        LinearModel model = LinearModel.of(untrained(kind, options), "test");
        boolean[] removed = removed(change);
        boolean[] fixed = new boolean[model.layout().size()];
        for (int k = 0; k < model.layout().margins(); k++) {
          for (int j = 0; j < COLUMNS.length; j++) {
            fixed[model.layout().coefficient(k, j)] = removed[j];
          }
        }
        LocalExamples examples =
            new LocalExamples(COLUMNS.length, List.of(corrected.block(removed)));
        Statistics statistics = examples.statistics(model.loss()).statistics();
        Objective objective =
            new Objective(
                examples,
                statistics,
                model.loss(),
                model.layout(),
                model.penaltyRule().on(statistics, model.layout()),
                new double[fixed.length],
                fixed,
                1e-9);
        double[] start = minimum(kind, options, table, new boolean[COLUMNS.length]);
        for (int j = 0; j < start.length; j++) {
          start[j] = fixed[j] ? 0 : start[j];
        }
        NewtonStep step =
            new NewtonStep(
                bits % 3 == 0 ? LinearSolver.CG : LinearSolver.CHOLESKY, 1000, (a, b, c) -> {});
        UnlearningResult result =
            new Unlearning(objective, 1e-9, measured -> {}).refined(start, step, 60);
        assertThat(result.outcome())
            .as("%s, %s: %s", change, options, result.bound())
            .isEqualTo(UnlearningResult.Outcome.WITHIN_RHO);
        assertThat(
                MeanFormLogistic.distance(
                    result.end().point(), minimum(kind, options, corrected, removed)))
            .as("%s, %s", change, options)
            .isLessThan(1e-9 + 1e-10);
      }
    }
  }

  /** The model that the estimators of {@link #fit} would save, with zero coefficients. */
  private static Model<?> untrained(Kind kind, Options options) {
    TrainableLoss loss =
        switch (kind) {
          case ONE_VS_REST -> TrainableLoss.ONE_VS_REST_LOGISTIC;
          case SQUARED_NORMAL, GAUSSIAN -> TrainableLoss.SQUARED;
          default -> TrainableLoss.valueOf(kind.name());
        };
    Model<?> model =
        loss.untrained(
            new TrainableLoss.Params(
                regParam(kind, options),
                options.standardization,
                options.intercept,
                "features",
                "label",
                "weight",
                false),
            COLUMNS.length,
            3);
    switch (kind) {
      case SQUARED_NORMAL -> model.set("solver", "normal");
      case GAUSSIAN -> {
        model = new GeneralizedLinearRegressionModel("glm", Vectors.zeros(COLUMNS.length), 0);
        model.set("regParam", regParam(kind, options));
        model.set("fitIntercept", options.intercept);
      }
      default -> {}
    }
    return model;
  }

  private static boolean[] removed(Change change) {
    boolean[] removed = new boolean[COLUMNS.length];
    removed[2] = change == Change.REMOVE_FEATURES || change == Change.MIXED;
    return removed;
  }

  private static double[] retrained(Kind kind, Change change, Options options, Table table) {
    return minimum(kind, options, table.changed(kind, change), removed(change));
  }

  /** The minimiser of the estimator's objective on a table, by its definition. */
  private static double[] minimum(Kind kind, Options options, Table corrected, boolean[] removed) {
    boolean population =
        kind.deviations == Deviations.CHOSEN_OVER_LABEL_POPULATION
            || kind.deviations == Deviations.ALWAYS_OVER_LABEL_POPULATION;
    double[] lambda = new double[COLUMNS.length];
    for (int j = 0; j < lambda.length; j++) {
      int column = j;
      double[] values = Arrays.stream(corrected.x).mapToDouble(row -> row[column]).toArray();
      double s = Retrainer.deviation(values, corrected.w, !population);
      double label = Retrainer.deviation(corrected.y, corrected.w, !population);
      double chosen = options.standardization ? s * s : 1;
      lambda[j] =
          regParam(kind, options)
              * switch (kind.deviations) {
                case CHOSEN -> chosen;
                case CHOSEN_OVER_LABEL, CHOSEN_OVER_LABEL_POPULATION -> chosen / label;
                case ALWAYS_OVER_LABEL_POPULATION -> s * s / label;
                case NEVER -> 1;
                case NEVER_TIMES_LABEL -> meanLabel(corrected);
                case NO_PENALTY -> 0;
              };
    }
    return new Retrainer(
            kind.loss, corrected.x, corrected.y, corrected.w, lambda, options.intercept, removed)
        .minimum();
  }

  private static double meanLabel(Table table) {
    double sum = 0;
    double weight = 0;
    for (int i = 0; i < table.y.length; i++) {
      sum += table.w[i] * table.y[i];
      weight += table.w[i];
    }
    return sum / weight;
  }

  /** A Poisson model without intercept has an objective without penalty only. */
  private static double regParam(Kind kind, Options options) {
    boolean none =
        kind.deviations == Deviations.NO_PENALTY || (kind == Kind.POISSON && !options.intercept);
    return none ? 0 : REG_PARAM;
  }

  private static Jobs fitted(Fit fit) {
    try {
      Jobs jobs = new Jobs(Files.createDirectory(directory.resolve("fit-" + FITTED.size())));
      Dataset<Row> rows = Table.random(fit.kind, fit.options).dataset();
      rows.write().parquet(jobs.path("table"));
      fit(fit.kind, fit.options, rows, jobs);
      return jobs;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Fits the model by Spark ML to its default tolerance, or the hinges by Lethe, and saves it. */
  private static void fit(Kind kind, Options options, Dataset<Row> rows, Jobs jobs)
      throws IOException {
    double regParam = regParam(kind, options);
    PipelineStage estimator =
        switch (kind) {
          case LOGISTIC -> logistic("binomial", options);
          case MULTINOMIAL -> logistic("multinomial", options);
          case ONE_VS_REST -> {
            OneVsRest reduction = new OneVsRest().setClassifier(logistic("binomial", options));
            yield options.weighted ? reduction.setWeightCol("weight") : reduction;
          }
          case SQUARED -> linear("l-bfgs", options);
          case SQUARED_NORMAL -> linear("normal", options);
          case HUBER -> linear("auto", options).setLoss("huber");
          case GAUSSIAN -> generalized("gaussian", "identity", options, regParam);
          case BINOMIAL -> generalized("binomial", "logit", options, regParam);
          case POISSON -> generalized("poisson", "log", options, regParam);
          case GAMMA -> generalized("gamma", "log", options, regParam);
          case SMOOTHED_HINGE,
              SQUARED_HINGE,
              ONE_VS_REST_SMOOTHED_HINGE,
              ONE_VS_REST_SQUARED_HINGE -> {
            jobs.train(
                jobs.table("table", "parquet"),
                List.of(COLUMNS),
                TrainableLoss.valueOf(kind.name()),
                REG_PARAM,
                options.standardization,
                options.intercept,
                options.weighted ? "weight" : null,
                "model");
            yield null;
          }
        };
    if (estimator != null) {
      VectorAssembler assembler =
          new VectorAssembler().setInputCols(COLUMNS).setOutputCol("features");
      new Pipeline()
          .setStages(new PipelineStage[] {assembler, estimator})
          .fit(rows)
          .write()
          .save(jobs.path("model"));
    }
  }

  private static LogisticRegression logistic(String family, Options options) {
    LogisticRegression estimator =
        new LogisticRegression()
            .setFamily(family)
            .setRegParam(REG_PARAM)
            .setStandardization(options.standardization)
            .setFitIntercept(options.intercept);
    return options.weighted ? estimator.setWeightCol("weight") : estimator;
  }

  private static LinearRegression linear(String solver, Options options) {
    LinearRegression estimator =
        new LinearRegression()
            .setSolver(solver)
            .setRegParam(REG_PARAM)
            .setStandardization(options.standardization)
            .setFitIntercept(options.intercept);
    return options.weighted ? estimator.setWeightCol("weight") : estimator;
  }

  private static GeneralizedLinearRegression generalized(
      String family, String link, Options options, double regParam) {
    GeneralizedLinearRegression estimator =
        new GeneralizedLinearRegression()
            .setFamily(family)
            .setLink(link)
            .setRegParam(regParam)
            .setFitIntercept(options.intercept);
    return options.weighted ? estimator.setWeightCol("weight") : estimator;
  }
}

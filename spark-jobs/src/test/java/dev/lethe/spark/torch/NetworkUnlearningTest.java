package dev.lethe.spark.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkLoss;
import dev.lethe.core.neural.NetworkSum;
import dev.lethe.core.neural.NetworkSums;
import dev.lethe.core.neural.NetworkUnlearning;
import dev.lethe.core.neural.NetworkUnlearning.Gradient;
import dev.lethe.core.neural.NetworkUnlearning.Method;
import dev.lethe.core.neural.NetworkUnlearning.Options;
import dev.lethe.core.neural.NetworkUnlearning.Outcome;
import dev.lethe.core.neural.NetworkUnlearning.Result;
import dev.lethe.core.neural.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The updates on a small network in double precision, against dense linear algebra. */
class NetworkUnlearningTest {
  private static final int ROWS = 600;
  private static final int CHANGED = 60;
  private static final double LAMBDA = 0.6;
  private static final TorchModel MODEL =
      TorchModel.loadExact(
          new Architecture.Mlp(3, List.of(4), 3).module(1),
          "mlp",
          NetworkLoss.CROSS_ENTROPY,
          any -> true);

  private static final float[] VALUES = values();
  private static final long[] WRONG = labels(true);
  private static final long[] RIGHT = labels(false);

  @AfterAll
  static void close() {
    MODEL.close();
  }

  private static float[] values() {
    SplittableRandom random = new SplittableRandom(1);
    float[] values = new float[3 * ROWS];
    for (int k = 0; k < values.length; k++) {
      values[k] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }

  /** The largest of three numbers; of the first rows, another. */
  private static long[] labels(boolean wrong) {
    long[] labels = new long[ROWS];
    for (int i = 0; i < ROWS; i++) {
      int best = 0;
      for (int j = 1; j < 3; j++) {
        best = VALUES[3 * i + j] > VALUES[3 * i + best] ? j : best;
      }
      labels[i] = wrong && i < CHANGED ? (best + 1) % 3 : best;
    }
    return labels;
  }

  /** Rows of the data on this thread, with sums in one batch. */
  private record Rows(int count, long[] labels) implements NetworkSums {
    private Batch batch(Sample sample) {
      int[] chosen = new int[count];
      int size = 0;
      for (int i = 0; i < count; i++) {
        if (sample.has(i)) {
          chosen[size++] = i;
        }
      }
      float[] values = new float[3 * size];
      long[] classes = new long[size];
      for (int k = 0; k < size; k++) {
        System.arraycopy(VALUES, 3 * chosen[k], values, 3 * k, 3);
        classes[k] = labels[chosen[k]];
      }
      return Batch.ofValues(new int[] {3}, values, classes);
    }

    @Override
    public int size() {
      return MODEL.size();
    }

    @Override
    public long rows() {
      return count;
    }

    @Override
    public NetworkSum evaluate(double[] theta, Sample sample) {
      if (count == 0) {
        return new NetworkSum(0, 0);
      }
      Batch batch = batch(sample);
      MODEL.setParameters(theta);
      NetworkSum sum = new NetworkSum(0, 0);
      double loss = 0;
      for (float each : MODEL.losses(batch)) {
        loss += each;
      }
      sum.add(batch.rows(), loss);
      for (boolean right : right(batch)) {
        sum.addCorrect(right ? 1 : 0);
      }
      return sum;
    }

    private static boolean[] right(Batch batch) {
      float[] outputs = MODEL.outputs(batch);
      boolean[] right = new boolean[batch.rows()];
      for (int i = 0; i < right.length; i++) {
        float own = outputs[3 * i + (int) batch.classes()[i]];
        right[i] = own >= outputs[3 * i] && own >= outputs[3 * i + 1] && own >= outputs[3 * i + 2];
      }
      return right;
    }

    @Override
    public NetworkSum gradient(double[] theta, Sample sample, Filter filter) {
      MODEL.setParameters(theta);
      Batch batch = batch(sample);
      if (filter != Filter.ALL) {
        batch = batch.where(right(batch), filter == Filter.RIGHT);
      }
      NetworkSum sum = new NetworkSum(size(), 0);
      if (batch.rows() > 0) {
        sum.add(batch.rows(), MODEL.addGradient(batch, sum.vector()));
      }
      return sum;
    }

    @Override
    public NetworkSum forgettingGradient(double[] theta, double quantile) {
      if (count == 0) {
        return new NetworkSum(size(), 0);
      }
      MODEL.setParameters(theta);
      Batch batch = batch(Sample.ALL);
      batch = batch.where(right(batch), true);
      NetworkSum sum = new NetworkSum(size(), 0);
      if (batch.rows() > 0) {
        sum.add(batch.rows(), MODEL.addForgettingGradient(batch, sum.vector()));
      }
      return sum;
    }

    @Override
    public NetworkSum product(double[] theta, double[] v, Curvature curvature, Sample sample) {
      MODEL.setParameters(theta);
      Batch batch = batch(sample);
      NetworkSum sum = new NetworkSum(size(), 0);
      MODEL.addProduct(batch, v, curvature, sum.vector());
      sum.add(batch.rows(), 0);
      return sum;
    }
  }

  /** The rows, with a loss that is infinite but where something holds of theta. */
  private record Walled(Rows inner, Predicate<double[]> open) implements NetworkSums {
    @Override
    public int size() {
      return inner.size();
    }

    @Override
    public long rows() {
      return inner.count();
    }

    @Override
    public NetworkSum evaluate(double[] theta, Sample sample) {
      NetworkSum sum = inner.evaluate(theta, sample);
      if (!open.test(theta)) {
        sum.add(0, Double.POSITIVE_INFINITY);
      }
      return sum;
    }

    @Override
    public NetworkSum gradient(double[] theta, Sample sample, Filter filter) {
      return inner.gradient(theta, sample, filter);
    }

    @Override
    public NetworkSum forgettingGradient(double[] theta, double quantile) {
      return inner.forgettingGradient(theta, quantile);
    }

    @Override
    public NetworkSum product(double[] theta, double[] v, Curvature curvature, Sample sample) {
      return inner.product(theta, v, curvature, sample);
    }
  }

  /** A loss whose gradient and Hessian, a diagonal one, are the same everywhere. */
  private record Constant(double[] gradient, double[] diagonal) implements NetworkSums {
    @Override
    public int size() {
      return gradient.length;
    }

    @Override
    public long rows() {
      return ROWS;
    }

    private NetworkSum sum(double[] vector) {
      NetworkSum sum = new NetworkSum(vector.length, 0);
      sum.add(ROWS, 0);
      System.arraycopy(vector, 0, sum.vector(), 0, vector.length);
      return sum;
    }

    @Override
    public NetworkSum evaluate(double[] theta, Sample sample) {
      return sum(new double[0]);
    }

    @Override
    public NetworkSum gradient(double[] theta, Sample sample, Filter filter) {
      return sum(gradient);
    }

    @Override
    public NetworkSum forgettingGradient(double[] theta, double quantile) {
      return sum(new double[size()]);
    }

    @Override
    public NetworkSum product(double[] theta, double[] v, Curvature curvature, Sample sample) {
      assertThat(curvature).isEqualTo(Curvature.HESSIAN);
      double[] product = new double[v.length];
      Arrays.setAll(product, j -> diagonal[j] * v[j]);
      return sum(product);
    }
  }

  /** One parameter, that each round takes a step of one length; what counts is by the round. */
  private record Scripted(double gradient, long[] wrong, long[] remembered) implements NetworkSums {
    static final double DAMPING = 2;

    static int round(double[] theta) {
      return (int) Math.round(-theta[0] * (DAMPING + LAMBDA));
    }

    private static long at(long[] counts, double[] theta) {
      return counts[Math.min(round(theta), counts.length - 1)];
    }

    @Override
    public int size() {
      return 1;
    }

    @Override
    public long rows() {
      return 10;
    }

    @Override
    public NetworkSum evaluate(double[] theta, Sample sample) {
      NetworkSum sum = new NetworkSum(0, 0);
      sum.add(rows(), 0);
      sum.addCorrect(rows() - at(wrong, theta));
      return sum;
    }

    @Override
    public NetworkSum gradient(double[] theta, Sample sample, Filter filter) {
      NetworkSum sum = new NetworkSum(1, 0);
      sum.add(rows(), 0);
      sum.vector()[0] = gradient;
      return sum;
    }

    @Override
    public NetworkSum forgettingGradient(double[] theta, double quantile) {
      NetworkSum sum = new NetworkSum(1, 0);
      sum.add(at(remembered, theta), 0);
      return sum;
    }

    @Override
    public NetworkSum product(double[] theta, double[] v, Curvature curvature, Sample sample) {
      NetworkSum sum = new NetworkSum(1, 0);
      sum.add(rows(), 0);
      return sum;
    }
  }

  private static Options options(Method method, double share, int rounds, double damping) {
    return new Options(
        method,
        Gradient.DIFFERENCE,
        Curvature.GAUSS_NEWTON,
        share,
        1,
        1000,
        1000,
        1,
        rounds,
        5000,
        1e-10,
        null,
        damping,
        null,
        LAMBDA,
        LAMBDA,
        1);
  }

  /** The same by the exact Hessian. */
  private static Options byHessian(Options given, @Nullable Double scale) {
    return new Options(
        given.method(),
        given.gradient(),
        Curvature.HESSIAN,
        given.share(),
        given.lossShare(),
        given.lossIncrease(),
        given.forgetting(),
        given.quantile(),
        given.rounds(),
        given.iterations(),
        given.tolerance(),
        given.rate(),
        given.damping(),
        scale,
        given.lambda(),
        given.lambdaBefore(),
        given.seed());
  }

  private static Result run(Options options) {
    return run(options, new Rows(ROWS, RIGHT));
  }

  private static Result run(Options options, NetworkSums corrected) {
    NetworkSums before = new Rows(CHANGED, WRONG);
    NetworkSums after = new Rows(CHANGED, RIGHT);
    return new NetworkUnlearning(
            new NetworkUnlearning.Changed(before, after, before, after),
            corrected,
            options,
            round -> {})
        .run(start());
  }

  /** From 0, with G = g. */
  private static Result run(Options options, double[] g, double[] diagonal) {
    NetworkSums after = new Constant(g, diagonal);
    NetworkSums before = new Constant(new double[g.length], diagonal);
    return new NetworkUnlearning(
            new NetworkUnlearning.Changed(before, after, before, after),
            after,
            options,
            round -> {})
        .run(new double[g.length]);
  }

  private static double[] start() {
    double[] theta = new double[MODEL.size()];
    Arrays.setAll(theta, j -> 0.3 * Math.sin(1 + 7 * j));
    return theta;
  }

  /** G, by hand. */
  private static double[] difference() {
    MODEL.setParameters(start());
    double[] g = new double[MODEL.size()];
    double[] then = new double[MODEL.size()];
    float[] changed = Arrays.copyOf(VALUES, 3 * CHANGED);
    MODEL.addGradient(Batch.ofValues(new int[] {3}, changed, Arrays.copyOf(RIGHT, CHANGED)), g);
    MODEL.addGradient(Batch.ofValues(new int[] {3}, changed, Arrays.copyOf(WRONG, CHANGED)), then);
    return Vectors.add(g, -1, then);
  }

  /** H + shift I of the corrected data. */
  private static double[][] dense(double shift) {
    return dense(Batch.ofValues(new int[] {3}, VALUES, RIGHT), 1, shift);
  }

  private static double[][] dense(Batch batch, double factor, double shift) {
    return dense(Curvature.GAUSS_NEWTON, batch, factor, shift);
  }

  /** factor H + shift I, column by column. */
  private static double[][] dense(Curvature curvature, Batch batch, double factor, double shift) {
    MODEL.setParameters(start());
    int p = MODEL.size();
    double[][] h = new double[p][p];
    for (int j = 0; j < p; j++) {
      double[] unit = new double[p];
      unit[j] = 1;
      MODEL.addProduct(batch, unit, curvature, h[j]);
      for (int i = 0; i < p; i++) {
        h[j][i] *= factor;
      }
      h[j][j] += shift;
    }
    return h;
  }

  /** Gaussian elimination; the matrix is positive definite. */
  private static double[] solve(double[][] a, double[] b) {
    int p = b.length;
    double[] x = b.clone();
    for (int k = 0; k < p; k++) {
      for (int i = k + 1; i < p; i++) {
        double f = a[i][k] / a[k][k];
        for (int j = k; j < p; j++) {
          a[i][j] -= f * a[k][j];
        }
        x[i] -= f * x[k];
      }
    }
    for (int k = p - 1; k >= 0; k--) {
      for (int j = k + 1; j < p; j++) {
        x[k] -= a[k][j] * x[j];
      }
      x[k] /= a[k][k];
    }
    return x;
  }

  @Test
  void run_conjugateGradientAndLissa_takeTheDenseStep() {
    double damping = 2;
    double[] step = solve(dense(LAMBDA + damping), difference());
    double[] expected = Vectors.add(start(), -1, step);

    Result conjugate = run(options(Method.CONJUGATE_GRADIENT, 1, 1, damping));
    Result lissa = run(options(Method.LISSA, 1, 1, damping));

    assertThat(Vectors.distance(conjugate.theta(), expected)).isLessThan(1e-8 * Vectors.norm(step));
    // ten steps that change x by 1e-10 leave scale / (10 damping) times that
    assertThat(Vectors.distance(lissa.theta(), expected)).isLessThan(1e-6 * Vectors.norm(step));
    assertThat(conjugate.rounds().get(0).solve()).isEqualTo("CONVERGED");
    assertThat(lissa.rounds().get(0).solve()).isEqualTo("CONVERGED");
  }

  /**
   * Its steps are taken of a third of the rows each: right on average, by the size of the sample.
   */
  @Test
  void run_lissaOnSamples_isNearTheDenseStep() {
    double damping = 60;
    double[] step = solve(dense(LAMBDA + damping), difference());

    Result lissa = run(options(Method.LISSA, 0.33, 1, damping));

    assertThat(Vectors.distance(lissa.theta(), Vectors.add(start(), -1, step)))
        .isLessThan(0.1 * Vectors.norm(step));
  }

  /** H is that of the round's sample, times n / |sample|. */
  @Test
  void run_conjugateGradientOnASample_takesTheStepOfItsHessian() {
    double damping = 2;
    Sample sample = new Sample(0.4, 1); // of the first round
    List<Integer> chosen = IntStream.range(0, ROWS).filter(sample::has).boxed().toList();
    assertThat(chosen).hasSizeBetween(150, 330);
    float[] values = new float[3 * chosen.size()];
    long[] classes = new long[chosen.size()];
    for (int k = 0; k < classes.length; k++) {
      System.arraycopy(VALUES, 3 * chosen.get(k), values, 3 * k, 3);
      classes[k] = RIGHT[chosen.get(k)];
    }
    double[][] h =
        dense(
            Batch.ofValues(new int[] {3}, values, classes),
            (double) ROWS / classes.length,
            LAMBDA + damping);
    double[] step = solve(h, difference());

    Result result = run(options(Method.CONJUGATE_GRADIENT, 0.4, 1, damping));

    assertThat(Vectors.distance(result.theta(), Vectors.add(start(), -1, step)))
        .isLessThan(1e-8 * Vectors.norm(step));
  }

  @Test
  void run_nothingChanges_isDoneWithoutAStep() {
    NetworkSums same = new Rows(CHANGED, RIGHT);
    NetworkSums none = new Rows(0, RIGHT);
    Result result =
        new NetworkUnlearning(
                new NetworkUnlearning.Changed(same, same, none, none),
                new Rows(ROWS, RIGHT),
                options(Method.CONJUGATE_GRADIENT, 1, 5, 2),
                round -> {})
            .run(start());
    assertThat(result.outcome()).isEqualTo(Outcome.DONE);
    assertThat(result.theta()).isEqualTo(start());
    assertThat(result.rounds()).isEmpty();
  }

  @Test
  void run_firstOrder_stepsByTheRate() {
    Options chosen = options(Method.FIRST_ORDER, 1, 1, 1);
    double[] g = difference();
    Result automatic = run(chosen);
    double eigenvalue = automatic.rounds().get(0).largestEigenvalue();
    assertThat(Vectors.distance(automatic.theta(), Vectors.add(start(), -1 / eigenvalue, g)))
        .isLessThan(1e-12);
    // power iteration on the dense matrix; Lanczos is 5 % accurate and raised by as much
    double[][] h = dense(LAMBDA);
    double[] v = g;
    double norm = 0;
    for (int k = 0; k < 500; k++) {
      double[] next = new double[v.length];
      for (int i = 0; i < v.length; i++) {
        next[i] = Vectors.dot(h[i], v);
      }
      norm = Vectors.norm(next) / Vectors.norm(v);
      double length = Vectors.norm(next);
      Arrays.setAll(next, i -> next[i] / length);
      v = next;
    }
    assertThat(eigenvalue).isBetween(0.99 * norm, 1.06 * norm);
  }

  @Test
  void run_severalRounds_endsWhenNothingIsWrong() {
    Result result = run(options(Method.CONJUGATE_GRADIENT, 1, 50, 2));
    assertThat(result.outcome()).isEqualTo(Outcome.DONE);
    assertThat(new Rows(CHANGED, RIGHT).evaluate(result.theta()).correct()).isEqualTo(CHANGED);
    assertThat(new Rows(CHANGED, WRONG).evaluate(result.theta()).correct()).isZero();
    assertThat(result.rounds().get(0).wrong()).isPositive();
  }

  /** Rounds of damped Newton steps; kinks of ReLUs are what is left. */
  @Test
  void run_correctedGradient_comesNearAStationaryPoint() {
    Options settings =
        new Options(
            Method.CONJUGATE_GRADIENT,
            Gradient.CORRECTED,
            Curvature.GAUSS_NEWTON,
            1,
            1,
            0.5,
            1000,
            1,
            200,
            500,
            1e-8,
            null,
            1.0,
            null,
            LAMBDA,
            LAMBDA,
            1);
    Result result = run(settings);
    assertThat(Vectors.norm(objectiveGradient(result.theta())))
        .isLessThan(1e-3 * Vectors.norm(objectiveGradient(start())));
  }

  private static double[] objectiveGradient(double[] theta) {
    double[] g = new double[MODEL.size()];
    MODEL.setParameters(theta);
    MODEL.addGradient(Batch.ofValues(new int[] {3}, VALUES, RIGHT), g);
    return Vectors.add(g, LAMBDA, theta);
  }

  @Test
  void run_stepThatRaisesTheLoss_isShortenedOrNotTaken() {
    Options bold =
        new Options(
            Method.FIRST_ORDER,
            Gradient.DIFFERENCE,
            Curvature.HESSIAN,
            1,
            1,
            0,
            1000,
            1,
            1,
            10,
            0.1,
            1e3,
            null,
            null,
            LAMBDA,
            LAMBDA,
            1);
    Result shortened = run(bold);
    assertThat(shortened.rounds().get(0).attempts()).isGreaterThan(1);
    double before = new Rows(ROWS, RIGHT).evaluate(start()).loss();
    assertThat(new Rows(ROWS, RIGHT).evaluate(shortened.theta()).loss()).isLessThan(before);

    Options hopeless =
        new Options(
            Method.FIRST_ORDER,
            Gradient.DIFFERENCE,
            Curvature.HESSIAN,
            1,
            1,
            0,
            1000,
            1,
            1,
            10,
            0.1,
            1e30,
            null,
            null,
            LAMBDA,
            LAMBDA,
            1);
    Result refused = run(hopeless);
    assertThat(refused.outcome()).isEqualTo(Outcome.DIVERGED);
    assertThat(refused.theta()).isEqualTo(start());
  }

  /** The full step raises them by more. */
  @Test
  void run_limitedForgetting_raisesTheLossesOfOldTargetsByNoMore() {
    double limit = 0.01;
    Options bold = options(Method.CONJUGATE_GRADIENT, 1, 8, 1e-6);
    Options limited =
        new Options(
            bold.method(),
            bold.gradient(),
            bold.curvature(),
            bold.share(),
            bold.lossShare(),
            bold.lossIncrease(),
            limit,
            bold.quantile(),
            1,
            bold.iterations(),
            bold.tolerance(),
            null,
            bold.damping(),
            null,
            LAMBDA,
            LAMBDA,
            1);
    Rows old = new Rows(CHANGED, WRONG);
    long remembered = old.forgettingGradient(start(), 1).rows();
    assertThat(remembered).isPositive();
    double before = old.evaluate(start()).loss();

    NetworkUnlearning.Round free = run(bold).rounds().get(0);
    Result result = run(limited);

    assertThat(free.length()).isEqualTo(1);
    assertThat(result.rounds().get(0).length()).isBetween(1e-6, 0.9);
    assertThat(old.evaluate(result.theta()).loss() - before).isBetween(0.0, limit * remembered);
    // the same direction, less of it
    assertThat(result.rounds().get(0).stepNorm())
        .isCloseTo(result.rounds().get(0).length() * free.stepNorm(), withPercentage(0.01));
  }

  /** Of a penalty in mean form, lambda falls with the rows that are removed. */
  @Test
  void run_smallerPenalty_isPartOfTheGradient() {
    Options one = options(Method.FIRST_ORDER, 1, 1, 1);
    double rate = 1e-4;
    Options changed =
        new Options(
            one.method(),
            one.gradient(),
            one.curvature(),
            1,
            1,
            1000,
            1000,
            1,
            1,
            1,
            0.5,
            rate,
            null,
            null,
            LAMBDA,
            2 * LAMBDA,
            1);
    double[] g = Vectors.add(difference(), -LAMBDA, start());
    assertThat(Vectors.distance(run(changed).theta(), Vectors.add(start(), -rate, g)))
        .isLessThan(1e-12);
  }

  /**
   * Where the loss is finite in a ball alone, 1/64 of a later round's step is the least that is
   * tried.
   */
  @Test
  void run_laterRoundWithoutAShortStep_keepsTheRoundsBefore() {
    Options one = options(Method.CONJUGATE_GRADIENT, 1, 1, 2);
    Options two = options(Method.CONJUGATE_GRADIENT, 1, 2, 2);
    double[] first = run(one).theta();
    Result free = run(two);
    double step = free.rounds().get(1).stepNorm();
    assertThat(free.outcome()).isEqualTo(Outcome.ROUNDS);
    assertThat(free.rounds().get(1).length()).isEqualTo(1);

    Result wide = run(two, ballAround(first, step / 63));
    Result narrow = run(two, ballAround(first, step / 65));

    assertThat(wide.outcome()).isEqualTo(Outcome.ROUNDS);
    assertThat(wide.rounds().get(1).length()).isEqualTo(1.0 / 64);
    assertThat(narrow.outcome()).isEqualTo(Outcome.NO_STEP);
    assertThat(narrow.theta()).isEqualTo(first);
    assertThat(narrow.rounds()).hasSize(2);
    NetworkUnlearning.Round refused = narrow.rounds().get(1);
    assertThat(refused.attempts()).isEqualTo(4); // 1, 1/4, 1/16, 1/64
    assertThat(refused.length()).isZero();
    assertThat(refused.stepNorm()).isZero();
    assertThat(refused.meanLoss()).isEqualTo(narrow.rounds().get(0).meanLoss());
  }

  private static NetworkSums ballAround(double[] centre, double radius) {
    return new Walled(
        new Rows(ROWS, RIGHT),
        theta -> Arrays.equals(theta, start()) || Vectors.distance(theta, centre) <= radius);
  }

  /** What is wrong and what is remembered at the start and behind each round, then as at last. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "9 7 7 8 7|3 0 0 0 0|STALLED|4",
        "9 7 7 7 6 6 6 6|3 0|STALLED|7", // a new target became right
        "9 7 7 7 7 7 7 7|3 0 0 0 1 0 0 0|STALLED|7", // an old one came back
        "9|0|STALLED|3",
        "9 7|3 1|ROUNDS|20",
        "9 8 7 7 6 6 5 5 4 4 3 3 2 2 1 1 0|0|DONE|16",
        "9 7 7 0|3 0|DONE|3",
        "9 7 7 0|3 0 0 1 0|DONE|4",
      })
  void run_severalRounds_endsByWhatIsWrongAndRemembered(
      String wrong, String remembered, Outcome outcome, int rounds) {
    NetworkSums after = new Scripted(1, counts(wrong), counts(remembered));
    NetworkSums before = new Scripted(0, counts(wrong), counts(remembered));

    Result result =
        new NetworkUnlearning(
                new NetworkUnlearning.Changed(before, after, before, after),
                after,
                options(Method.CONJUGATE_GRADIENT, 1, 20, Scripted.DAMPING),
                round -> {})
            .run(new double[1]);

    assertThat(result.outcome()).isEqualTo(outcome);
    assertThat(result.rounds()).hasSize(rounds);
    assertThat(Scripted.round(result.theta())).isEqualTo(rounds);
  }

  private static long[] counts(String words) {
    return Arrays.stream(words.split(" ")).mapToLong(Long::parseLong).toArray();
  }

  /**
   * Conjugate gradient's iterate k solves the system in the Krylov space of k dimensions, and its
   * direction k + 1 has the sign of pivot k + 1 of the matrix in it: here by dense algebra.
   */
  @Test
  void run_indefiniteHessian_takesWhatWasFoundBeforeNegativeCurvature() {
    double damping = 0.01;
    double[] g = difference();
    double[][] a =
        dense(Curvature.HESSIAN, Batch.ofValues(new int[] {3}, VALUES, RIGHT), 1, LAMBDA + damping);
    List<double[]> basis = new ArrayList<>();
    double[] next = g;
    double[] expected = new double[0];
    double[] solution = new double[g.length];
    while (expected.length == 0) {
      double[] q = next.clone();
      for (int twice = 0; twice < 2; twice++) {
        for (double[] each : basis) {
          Vectors.addInPlace(q, -Vectors.dot(each, q), each);
        }
      }
      double norm = Vectors.norm(q);
      Arrays.setAll(q, j -> q[j] / norm);
      basis.add(q);
      int k = basis.size();
      double[][] inSpace = new double[k][k];
      double[] right = new double[k];
      for (int i = 0; i < k; i++) {
        double[] aq = times(a, basis.get(i));
        for (int j = 0; j < k; j++) {
          inSpace[i][j] = Vectors.dot(aq, basis.get(j));
        }
        right[i] = Vectors.dot(g, basis.get(i));
      }
      double[] y = solve(inSpace, right); // leaves the pivots on the diagonal
      if (inSpace[k - 1][k - 1] <= 0) {
        expected = solution;
      } else {
        solution = new double[g.length];
        for (int i = 0; i < k; i++) {
          Vectors.addInPlace(solution, y[i], basis.get(i));
        }
      }
      next = times(a, q);
    }
    assertThat(basis.size()).isBetween(2, 15);

    Result result = run(byHessian(options(Method.CONJUGATE_GRADIENT, 1, 1, damping), null));

    NetworkUnlearning.Round round = result.rounds().get(0);
    assertThat(round.solve()).isEqualTo("NOT_POSITIVE_DEFINITE");
    assertThat(round.products()).isEqualTo(basis.size());
    assertThat(round.damping()).isEqualTo(damping);
    double[] step = Vectors.add(start(), -1, result.theta());
    // directions of conjugate gradient lose their orthogonality slowly
    assertThat(Vectors.distance(step, expected)).isLessThan(1e-6 * Vectors.norm(expected));
    assertThat(Vectors.dot(step, g)).isPositive(); // descends
  }

  private static double[] times(double[][] a, double[] v) {
    return Arrays.stream(a).mapToDouble(row -> Vectors.dot(row, v)).toArray();
  }

  /** H along G is -5 + lambda: nothing is found until 8^3 times the damping of 0.01. */
  @Test
  void run_negativeCurvatureAlongG_isDampedUntilThereIsAStep() {
    double[] g = {3, 0, 4};
    double[] diagonal = {-5, -1, -5};

    Result result =
        run(byHessian(options(Method.CONJUGATE_GRADIENT, 1, 1, 0.01), null), g, diagonal);

    NetworkUnlearning.Round round = result.rounds().get(0);
    double damping = 0.01 * 8 * 8 * 8;
    assertThat(round.damping()).isEqualTo(damping);
    assertThat(round.solve()).isEqualTo("CONVERGED");
    assertThat(round.products()).isEqualTo(4);
    double curvature = -5 + LAMBDA + damping;
    assertThat(result.theta()[0]).isCloseTo(-3 / curvature, withPercentage(1e-10));
    assertThat(result.theta()[1]).isZero();
    assertThat(result.theta()[2]).isCloseTo(-4 / curvature, withPercentage(1e-10));

    // 12 attempts raise this by 8^11, to 0.0086
    Result without =
        run(byHessian(options(Method.CONJUGATE_GRADIENT, 1, 1, 1e-12), null), g, diagonal);
    assertThat(without.outcome()).isEqualTo(Outcome.DIVERGED);
    assertThat(without.theta()).containsOnly(0);
    assertThat(without.rounds()).hasSize(1);
    assertThat(without.rounds().get(0).solve()).isEqualTo("NOT_POSITIVE_DEFINITE");
    assertThat(without.rounds().get(0).length()).isZero();
  }

  /**
   * The recursion multiplies an error by 1 - (100 + lambda + damping) / scale, the scale being
   * twice the damping where that is more than the given one: from a damping of 0.5 * 8^3 on that is
   * less than 1.
   */
  @Test
  void run_lissaWithTooSmallAScale_isDampedOrDiverges() {
    double[] g = {3, 4};
    double[] diagonal = {100, 1};

    Result result = run(byHessian(options(Method.LISSA, 1, 1, 0.5), 10.0), g, diagonal);

    NetworkUnlearning.Round round = result.rounds().get(0);
    double damping = 0.5 * 8 * 8 * 8;
    assertThat(round.solve()).isEqualTo("CONVERGED");
    assertThat(round.damping()).isEqualTo(damping);
    // ten steps that change x by 1e-10
    assertThat(result.theta()[0]).isCloseTo(-3 / (100 + LAMBDA + damping), withPercentage(1e-6));
    assertThat(result.theta()[1]).isCloseTo(-4 / (1 + LAMBDA + damping), withPercentage(1e-6));

    // 12 attempts raise this by 8^11, to 0.0086: the scale stays at 10
    Result without = run(byHessian(options(Method.LISSA, 1, 1, 1e-12), 10.0), g, diagonal);
    assertThat(without.outcome()).isEqualTo(Outcome.DIVERGED);
    assertThat(without.theta()).containsOnly(0);
    assertThat(without.rounds()).hasSize(1);
    assertThat(without.rounds().get(0).solve()).isEqualTo("DIVERGED");
    assertThat(without.rounds().get(0).length()).isZero();
  }
}

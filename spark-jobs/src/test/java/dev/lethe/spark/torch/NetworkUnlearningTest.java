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
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

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
      if (filter == Filter.WRONG) {
        batch = batch.where(right(batch), false);
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

  /** Steps of all rows, as long as they come. */
  private static Options.Builder unlimited() {
    return Options.builder()
        .share(1)
        .lossShare(1)
        .lossIncrease(1000)
        .forgetting(1000)
        .penalty(LAMBDA, LAMBDA);
  }

  private static Options options(Method method, double share, int rounds, double damping) {
    return unlimited()
        .method(method)
        .share(share)
        .rounds(rounds)
        .iterations(5000)
        .tolerance(1e-10)
        .damping(damping)
        .build();
  }

  private static Result run(Options options) {
    NetworkSums before = new Rows(CHANGED, WRONG);
    NetworkSums after = new Rows(CHANGED, RIGHT);
    return new NetworkUnlearning(
            new NetworkUnlearning.Changed(before, after, before, after),
            new Rows(ROWS, RIGHT),
            options,
            round -> {})
        .run(start());
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

  /** factor H + shift I, column by column. */
  private static double[][] dense(Batch batch, double factor, double shift) {
    MODEL.setParameters(start());
    int p = MODEL.size();
    double[][] h = new double[p][p];
    for (int j = 0; j < p; j++) {
      double[] unit = new double[p];
      unit[j] = 1;
      MODEL.addProduct(batch, unit, Curvature.GAUSS_NEWTON, h[j]);
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
        unlimited()
            .gradient(Gradient.CORRECTED)
            .lossIncrease(0.5)
            .rounds(200)
            .iterations(500)
            .tolerance(1e-8)
            .damping(1.0)
            .build();
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
        unlimited()
            .method(Method.FIRST_ORDER)
            .curvature(Curvature.HESSIAN)
            .lossIncrease(0)
            .rounds(1)
            .rate(1e3)
            .build();
    Result shortened = run(bold);
    assertThat(shortened.rounds().get(0).attempts()).isGreaterThan(1);
    double before = new Rows(ROWS, RIGHT).evaluate(start()).loss();
    assertThat(new Rows(ROWS, RIGHT).evaluate(shortened.theta()).loss()).isLessThan(before);

    Result refused = run(bold.toBuilder().rate(1e30).build());
    assertThat(refused.outcome()).isEqualTo(Outcome.DIVERGED);
    assertThat(refused.theta()).isEqualTo(start());
  }

  /** The full step raises them by more. */
  @Test
  void run_limitedForgetting_raisesTheLossesOfOldTargetsByNoMore() {
    double limit = 0.01;
    Options bold = options(Method.CONJUGATE_GRADIENT, 1, 8, 1e-6);
    Options limited = bold.toBuilder().forgetting(limit).rounds(1).build();
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
    double rate = 1e-4;
    Options changed =
        unlimited()
            .method(Method.FIRST_ORDER)
            .rounds(1)
            .rate(rate)
            .penalty(LAMBDA, 2 * LAMBDA)
            .build();
    double[] g = Vectors.add(difference(), -LAMBDA, start());
    assertThat(Vectors.distance(run(changed).theta(), Vectors.add(start(), -rate, g)))
        .isLessThan(1e-12);
  }
}

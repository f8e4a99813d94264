package dev.lethe.spark.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkLoss;
import dev.lethe.core.neural.NetworkSum;
import dev.lethe.core.neural.NetworkSums;
import dev.lethe.core.neural.NetworkSums.Recall;
import dev.lethe.core.neural.NetworkUnlearning;
import dev.lethe.core.neural.NetworkUnlearning.Changed;
import dev.lethe.core.neural.NetworkUnlearning.Gradient;
import dev.lethe.core.neural.NetworkUnlearning.Method;
import dev.lethe.core.neural.NetworkUnlearning.Options;
import dev.lethe.core.neural.NetworkUnlearning.Outcome;
import dev.lethe.core.neural.NetworkUnlearning.Result;
import dev.lethe.core.neural.Sample;
import dev.lethe.core.neural.TypicalOdds;
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

  private static final float[] VALUES = values(0);
  private static final long[] WRONG = labels(VALUES, true);
  private static final long[] RIGHT = labels(VALUES, false);

  /** Rows that change lie apart from the others, so that wrong labels can be learned. */
  private static final float[] APART = values(1.5f);

  private static final long[] APART_WRONG = labels(APART, true);
  private static final long[] APART_RIGHT = labels(APART, false);

  @AfterAll
  static void close() {
    MODEL.close();
  }

  /**
   * @param apart what the first number of rows that change is greater by
   */
  private static float[] values(float apart) {
    SplittableRandom random = new SplittableRandom(1);
    float[] values = new float[3 * ROWS];
    for (int k = 0; k < values.length; k++) {
      values[k] = (float) random.nextDouble(-1, 1) + (k % 3 == 0 && k < 3 * CHANGED ? apart : 0);
    }
    return values;
  }

  /** The largest of three numbers; of the first rows, another. */
  private static long[] labels(float[] values, boolean wrong) {
    long[] labels = new long[ROWS];
    for (int i = 0; i < ROWS; i++) {
      int best = 0;
      for (int j = 1; j < 3; j++) {
        best = values[3 * i + j] > values[3 * i + best] ? j : best;
      }
      labels[i] = wrong && i < CHANGED ? (best + 1) % 3 : best;
    }
    return labels;
  }

  /** Rows of the data on this thread, with sums in one batch. */
  private record Rows(int count, float[] from, long[] labels) implements NetworkSums {
    Rows(int count, long[] labels) {
      this(count, VALUES, labels);
    }

    Rows first(int rows) {
      return new Rows(rows, from, labels);
    }

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
        System.arraycopy(from, 3 * chosen[k], values, 3 * k, 3);
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
    public double[] oddsMoments(double[] theta) {
      double[] moments = new double[TypicalOdds.moments(3)];
      if (count == 0) {
        return moments;
      }
      Batch batch = batch(Sample.ALL);
      MODEL.setParameters(theta);
      float[] outputs = MODEL.outputs(batch);
      for (int i = 0; i < batch.rows(); i++) {
        TypicalOdds.add(outputs, i, 3, (int) batch.classes()[i], moments);
      }
      return moments;
    }

    @Override
    public Recall recall(double[] theta, TypicalOdds typical, double beyond) {
      double misfit = 0;
      long[] atypical = new long[2];
      for (double r : standardized(theta, typical)) {
        misfit += r * r / 2;
        atypical[0] += r > beyond ? 1 : 0;
        atypical[1] += r < -beyond ? 1 : 0;
      }
      return new Recall(misfit, atypical[0], atypical[1]);
    }

    double[] standardized(double[] theta, TypicalOdds typical) {
      Batch batch = batch(Sample.ALL);
      MODEL.setParameters(theta);
      float[] outputs = MODEL.outputs(batch);
      return IntStream.range(0, count)
          .mapToDouble(i -> typical.standardized(outputs, i, 3, (int) labels[i]))
          .toArray();
    }

    @Override
    public NetworkSum misfitGradient(double[] theta, TypicalOdds typical) {
      MODEL.setParameters(theta);
      NetworkSum sum = new NetworkSum(size(), 0);
      MODEL.addMisfitGradient(batch(Sample.ALL), typical, sum.vector());
      return sum;
    }

    @Override
    public NetworkSum misfitProduct(double[] theta, double[] v, TypicalOdds typical) {
      MODEL.setParameters(theta);
      NetworkSum sum = new NetworkSum(size(), 0);
      MODEL.addMisfitProduct(batch(Sample.ALL), typical, v, sum.vector());
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
    public double[] oddsMoments(double[] theta) {
      return inner.oddsMoments(theta);
    }

    @Override
    public Recall recall(double[] theta, TypicalOdds typical, double beyond) {
      return inner.recall(theta, typical, beyond);
    }

    @Override
    public NetworkSum misfitGradient(double[] theta, TypicalOdds typical) {
      return inner.misfitGradient(theta, typical);
    }

    @Override
    public NetworkSum misfitProduct(double[] theta, double[] v, TypicalOdds typical) {
      return inner.misfitProduct(theta, v, typical);
    }

    @Override
    public NetworkSum product(double[] theta, double[] v, Curvature curvature, Sample sample) {
      return inner.product(theta, v, curvature, sample);
    }
  }

  /** Old targets have no part in its steps. */
  private interface WithoutMisfits extends NetworkSums {
    @Override
    default double[] oddsMoments(double[] theta) {
      return new double[TypicalOdds.moments(2)];
    }

    @Override
    default Recall recall(double[] theta, TypicalOdds typical, double beyond) {
      return Recall.NONE;
    }

    @Override
    default NetworkSum misfitGradient(double[] theta, TypicalOdds typical) {
      return new NetworkSum(size(), 0);
    }

    @Override
    default NetworkSum misfitProduct(double[] theta, double[] v, TypicalOdds typical) {
      return new NetworkSum(size(), 0);
    }
  }

  /** A loss whose gradient and Hessian, a diagonal one, are the same everywhere. */
  private record Constant(double[] gradient, double[] diagonal) implements WithoutMisfits {
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
    public NetworkSum product(double[] theta, double[] v, Curvature curvature, Sample sample) {
      assertThat(curvature).isEqualTo(Curvature.HESSIAN);
      double[] product = new double[v.length];
      Arrays.setAll(product, j -> diagonal[j] * v[j]);
      return sum(product);
    }
  }

  /** One parameter, that each round takes a step of one length; what counts is by the round. */
  private record Scripted(double gradient, long[] wrong, long[] remembered, long[] avoided)
      implements WithoutMisfits {
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
    public Recall recall(double[] theta, TypicalOdds typical, double beyond) {
      return new Recall(0, at(remembered, theta), at(avoided, theta));
    }

    @Override
    public NetworkSum product(double[] theta, double[] v, Curvature curvature, Sample sample) {
      NetworkSum sum = new NetworkSum(1, 0);
      sum.add(rows(), 0);
      return sum;
    }
  }

  private static final double BEYOND = 1.5;

  /** Steps of all rows, as long as they come. */
  private static Options.Builder unlimited() {
    return Options.builder().share(1).lossShare(1).lossIncrease(1000).penalty(LAMBDA, LAMBDA);
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

  /** The same by the exact Hessian. */
  private static Options byHessian(Options given, @Nullable Double scale) {
    return given.toBuilder().curvature(Curvature.HESSIAN).scale(scale).build();
  }

  private static Result run(Options options) {
    return run(options, new Rows(ROWS, RIGHT));
  }

  private static Result run(Options options, NetworkSums corrected) {
    Rows before = new Rows(CHANGED, WRONG);
    return run(options, start(), before, new Rows(CHANGED, RIGHT), corrected);
  }

  private static Result run(Options options, double[] start, Rows wrong, Rows right) {
    return run(options, start, wrong.first(CHANGED), right.first(CHANGED), right);
  }

  private static Result run(
      Options options, double[] start, Rows before, Rows after, NetworkSums corrected) {
    return run(options, start, new Changed(before, after, before, after), corrected);
  }

  private static Result run(
      Options options, double[] start, Changed changed, NetworkSums corrected) {
    @Nullable TypicalOdds typical =
        options.beyond() == null ? null : NetworkUnlearning.typical(changed, corrected, start);
    return new NetworkUnlearning(changed, corrected, typical, options, round -> {}).run(start);
  }

  /** From 0, with G = g. */
  private static Result run(Options options, double[] g, double[] diagonal) {
    NetworkSums after = new Constant(g, diagonal);
    NetworkSums before = new Constant(new double[g.length], diagonal);
    return run(options, new double[g.length], new Changed(before, after, before, after), after);
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
    return dense(start(), Curvature.GAUSS_NEWTON, batch, factor, shift);
  }

  /** factor H + shift I, column by column. */
  private static double[][] dense(
      double[] theta, Curvature curvature, Batch batch, double factor, double shift) {
    MODEL.setParameters(theta);
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

  @Test
  void run_dampingByDefault_isATenThousandthOfTheEigenvalue() {
    Options given = options(Method.CONJUGATE_GRADIENT, 1, 1, 1);
    Result result = run(given.toBuilder().damping(null).build());
    NetworkUnlearning.Round round = result.rounds().get(0);
    assertThat(round.damping()).isEqualTo(1e-4 * round.largestEigenvalue());
    double[] step = solve(dense(LAMBDA + round.damping()), difference());
    assertThat(Vectors.distance(result.theta(), Vectors.add(start(), -1, step)))
        .isLessThan(1e-7 * Vectors.norm(step));
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
        run(
            options(Method.CONJUGATE_GRADIENT, 1, 5, 2),
            start(),
            new Changed(same, same, none, none),
            new Rows(ROWS, RIGHT));
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

  private static final Rows POISONED = new Rows(ROWS, APART, APART_WRONG);
  private static final Rows REPAIRED = new Rows(ROWS, APART, APART_RIGHT);

  /** Where labels of the changed rows were learned wrong, and are remembered. */
  private static double[] poisoned() {
    Options learning =
        unlimited()
            .gradient(Gradient.CORRECTED)
            .lossIncrease(0.5)
            .rounds(60)
            .iterations(500)
            .tolerance(1e-4)
            .damping(1.0)
            .build();
    NetworkSums none = POISONED.first(0);
    return run(learning, start(), new Changed(none, none, none, none), POISONED).theta();
  }

  /** Of the rows that do not change, by their own moments. */
  private static TypicalOdds typical(double[] theta) {
    Rows others = new Rows(ROWS - CHANGED, tail(APART, 3 * CHANGED), tail(APART_RIGHT, CHANGED));
    return TypicalOdds.of(others.oddsMoments(theta));
  }

  private static float[] tail(float[] values, int from) {
    return Arrays.copyOfRange(values, from, values.length);
  }

  private static long[] tail(long[] values, int from) {
    return Arrays.copyOfRange(values, from, values.length);
  }

  private static Options forgetting(int rounds, double damping, double beyond) {
    return options(Method.CONJUGATE_GRADIENT, 1, rounds, damping).toBuilder()
        .beyond(beyond)
        .build();
  }

  /**
   * The second round of two is (H' + damping I)^{-1} G' of what the first one left, by a dense
   * solve; typical is what is so at the start.
   */
  @Test
  void run_secondRound_takesTheDenseStepOfMisfits() {
    double damping = 2;
    double[] start = poisoned();
    TypicalOdds typical = typical(start);
    Rows old = POISONED.first(CHANGED);
    double[] first = run(forgetting(1, damping, 0.1), start, POISONED, REPAIRED).theta();
    Result result = run(forgetting(2, damping, 0.1), start, POISONED, REPAIRED);
    double[] g =
        Vectors.add(
            REPAIRED.first(CHANGED).gradient(first, Sample.ALL, NetworkSums.Filter.WRONG).vector(),
            1,
            old.misfitGradient(first, typical).vector());
    double[][] h =
        dense(
            first,
            Curvature.GAUSS_NEWTON,
            Batch.ofValues(new int[] {3}, APART, APART_RIGHT),
            1,
            LAMBDA + damping);
    for (int j = 0; j < h.length; j++) {
      double[] unit = new double[h.length];
      unit[j] = 1;
      h[j] = Vectors.add(h[j], 1, old.misfitProduct(first, unit, typical).vector());
    }
    double[] step = solve(h, g);

    assertThat(result.rounds()).hasSize(2);
    double length = result.rounds().get(1).length();
    assertThat(length).isPositive();
    assertThat(Vectors.distance(result.theta(), Vectors.add(first, -length, step)))
        .isLessThan(1e-8 * Vectors.norm(step));
  }

  /** Old targets end as likely as they are elsewhere, neither more nor less. */
  @Test
  void run_severalRounds_makesOldTargetsTypical() {
    double[] start = poisoned();
    TypicalOdds typical = typical(start);
    Rows old = POISONED.first(CHANGED);
    Recall before = old.recall(start, typical, BEYOND);
    Result result = run(forgetting(50, 0.1, BEYOND), start, POISONED, REPAIRED);
    double[] after = old.standardized(result.theta(), typical);

    assertThat(before.remembered()).isPositive();
    assertThat(Arrays.stream(after).map(Math::abs).max().orElseThrow()).isLessThan(BEYOND);
    assertThat(REPAIRED.first(CHANGED).evaluate(start).correct()).isLessThan(CHANGED / 2);
    assertThat(REPAIRED.first(CHANGED).evaluate(result.theta()).correct())
        .isGreaterThanOrEqualTo(CHANGED - 2); // near a boundary
    // what a round says was so before it
    assertThat(result.rounds().get(0).remembered()).isEqualTo(before.remembered());
    assertThat(result.rounds().get(0).avoided()).isEqualTo(before.avoided());
  }

  /** A first step that drives old targets off is shortened, though no loss forbids it. */
  @Test
  void run_stepBeyondTypical_isShortened() {
    double[] start = poisoned();
    TypicalOdds typical = typical(start);
    Rows old = POISONED.first(CHANGED);
    Options bold =
        unlimited().method(Method.FIRST_ORDER).beyond(BEYOND).rounds(1).rate(1.0).build();
    Result result = run(bold, start, POISONED, REPAIRED);
    NetworkUnlearning.Round round = result.rounds().get(0);
    double limit = old.recall(start, typical, BEYOND).misfit() + CHANGED / 2.0;

    assertThat(round.length()).isBetween(1e-6, 0.9);
    assertThat(old.recall(result.theta(), typical, BEYOND).misfit()).isLessThanOrEqualTo(limit);
    double[] step = Vectors.add(result.theta(), -1, start);
    double[] longer = Vectors.add(start, 4, step); // as it was tried before
    assertThat(old.recall(longer, typical, BEYOND).misfit()).isGreaterThan(limit);
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

  /** What is wrong, remembered and avoided at the start and behind each round, then as at last. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "9 7 7 8 7|3 0|0|STALLED|3|2",
        "9 5 6 7|0|0|STALLED|3|1", // the best is taken
        "9 7 7 6 6 6 6|3 0|0|STALLED|5|5", // a new target became right
        "9 7 7 7 7 7 7|3 1 0|0|STALLED|4|4", // an old one was forgotten
        "9 7 7 7 7 7 7|3 1 0|0 1 1 0|STALLED|5|5", // one that was avoided is no more
        "9|0|0|STALLED|3|3",
        "9 9 9 8 8 7 7 6 6 5 5 4 4 3 3 2 2 1 1 0|1|0|ROUNDS|20|20",
        "9 8 7 7 6 6 5 5 4 4 3 3 2 2 1 1 0|0|0|DONE|16|16",
        "9 7 7 0|3 0|0|DONE|3|3",
        "9 7 7 0|3 0 0 1 0|0|DONE|4|4",
        "9 7 7 0|3 0|0 0 0 2 0|DONE|4|4",
      })
  void run_severalRounds_endsByWhatIsWrongRememberedAndAvoided(
      String wrong, String remembered, String avoided, Outcome outcome, int rounds, int taken) {
    NetworkSums after = new Scripted(1, counts(wrong), counts(remembered), counts(avoided));
    NetworkSums before = new Scripted(0, counts(wrong), counts(remembered), counts(avoided));

    Result result =
        run(
            options(Method.CONJUGATE_GRADIENT, 1, 20, Scripted.DAMPING).toBuilder()
                .beyond(BEYOND)
                .build(),
            new double[1],
            new Changed(before, after, before, after),
            after);

    assertThat(result.outcome()).isEqualTo(outcome);
    assertThat(result.rounds()).hasSize(rounds);
    assertThat(Scripted.round(result.theta())).isEqualTo(taken);
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
        dense(
            start(),
            Curvature.HESSIAN,
            Batch.ofValues(new int[] {3}, VALUES, RIGHT),
            1,
            LAMBDA + damping);
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

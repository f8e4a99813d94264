package dev.lethe.core.neural;

import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.neural.NetworkSums.Filter;
import dev.lethe.core.solver.ConjugateGradient;
import dev.lethe.core.solver.Lanczos;
import dev.lethe.core.solver.Lissa;
import dev.lethe.core.solver.SampledOperator;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The updates of Warnecke et al., NDSS 2023, section IV, for a network. All in sum form: with Z the
 * changed examples as they were, Z~ as they are now, D' the corrected data,
 *
 * <pre>
 *   G  = sum_{Z~} grad l - sum_Z grad l + (lambda' - lambda) theta
 *   first order:   theta - rate G
 *   second order:  theta - (H + damping I)^{-1} G,     H = sum_{D'} Hess l + lambda' I
 * </pre>
 *
 * H is that of the corrected data at the old theta, of a sample of them, rescaled to all. As the
 * paper does on images, the update is repeated as long as examples whose target changes are wrong:
 *
 * <pre>
 *   G' = sum_{Z~, wrong} grad l - sum_{Z, remembered} max(1, p / (1 - p)) grad l
 * </pre>
 *
 * with p the probability of the old target: near 1, where it is remembered best, its plain gradient
 * would vanish.
 *
 * <p>Where a loss is not convex nothing warrants a step, and softmax saturates: a Newton step
 * against what is remembered is far too long. A step is shortened as long as it raises the mean
 * loss on a sample of the corrected data above the least so far by more than is allowed, or the
 * losses of the old targets by more than is needed to forget some of them. The damping stays: more
 * of it would turn the step away from the directions that the corrected data leaves free, and
 * measured costs four times as much perplexity for the same forgetting.
 */
public final class NetworkUnlearning {
  /** Lengths of a round's step that are tried, and steps that a solver fails at. */
  private static final int ATTEMPTS = 12;

  /** What a step is shortened by that the loss of the corrected data refuses. */
  private static final double SHORTER = 0.25;

  /** A later round's step that this loss allows less of leads nowhere. */
  private static final double SHORTEST = 1.0 / 64;

  /** What a step is shortened by that the loss of old targets refuses: at least, at most. */
  private static final double LEAST_SHORTER = 0.5;

  private static final double MOST_SHORTER = 0.125;

  /** Rounds that may make no new target right where nothing is remembered. */
  static final int STALL = 3;

  /** What damping grows by where the solver finds no step. */
  private static final double MORE_DAMPING = 8;

  /** Examples: of fewer no sample is taken. */
  private static final int LEAST_SAMPLE = 100;

  /** Of the largest eigenvalue: relative accuracy, and what it is raised by. */
  private static final double EIGENVALUE_TOLERANCE = 0.05;

  private static final int EIGENVALUE_STEPS = 15;

  /** How a step is made. */
  public enum Method {
    FIRST_ORDER,
    CONJUGATE_GRADIENT,
    LISSA
  }

  /** What a step is made of. */
  public enum Gradient {
    /** G, the paper's. */
    DIFFERENCE,
    /**
     * That of the corrected objective: a Newton step towards its minimiser, refined as linear
     * models' is.
     */
    CORRECTED
  }

  /**
   * How to update.
   *
   * @param curvature that H has
   * @param share of the corrected data that a product is taken of; conjugate gradient takes the
   *     same sample for a whole solve, LiSSA another one each step
   * @param lossShare of the corrected data that a step is checked on
   * @param lossIncrease what a step may raise their mean loss by, relative to the least so far
   * @param forgetting what a step may raise the losses of all old targets by, in nats for each that
   *     was remembered
   * @param quantile an old target is remembered where at least this share of the other classes has
   *     a smaller output; 1 where its own is the largest
   * @param rounds updates at most
   * @param iterations of one solve at most
   * @param tolerance of one solve: conjugate gradient's relative residual, LiSSA's change
   * @param rate of first order; null for 1 / the largest eigenvalue of H
   * @param damping null for {@link #DAMPING} times the largest eigenvalue of H
   * @param scale of LiSSA; null for twice the largest eigenvalue of H + damping I, since a sample's
   *     may exceed that of all
   * @param lambda of the corrected objective's penalty lambda/2 ||theta||^2
   * @param lambdaBefore of the original one's; another where rows were removed and the penalty is
   *     declared in mean form
   * @param seed of samples and starting vectors
   */
  public record Options(
      Method method,
      Gradient gradient,
      Curvature curvature,
      double share,
      double lossShare,
      double lossIncrease,
      double forgetting,
      double quantile,
      int rounds,
      int iterations,
      double tolerance,
      @Nullable Double rate,
      @Nullable Double damping,
      @Nullable Double scale,
      double lambda,
      double lambdaBefore,
      long seed) {
    /** Defaults, as the builder and the command line have them. */
    public static final double SHARE = 0.05;

    public static final double LOSS_SHARE = 0.1;
    public static final double LOSS_INCREASE = 0.01;
    public static final int FORGETTING = 12;
    public static final int ROUNDS = 20;
    public static final int ITERATIONS = 50;
    public static final double TOLERANCE = 0.05;
    public static final long SEED = 1;

    /** All by default, second order by conjugate gradient. */
    public static Builder builder() {
      return new Builder();
    }

    /** The same, to change some of them. */
    public Builder toBuilder() {
      return new Builder()
          .method(method)
          .gradient(gradient)
          .curvature(curvature)
          .share(share)
          .lossShare(lossShare)
          .lossIncrease(lossIncrease)
          .forgetting(forgetting)
          .quantile(quantile)
          .rounds(rounds)
          .iterations(iterations)
          .tolerance(tolerance)
          .rate(rate)
          .damping(damping)
          .scale(scale)
          .penalty(lambda, lambdaBefore)
          .seed(seed);
    }

    /** Options under construction. */
    public static final class Builder {
      private Method method = Method.CONJUGATE_GRADIENT;
      private Gradient gradient = Gradient.DIFFERENCE;
      private Curvature curvature = Curvature.GAUSS_NEWTON;
      private double share = SHARE;
      private double lossShare = LOSS_SHARE;
      private double lossIncrease = LOSS_INCREASE;
      private double forgetting = FORGETTING;
      private double quantile = 1;
      private int rounds = ROUNDS;
      private int iterations = ITERATIONS;
      private double tolerance = TOLERANCE;
      private @Nullable Double rate;
      private @Nullable Double damping;
      private @Nullable Double scale;
      private double lambda;
      private double lambdaBefore;
      private long seed = SEED;

      private Builder() {}

      public Builder method(Method value) {
        method = value;
        return this;
      }

      public Builder gradient(Gradient value) {
        gradient = value;
        return this;
      }

      public Builder curvature(Curvature value) {
        curvature = value;
        return this;
      }

      public Builder share(double value) {
        share = value;
        return this;
      }

      public Builder lossShare(double value) {
        lossShare = value;
        return this;
      }

      public Builder lossIncrease(double value) {
        lossIncrease = value;
        return this;
      }

      public Builder forgetting(double value) {
        forgetting = value;
        return this;
      }

      public Builder quantile(double value) {
        quantile = value;
        return this;
      }

      public Builder rounds(int value) {
        rounds = value;
        return this;
      }

      public Builder iterations(int value) {
        iterations = value;
        return this;
      }

      public Builder tolerance(double value) {
        tolerance = value;
        return this;
      }

      public Builder rate(@Nullable Double value) {
        rate = value;
        return this;
      }

      public Builder damping(@Nullable Double value) {
        damping = value;
        return this;
      }

      public Builder scale(@Nullable Double value) {
        scale = value;
        return this;
      }

      /** Of the corrected objective and of the original one; none by default. */
      public Builder penalty(double corrected, double before) {
        lambda = corrected;
        lambdaBefore = before;
        return this;
      }

      public Builder seed(long value) {
        seed = value;
        return this;
      }

      public Options build() {
        return new Options(
            method,
            gradient,
            curvature,
            share,
            lossShare,
            lossIncrease,
            forgetting,
            quantile,
            rounds,
            iterations,
            tolerance,
            rate,
            damping,
            scale,
            lambda,
            lambdaBefore,
            seed);
      }
    }
  }

  /**
   * Default damping, in largest eigenvalues: directions of less curvature than that are left alone.
   */
  public static final double DAMPING = 1e-4;

  /**
   * One update.
   *
   * @param wrong examples of Z~ whose target has changed that were wrong before it
   * @param remembered examples of Z whose old target was still remembered before it
   * @param gradientNorm ||G||_2
   * @param largestEigenvalue of H, by Lanczos; null if nothing asked for it
   * @param damping of the step that was taken; of first order 1 / rate
   * @param products with H, those for the eigenvalue included
   * @param solve how the solver ended; "none" of first order
   * @param attempts lengths that were tried, the one that was taken included
   * @param length part of the solver's step that was taken, 0 if none
   * @param stepNorm ||step||_2 as taken
   * @param meanLoss on the sample of the corrected data, after it
   */
  public record Round(
      long wrong,
      long remembered,
      double gradientNorm,
      @Nullable Double largestEigenvalue,
      double damping,
      int products,
      String solve,
      int attempts,
      double length,
      double stepNorm,
      double meanLoss) {}

  /** Why it ended. */
  public enum Outcome {
    /**
     * No example whose target changes is wrong, and no old target is remembered; or the gradient is
     * nought.
     */
    DONE,
    /** The rounds were spent. */
    ROUNDS,
    /**
     * Nothing is remembered any more, and {@link #STALL} rounds made no new target right: what is
     * left would cost more than it brings.
     */
    STALLED,
    /**
     * In a later round no step was short enough, or the solver found none; the ones before were
     * taken.
     */
    NO_STEP,
    /** In the first round already, or the solver diverged there. */
    DIVERGED
  }

  /**
   * @param theta new parameters; of a round that diverged those before it
   */
  public record Result(double[] theta, List<Round> rounds, Outcome outcome) {
    public Result {
      rounds = List.copyOf(rounds);
    }
  }

  /**
   * Examples that change.
   *
   * @param before Z
   * @param after Z~
   * @param targetBefore those of Z whose target changes
   * @param targetAfter those of Z~ whose target has changed
   */
  public record Changed(
      NetworkSums before, NetworkSums after, NetworkSums targetBefore, NetworkSums targetAfter) {}

  private final Changed changed;
  private final NetworkSums corrected;
  private final Options options;
  private final Consumer<Round> listener;
  private int products;

  /**
   * @param corrected D', all examples as they are now
   */
  public NetworkUnlearning(
      Changed changed, NetworkSums corrected, Options options, Consumer<Round> listener) {
    this.changed = changed;
    this.corrected = corrected;
    this.options = options;
    this.listener = listener;
  }

  /** Updates from theta on. */
  public Result run(double[] start) {
    double[] theta = start;
    List<Round> rounds = new ArrayList<>();
    double eigenvalue = Double.NaN;
    double damping = Double.NaN;
    double loss = meanLoss(theta);
    double least = loss;
    long fewestWrong = Long.MAX_VALUE;
    int stalled = 0;
    for (int round = 0; round < options.rounds(); round++) {
      products = 0;
      long wrong = changed.targetAfter().rows() - changed.targetAfter().evaluate(theta).correct();
      NetworkSum remembered = changed.targetBefore().forgettingGradient(theta, options.quantile());
      if (options.gradient() == Gradient.DIFFERENCE
          && round > 0
          && wrong + remembered.rows() == 0) {
        return new Result(theta, rounds, Outcome.DONE);
      }
      stalled = remembered.rows() == 0 && wrong >= fewestWrong ? stalled + 1 : 0;
      fewestWrong = Math.min(fewestWrong, wrong);
      if (options.gradient() == Gradient.DIFFERENCE && stalled == STALL) {
        return new Result(theta, rounds, Outcome.STALLED);
      }
      double[] g =
          options.gradient() == Gradient.DIFFERENCE
              ? difference(theta, remembered, round == 0)
              : corrected(theta);
      if (Vectors.maxAbs(g) == 0) {
        return new Result(theta, rounds, Outcome.DONE);
      }
      if (Double.isNaN(eigenvalue) && needsEigenvalue()) {
        eigenvalue =
            new Lanczos(EIGENVALUE_TOLERANCE, EIGENVALUE_STEPS)
                    .largest(hessian(theta, round), options.seed())
                    .largest()
                    .value()
                * (1 + EIGENVALUE_TOLERANCE);
      }
      if (round == 0) {
        damping = damping(eigenvalue);
        if (!(damping > 0) || Double.isInfinite(damping) || !Double.isFinite(loss)) {
          return new Result(theta, rounds, Outcome.DIVERGED);
        }
      }
      Solve solve = solve(theta, g, eigenvalue, damping, round);
      for (int k = 1; !solve.usable() && k < ATTEMPTS; k++) {
        damping *= MORE_DAMPING;
        solve = solve(theta, g, eigenvalue, damping, round);
      }
      Taken taken =
          solve.usable()
              ? shortened(theta, solve.step(), least, remembered.rows(), round == 0 ? 0 : SHORTEST)
              : new Taken(theta, 0, 0, Double.NaN);
      Round done =
          new Round(
              wrong,
              remembered.rows(),
              Vectors.norm(g),
              Double.isNaN(eigenvalue) ? null : eigenvalue,
              damping,
              products,
              solve.ended(),
              taken.attempts(),
              taken.length(),
              taken.length() * Vectors.norm(solve.step()),
              taken.length() > 0 ? taken.meanLoss() : loss);
      rounds.add(done);
      listener.accept(done);
      if (taken.length() == 0) {
        return new Result(theta, rounds, round == 0 ? Outcome.DIVERGED : Outcome.NO_STEP);
      }
      theta = taken.theta();
      loss = taken.meanLoss();
      least = Math.min(least, loss);
    }
    return new Result(theta, rounds, Outcome.ROUNDS);
  }

  /**
   * A step as far as it was taken.
   *
   * @param length 0 if none was
   */
  private record Taken(double[] theta, int attempts, double length, double meanLoss) {}

  /**
   * Takes as much of a step as the losses of old targets and of the corrected data allow.
   *
   * @param remembered old targets that were
   * @param shortest part of the step that the corrected data's loss may leave
   */
  private Taken shortened(
      double[] theta, double[] step, double least, long remembered, double shortest) {
    double allowed = remembered * options.forgetting();
    double before = allowed > 0 ? changed.targetBefore().evaluate(theta).loss() : 0;
    double length = 1;
    double refused = 1;
    int attempts = 0;
    while (attempts < ATTEMPTS && refused >= shortest) {
      attempts++;
      double[] next = Vectors.add(theta, -length, step);
      double forgotten =
          allowed > 0 ? (changed.targetBefore().evaluate(next).loss() - before) / allowed : 0;
      if (forgotten <= 1) {
        double reached = meanLoss(next);
        if (reached <= least * (1 + options.lossIncrease())) {
          return new Taken(next, attempts, length, reached);
        }
        length *= SHORTER;
        refused *= SHORTER;
      } else {
        // the losses of what is remembered grow about linearly
        length *=
            Double.isNaN(forgotten)
                ? MOST_SHORTER
                : Math.min(LEAST_SHORTER, Math.max(MOST_SHORTER, 1 / forgotten));
      }
    }
    return new Taken(theta, attempts, 0, Double.NaN);
  }

  /** Of the first step; of first order 1 / rate. */
  private double damping(double eigenvalue) {
    if (options.method() == Method.FIRST_ORDER) {
      return options.rate() == null ? eigenvalue : 1 / options.rate();
    }
    return options.damping() == null ? DAMPING * eigenvalue : options.damping();
  }

  private record Solve(double[] step, String ended, boolean usable) {}

  private Solve solve(double[] theta, double[] g, double eigenvalue, double damping, int round) {
    switch (options.method()) {
      case FIRST_ORDER -> {
        return new Solve(Vectors.add(new double[g.length], 1 / damping, g), "none", true);
      }
      case CONJUGATE_GRADIENT -> {
        LinearOperator h = hessian(theta, round);
        ConjugateGradient.Result result =
            new ConjugateGradient(options.tolerance(), options.iterations(), (i, r, t) -> {})
                .solveUnchecked(damped(h, damping), g, r -> r.clone());
        // what was found before a direction of negative curvature descends; nothing does not
        return new Solve(result.x(), result.reason().name(), isStep(result.x()));
      }
      case LISSA -> {
        double scale =
            options.scale() == null
                ? 2 * (eigenvalue + damping)
                : Math.max(options.scale(), 2 * damping);
        Lissa.Result result =
            new Lissa(scale, damping, options.iterations(), 1, options.tolerance())
                .solve(sampled(theta, round), g);
        return new Solve(
            result.x(),
            result.reason().name(),
            result.reason() != Lissa.StopReason.DIVERGED && isStep(result.x()));
      }
    }
    throw new AssertionError(options.method());
  }

  private static boolean isStep(double[] step) {
    return Vectors.isFinite(step) && Vectors.maxAbs(step) > 0;
  }

  /** All examples where a sample would have next to none. */
  private Sample sample(double share, long seed) {
    return share * corrected.rows() < LEAST_SAMPLE ? Sample.ALL : new Sample(share, seed);
  }

  private boolean needsEigenvalue() {
    return options.method() == Method.FIRST_ORDER
        ? options.rate() == null
        : options.damping() == null
            || (options.method() == Method.LISSA && options.scale() == null);
  }

  /** G, at first of all changed examples, then of those that are still wrong. */
  private double[] difference(double[] theta, NetworkSum remembered, boolean all) {
    NetworkSum now =
        all
            ? changed.after().gradient(theta, Sample.ALL, Filter.ALL)
            : changed.targetAfter().gradient(theta, Sample.ALL, Filter.WRONG);
    NetworkSum then = all ? changed.before().gradient(theta, Sample.ALL, Filter.ALL) : remembered;
    double[] g = Vectors.add(now.vector(), -1, then.vector());
    return all ? Vectors.add(g, options.lambda() - options.lambdaBefore(), theta) : g;
  }

  /** The gradient of the corrected objective. */
  private double[] corrected(double[] theta) {
    return Vectors.add(
        corrected.gradient(theta, Sample.ALL, Filter.ALL).vector(), options.lambda(), theta);
  }

  private double meanLoss(double[] theta) {
    NetworkSum sum = corrected.evaluate(theta, sample(options.lossShare(), options.seed() - 1));
    double loss = sum.loss() / sum.rows();
    return Double.isNaN(loss) ? Double.POSITIVE_INFINITY : loss;
  }

  /** H, of the round's sample. */
  private LinearOperator hessian(double[] theta, int round) {
    Sample sample = sample(options.share(), options.seed() + round);
    return new LinearOperator() {
      @Override
      public int size() {
        return theta.length;
      }

      @Override
      public double[] apply(double[] v) {
        return product(theta, v, sample);
      }
    };
  }

  private SampledOperator sampled(double[] theta, int round) {
    return new SampledOperator() {
      @Override
      public int size() {
        return theta.length;
      }

      @Override
      public double[] apply(double[] v, int step) {
        long seed = options.seed() + ((long) round << 32) + step;
        return product(theta, v, sample(options.share(), seed));
      }
    };
  }

  /** H v, estimated from a sample without bias: n / |sample| times the sample's. */
  private double[] product(double[] theta, double[] v, Sample sample) {
    products++;
    NetworkSum sum = corrected.product(theta, v, options.curvature(), sample);
    double factor = sum.rows() == 0 ? 0 : (double) corrected.rows() / sum.rows();
    double[] product = sum.vector().clone();
    for (int j = 0; j < product.length; j++) {
      product[j] = factor * product[j] + options.lambda() * v[j];
    }
    return product;
  }

  private static LinearOperator damped(LinearOperator h, double damping) {
    return new LinearOperator() {
      @Override
      public int size() {
        return h.size();
      }

      @Override
      public double[] apply(double[] v) {
        double[] product = h.apply(v);
        Vectors.addInPlace(product, damping, v);
        return product;
      }
    };
  }
}

package dev.lethe.core.neural;

import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.neural.NetworkSums.Filter;
import dev.lethe.core.neural.NetworkSums.Recall;
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
 * paper does on images, the update is repeated as long as examples whose target changes are wrong.
 * What it repeats, descent from the new targets and ascent from the old ones, has no end: a softmax
 * saturates, an old target that is remembered well has next to no gradient, and one that is driven
 * off is soon less likely than anything else, which tells whoever looks for it. So later rounds
 * bring the old targets to where they are forgotten, see {@link TypicalOdds}: with T the examples
 * of Z whose target changes, T~ the same in Z~, r of the log odds of the targets in T, standardized
 * by what the network at first said of their classes in the other corrected data,
 *
 * <pre>
 *   G' = sum_{T~, wrong} grad l + sum_T r grad r
 *   H' = H + sum_T grad r (grad r)'
 * </pre>
 *
 * a Gauss-Newton step on the misfits r^2 / 2, in which the corrected data has its part as H.
 *
 * <p>Where a loss is not convex nothing warrants a step. One is shortened as long as it raises the
 * mean loss on a sample of the corrected data above the least so far by more than is allowed, or
 * takes the old targets farther from what is typical than they ever were by more than typical ones
 * are: sum r^2 / 2 by half their number. The damping stays: more of it would turn the step away
 * from the directions that the corrected data leaves free, and measured costs four times as much
 * perplexity for the same forgetting.
 */
public final class NetworkUnlearning {
  /** Lengths of a round's step that are tried, and steps that a solver fails at. */
  private static final int ATTEMPTS = 12;

  /** What a step is shortened by that is refused. */
  private static final double SHORTER = 0.25;

  /** A later round's step that less of is allowed leads nowhere. */
  private static final double SHORTEST = 1.0 / 64;

  /**
   * Rounds that may leave as many examples wrong, remembered or avoided as there were, and their
   * misfit above half of what it was.
   */
  static final int STALL = 2;

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
   * @param beyond standard deviations of log odds from which on an old target is remembered, or
   *     avoided; null where targets are numbers, which nothing is typical of
   * @param rounds updates at most
   * @param iterations of one solve at most
   * @param tolerance of one solve: conjugate gradient's relative residual, LiSSA's change
   * @param rate of first order; null for 1 / the largest eigenvalue of H
   * @param damping null for {@link #DAMPING} times the largest eigenvalue of H
   * @param scale of LiSSA; null for twice the largest eigenvalue of H + damping I, since a sample's
   *     may exceed that of all; at least twice the damping
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
      @Nullable Double beyond,
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
          .beyond(beyond)
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
      private @Nullable Double beyond;
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

      public Builder beyond(@Nullable Double value) {
        beyond = value;
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
            beyond,
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
   * @param remembered examples of Z whose old target was likelier than is typical before it
   * @param avoided examples of Z whose old target was less likely than is typical before it
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
      long avoided,
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
     * No example whose target changes is wrong, and no old target is remembered or avoided, which
     * says nothing where no target changes; or the gradient is nought.
     */
    DONE,
    /** The rounds were spent. */
    ROUNDS,
    /**
     * {@link #STALL} rounds left no fewer wrong, remembered and avoided, all counted together, nor
     * half their misfit: what is left would cost more than it brings.
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
   * @param theta new parameters: of all rounds those that left the fewest wrong, remembered and
   *     avoided, the later ones of equals; of a step towards the corrected objective's minimiser
   *     the last
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
  private final @Nullable TypicalOdds typical;
  private final Consumer<Round> listener;
  private int products;

  /**
   * @param corrected D', all examples as they are now
   * @param typical of the network that is updated, as {@link #typical} has it; null leaves the old
   *     targets to the first round
   */
  public NetworkUnlearning(
      Changed changed,
      NetworkSums corrected,
      @Nullable TypicalOdds typical,
      Options options,
      Consumer<Round> listener) {
    this.changed = changed;
    this.corrected = corrected;
    this.typical = typical;
    this.options = options;
    this.listener = listener;
  }

  /**
   * What a network says of classes where there is nothing to know: over the corrected data but for
   * the examples whose target has changed, since of these it knows the old one. Null if no target
   * changes.
   */
  public static @Nullable TypicalOdds typical(
      Changed changed, NetworkSums corrected, double[] theta) {
    return changed.targetBefore().rows() == 0
        ? null
        : TypicalOdds.ofRest(
            corrected.oddsMoments(theta), changed.targetAfter().oddsMoments(theta));
  }

  /** Updates from theta on. */
  public Result run(double[] start) {
    double[] theta = start;
    List<Round> rounds = new ArrayList<>();
    Recall recall = recall(theta);
    double eigenvalue = Double.NaN;
    double damping = Double.NaN;
    double loss = meanLoss(theta);
    double leastLoss = loss;
    double leastMisfit = recall.misfit();
    Progress progress = new Progress();
    for (int round = 0; ; round++) {
      products = 0;
      long wrong = changed.targetAfter().rows() - changed.targetAfter().evaluate(theta).correct();
      if (options.gradient() == Gradient.DIFFERENCE && round > 0) {
        progress.add(theta, wrong + recall.remembered() + recall.avoided(), recall.misfit());
        if (progress.fewest == 0) {
          return new Result(progress.best, rounds, Outcome.DONE);
        }
        if (progress.stalled == STALL) {
          return new Result(progress.best, rounds, Outcome.STALLED);
        }
      } else {
        progress.best = theta;
      }
      if (round == options.rounds()) {
        return new Result(progress.best, rounds, Outcome.ROUNDS);
      }
      double[] g = gradient(theta, round);
      if (Vectors.maxAbs(g) == 0) {
        return new Result(progress.best, rounds, Outcome.DONE);
      }
      if (needsEigenvalue(round)) {
        eigenvalue =
            new Lanczos(EIGENVALUE_TOLERANCE, EIGENVALUE_STEPS)
                    .largest(hessian(theta, round), options.seed())
                    .largest()
                    .value()
                * (1 + EIGENVALUE_TOLERANCE);
      }
      if (round == 0 || options.method() == Method.FIRST_ORDER) {
        damping = damping(eigenvalue);
      }
      if (round == 0 && (!(damping > 0) || Double.isInfinite(damping) || !Double.isFinite(loss))) {
        return new Result(theta, rounds, Outcome.DIVERGED);
      }
      Solve solve = solve(theta, g, eigenvalue, damping, round);
      for (int k = 1; !solve.usable() && k < ATTEMPTS; k++) {
        damping *= MORE_DAMPING;
        solve = solve(theta, g, eigenvalue, damping, round);
      }
      Limits limits =
          new Limits(
              leastLoss * (1 + options.lossIncrease()),
              leastMisfit + changed.targetBefore().rows() / 2.0,
              round == 0 ? 0 : SHORTEST);
      Taken taken =
          solve.usable()
              ? shortened(theta, solve.step(), recall, limits)
              : Taken.none(theta, 0, recall);
      Round done =
          new Round(
              wrong,
              recall.remembered(),
              recall.avoided(),
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
        return new Result(progress.best, rounds, round == 0 ? Outcome.DIVERGED : Outcome.NO_STEP);
      }
      theta = taken.theta();
      loss = taken.meanLoss();
      recall = taken.recall();
      leastLoss = Math.min(leastLoss, loss);
      leastMisfit = Math.min(leastMisfit, recall.misfit());
    }
  }

  /** The best parameters so far, and rounds that brought nothing. */
  private static final class Progress {
    private double[] best = new double[0];
    private long fewest = Long.MAX_VALUE;
    private double misfit = Double.POSITIVE_INFINITY;
    private int stalled;

    void add(double[] theta, long open, double misfitNow) {
      stalled = open < fewest || misfitNow < misfit / 2 ? 0 : stalled + 1;
      if (open <= fewest) {
        best = theta;
        fewest = open;
      }
      if (stalled == 0) {
        misfit = misfitNow;
      }
    }
  }

  /**
   * What a step may lead to.
   *
   * @param meanLoss of the sample of the corrected data at most
   * @param misfit of the old targets at most
   * @param shortest part of the step that must be allowed
   */
  private record Limits(double meanLoss, double misfit, double shortest) {}

  /**
   * A step as far as it was taken.
   *
   * @param length 0 if none was
   */
  private record Taken(
      double[] theta, int attempts, double length, double meanLoss, Recall recall) {
    static Taken none(double[] theta, int attempts, Recall recall) {
      return new Taken(theta, attempts, 0, Double.NaN, recall);
    }
  }

  /**
   * Takes as much of a step as is allowed. Of any step a short enough one is: typical targets have
   * a misfit of a half each, which is allowed on top of the least.
   *
   * @param before recall at theta
   */
  private Taken shortened(double[] theta, double[] step, Recall before, Limits limits) {
    double length = 1;
    int attempts = 0;
    while (attempts < ATTEMPTS && length >= limits.shortest()) {
      attempts++;
      double[] next = Vectors.add(theta, -length, step);
      Recall recall = recall(next);
      if (recall.misfit() <= limits.misfit() || options.gradient() == Gradient.CORRECTED) {
        double reached = meanLoss(next);
        if (reached <= limits.meanLoss()) {
          return new Taken(next, attempts, length, reached, recall);
        }
      }
      length *= SHORTER;
    }
    return Taken.none(theta, attempts, before);
  }

  private Recall recall(double[] theta) {
    return typical == null || options.beyond() == null
        ? Recall.NONE
        : changed.targetBefore().recall(theta, typical, options.beyond());
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
        if (!(scale >= 2 * damping) || Double.isInfinite(scale)) {
          return new Solve(new double[g.length], "NOT_POSITIVE_DEFINITE", false);
        }
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

  /** Once; where what a step is scaled by follows from it, again as soon as misfits have a part. */
  private boolean needsEigenvalue(int round) {
    if (round > 1 || (round == 1 && misfits(round) == null)) {
      return false;
    }
    return switch (options.method()) {
      case FIRST_ORDER -> options.rate() == null;
      case LISSA -> options.scale() == null || (round == 0 && options.damping() == null);
      case CONJUGATE_GRADIENT -> round == 0 && options.damping() == null;
    };
  }

  /** Typical odds where a round's step is made of misfits too. */
  private @Nullable TypicalOdds misfits(int round) {
    return round > 0 && options.gradient() == Gradient.DIFFERENCE ? typical : null;
  }

  private double[] gradient(double[] theta, int round) {
    if (options.gradient() == Gradient.CORRECTED) {
      return corrected(theta);
    }
    return round == 0 ? difference(theta) : stillWrong(theta, round);
  }

  /** G. */
  private double[] difference(double[] theta) {
    double[] g =
        Vectors.add(
            changed.after().gradient(theta, Sample.ALL, Filter.ALL).vector(),
            -1,
            changed.before().gradient(theta, Sample.ALL, Filter.ALL).vector());
    return Vectors.add(g, options.lambda() - options.lambdaBefore(), theta);
  }

  /** G'. */
  private double[] stillWrong(double[] theta, int round) {
    double[] now = changed.targetAfter().gradient(theta, Sample.ALL, Filter.WRONG).vector();
    TypicalOdds misfits = misfits(round);
    return misfits == null
        ? now
        : Vectors.add(now, 1, changed.targetBefore().misfitGradient(theta, misfits).vector());
  }

  /** The gradient of the corrected objective. */
  private double[] corrected(double[] theta) {
    return Vectors.add(
        corrected.gradient(theta, Sample.ALL, Filter.ALL).vector(), options.lambda(), theta);
  }

  private double meanLoss(double[] theta) {
    NetworkSum sum = corrected.evaluate(theta, lossSample());
    double loss = sum.loss() / sum.rows();
    return Double.isNaN(loss) ? Double.POSITIVE_INFINITY : loss;
  }

  private Sample lossSample() {
    return sample(options.lossShare(), options.seed() - 1);
  }

  /** H or H', of the round's sample. */
  private LinearOperator hessian(double[] theta, int round) {
    Sample sample = sample(options.share(), options.seed() + round);
    return new LinearOperator() {
      @Override
      public int size() {
        return theta.length;
      }

      @Override
      public double[] apply(double[] v) {
        return product(theta, v, sample, round);
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
        return product(theta, v, sample(options.share(), seed), round);
      }
    };
  }

  /** H v or H' v, H's part estimated from a sample without bias: n / |sample| times its. */
  private double[] product(double[] theta, double[] v, Sample sample, int round) {
    products++;
    NetworkSum sum = corrected.product(theta, v, options.curvature(), sample);
    double factor = sum.rows() == 0 ? 0 : (double) corrected.rows() / sum.rows();
    double[] product = sum.vector().clone();
    for (int j = 0; j < product.length; j++) {
      product[j] = factor * product[j] + options.lambda() * v[j];
    }
    TypicalOdds misfits = misfits(round);
    if (misfits != null) {
      double[] part = changed.targetBefore().misfitProduct(theta, v, misfits).vector();
      Vectors.addInPlace(product, 1, part);
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

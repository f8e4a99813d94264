package dev.lethe.core.solver;

import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.Vectors;
import dev.ludovic.netlib.lapack.LAPACK;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.apache.commons.rng.sampling.distribution.SharedStateContinuousSampler;
import org.apache.commons.rng.sampling.distribution.ZigguratSampler;
import org.netlib.util.intW;

/**
 * The extreme eigenvalues of a symmetric operator by the Lanczos iteration with full
 * reorthogonalisation (Golub, Van Loan, 4th ed., sections 10.1 and 10.3).
 *
 * <p>From a random q_1 on the sphere, step m takes one product and extends A Q_m = Q_m T_m + beta_m
 * q_{m+1} e_m', T_m tridiagonal. An eigenpair T_m s = theta s has the residual ||A Q_m s - theta
 * Q_m s|| = beta_m |s_m|, so some eigenvalue of A lies within it of theta. That it is the extreme
 * one is likely over q_1 (Kuczynski, Wozniakowski, SIAM J. Matrix Anal. Appl. 1992), not certain:
 * Ritz values are Rayleigh quotients and lie inside the spectrum, so the largest is a lower bound
 * of the largest eigenvalue. All this save rounding, a few p ulp of ||A||. Memory: one vector a
 * step.
 */
public final class Lanczos {
  /** Enough for an eigenvalue that stands apart, as the largest of a Hessian mostly does. */
  public static final int DEFAULT_STEPS = 30;

  private static final LAPACK NETLIB = LAPACK.getInstance();

  /**
   * @param value theta
   * @param bound beta_m |s_m|: an eigenvalue lies in [value - bound, value + bound]
   */
  public record Ritz(double value, double bound) {}

  /**
   * @param largest NaN with an infinite bound if a product was not finite; so is smallest
   * @param steps products taken
   * @param converged whether every bound that was asked for is within the tolerance
   */
  public record Result(Ritz largest, Ritz smallest, int steps, boolean converged) {}

  private final double tolerance;
  private final int maxSteps;

  /**
   * @param tolerance of a bound relative to the largest |theta|, the estimate of ||A||; in (0, 1)
   * @param maxSteps at least 1
   */
  public Lanczos(double tolerance, int maxSteps) {
    if (!(tolerance > 0 && tolerance < 1)) {
      throw new IllegalArgumentException("tolerance = " + tolerance + ": must lie in (0, 1)");
    }
    if (maxSteps < 1) {
      throw new IllegalArgumentException("maxSteps = " + maxSteps + ": must be at least 1");
    }
    this.tolerance = tolerance;
    this.maxSteps = maxSteps;
  }

  /**
   * Iterates until the largest eigenvalue is found; the smallest is reported as far as it is known.
   *
   * @throws IllegalArgumentException if the operator's size is 0
   */
  public Result largest(LinearOperator a, long seed) {
    return iterate(a, seed, false);
  }

  /** Iterates until both ends of the spectrum are found. */
  public Result extremes(LinearOperator a, long seed) {
    return iterate(a, seed, true);
  }

  private Result iterate(LinearOperator a, long seed, boolean both) {
    if (a.size() < 1) {
      throw new IllegalArgumentException("size = " + a.size() + ": must be at least 1");
    }
    int limit = Math.min(maxSteps, a.size());
    double[][] basis = new double[limit][];
    double[] alpha = new double[limit];
    double[] beta = new double[limit];
    double[] next = gaussian(a.size(), seed);
    for (int m = 0; ; m++) {
      double[] q = next;
      double norm = Vectors.norm(q);
      Arrays.setAll(q, j -> q[j] / norm);
      basis[m] = q;
      next = a.apply(q);
      alpha[m] = Vectors.dot(q, next);
      for (int pass = 0; pass < 2; pass++) { // twice is enough: Parlett, section 6.9
        for (int k = 0; k <= m; k++) {
          Vectors.addInPlace(next, -Vectors.dot(basis[k], next), basis[k]);
        }
      }
      beta[m] = Vectors.norm(next);
      // beta_m = 0 is an invariant subspace: its bounds are 0, so the iteration ends here
      Result result = ritz(alpha, beta, m + 1, both);
      if (result.converged() || m + 1 == limit || !Double.isFinite(beta[m])) {
        return result;
      }
    }
  }

  /** The ends of the spectrum of T_m. */
  private Result ritz(double[] alpha, double[] beta, int m, boolean both) {
    if (!Double.isFinite(alpha[m - 1]) || !Double.isFinite(beta[m - 1])) {
      Ritz unknown = new Ritz(Double.NaN, Double.POSITIVE_INFINITY);
      return new Result(unknown, unknown, m, false);
    }
    double[] theta = Arrays.copyOf(alpha, m);
    double[] s = new double[m * m];
    intW info = new intW(0);
    NETLIB.dstev("V", m, theta, Arrays.copyOf(beta, m), s, m, new double[2 * m], info);
    if (info.val != 0) {
      throw new IllegalStateException("dstev: info = " + info.val);
    }
    Ritz smallest = new Ritz(theta[0], beta[m - 1] * Math.abs(s[m - 1]));
    Ritz largest = new Ritz(theta[m - 1], beta[m - 1] * Math.abs(s[m * m - 1]));
    double allowed = tolerance * Vectors.maxAbs(theta);
    boolean converged = largest.bound() <= allowed && (!both || smallest.bound() <= allowed);
    return new Result(largest, smallest, m, converged);
  }

  private static double[] gaussian(int size, long seed) {
    SharedStateContinuousSampler normal =
        ZigguratSampler.NormalizedGaussian.of(new SplittableRandom(seed)::nextLong);
    double[] v = new double[size];
    Arrays.setAll(v, j -> normal.sample());
    return v;
  }
}

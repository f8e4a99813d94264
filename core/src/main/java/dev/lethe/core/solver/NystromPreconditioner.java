package dev.lethe.core.solver;

import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.Vectors;
import dev.ludovic.netlib.blas.JavaBLAS;
import dev.ludovic.netlib.lapack.LAPACK;
import java.util.Optional;
import java.util.SplittableRandom;
import org.netlib.util.intW;

/**
 * The randomized Nystrom preconditioner of Frangella, Tropp, Udell (Randomized Nystrom
 * Preconditioning, SIAM J. Matrix Anal. Appl. 2023), in scaled coordinates.
 *
 * <p>With the centred Jacobi M = T'DT the operator A becomes S = D^{-1/2} T^{-T} A T^{-1} D^{-1/2},
 * of diagonal about 1, and each penalty its share of a coordinate's curvature; the smallest share
 * is the shift mu, so that S - mu I is positive semidefinite. Algorithm 2.1 there makes of its
 * products with r random orthonormal vectors, one pass over the data, an approximation U Lambda U'
 * (the shifted Cholesky keeps it stable), and section 5
 *
 * <pre>
 *   P^{-1} = (lambda_r + mu) U (Lambda + mu I)^{-1} U' + (I - U U')
 * </pre>
 */
public final class NystromPreconditioner implements Preconditioner {
  private static final JavaBLAS BLAS = JavaBLAS.getInstance();
  private static final LAPACK NETLIB = LAPACK.getInstance();

  /** Of the largest eigenvalue: below it, those of B'B are rounding. */
  private static final double NEGLIGIBLE = 1e-12;

  /** The same for every run: what is published is to be reproducible. */
  private static final long SEED = 0x4C657468L;

  private final CentredJacobi scaling;
  private final double[] basis;
  private final double[] correction;

  private NystromPreconditioner(CentredJacobi scaling, double[] basis, double[] correction) {
    this.scaling = scaling;
    this.basis = basis;
    this.correction = correction;
  }

  /**
   * One call of {@link LinearOperator#applyAll}.
   *
   * @param shift mu, at least 0
   * @param rank r, at most p
   * @param fixed coordinates of which A is the identity
   * @return empty where rounding leaves no approximation
   */
  public static Optional<Preconditioner> of(
      LinearOperator a, CentredJacobi scaling, double shift, int rank, boolean[] fixed) {
    int p = a.size();
    double[] omega = orthonormal(p, rank, fixed);
    double[][] directions = new double[rank][];
    for (int k = 0; k < rank; k++) {
      directions[k] = scaling.unscaled(column(omega, p, k));
    }
    double[][] products = a.applyAll(directions);
    double[] y = new double[p * rank];
    for (int k = 0; k < rank; k++) {
      System.arraycopy(scaling.scaled(products[k]), 0, y, k * p, p);
    }
    BLAS.daxpy(y.length, -shift, omega, 1, y, 1);
    double nu = Math.ulp(1.0) * Vectors.norm(y);
    BLAS.daxpy(y.length, nu, omega, 1, y, 1);
    double[] core = new double[rank * rank];
    BLAS.dgemm("T", "N", rank, rank, p, 1, omega, p, y, p, 0, core, rank);
    intW info = new intW(0);
    NETLIB.dpotrf("U", rank, core, rank, info);
    if (info.val != 0 || !Vectors.isFinite(core)) {
      return Optional.empty();
    }
    BLAS.dtrsm("R", "U", "N", "N", p, rank, 1, core, rank, y, p);
    return Optional.of(ofFactor(scaling, y, rank, shift, nu));
  }

  /** U and Lambda from B, B B' = U (Lambda + nu I) U', by the eigenvectors of B'B. */
  private static NystromPreconditioner ofFactor(
      CentredJacobi scaling, double[] b, int rank, double shift, double nu) {
    int p = b.length / rank;
    double[] gram = new double[rank * rank];
    BLAS.dgemm("T", "N", rank, rank, p, 1, b, p, b, p, 0, gram, rank);
    double[] squares = new double[rank];
    double[] work = new double[8 * rank];
    intW info = new intW(0);
    NETLIB.dsyev("V", "U", rank, gram, rank, squares, work, work.length, info);
    double least = NEGLIGIBLE * squares[rank - 1];
    int first = 0;
    while (first < rank - 1 && !(squares[first] - nu > least)) {
      first++;
    }
    int kept = rank - first;
    double[] correction = new double[kept];
    double smallest = Math.max(0, squares[first] - nu) + shift;
    for (int k = 0; k < kept; k++) {
      double square = squares[first + k];
      correction[k] = smallest / (Math.max(0, square - nu) + shift) - 1;
      BLAS.dscal(rank, 1 / Math.sqrt(square), gram, (first + k) * rank, 1);
    }
    double[] basis = new double[p * kept];
    BLAS.dgemm("N", "N", p, kept, rank, 1, b, 0, p, gram, first * rank, rank, 0, basis, 0, p);
    return new NystromPreconditioner(scaling, basis, correction);
  }

  @Override
  public double[] applyInverse(double[] r) {
    double[] t = scaling.scaled(r);
    int p = t.length;
    int kept = correction.length;
    double[] c = new double[kept];
    BLAS.dgemv("T", p, kept, 1, basis, p, t, 1, 0, c, 1);
    for (int k = 0; k < kept; k++) {
      c[k] *= correction[k];
    }
    BLAS.dgemv("N", p, kept, 1, basis, p, c, 1, 1, t, 1);
    return scaling.unscaled(t);
  }

  private static double[] column(double[] matrix, int p, int k) {
    double[] column = new double[p];
    System.arraycopy(matrix, k * p, column, 0, p);
    return column;
  }

  /** Gaussian columns, 0 where fixed, made orthonormal. */
  private static double[] orthonormal(int p, int rank, boolean[] fixed) {
    SplittableRandom random = new SplittableRandom(SEED);
    double[] omega = new double[Math.multiplyExact(p, rank)];
    for (int k = 0; k < omega.length; k++) {
      omega[k] = fixed[k % p] ? 0 : gaussian(random);
    }
    double[] tau = new double[rank];
    double[] work = new double[64 * rank];
    intW info = new intW(0);
    NETLIB.dgeqrf(p, rank, omega, p, tau, work, work.length, info);
    NETLIB.dorgqr(p, rank, rank, omega, p, tau, work, work.length, info);
    for (int k = 0; k < omega.length; k++) {
      omega[k] = fixed[k % p] ? 0 : omega[k]; // not rounding: those coordinates stay untouched
    }
    return omega;
  }

  /** Box and Muller's transformation. */
  private static double gaussian(SplittableRandom random) {
    double radius = Math.sqrt(-2 * Math.log(1 - random.nextDouble()));
    return radius * Math.cos(2 * Math.PI * random.nextDouble());
  }
}

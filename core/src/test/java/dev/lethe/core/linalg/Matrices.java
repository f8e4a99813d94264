package dev.lethe.core.linalg;

import java.math.BigInteger;

/** Matrices whose inverses are known. */
public final class Matrices {
  private Matrices() {}

  /**
   * The inverse of the Hilbert matrix 1 / (i + j + 1): integers, exact in doubles for n &lt;= 10.
   */
  public static SymmetricMatrix inverseHilbert(int n) {
    double[] a = new double[n * n];
    for (int i = 1; i <= n; i++) {
      for (int j = 1; j <= n; j++) {
        BigInteger entry =
            BigInteger.valueOf(i + j - 1L)
                .multiply(binomial(n + i - 1, n - j))
                .multiply(binomial(n + j - 1, n - i))
                .multiply(binomial(i + j - 2, i - 1).pow(2));
        a[(i - 1) * n + j - 1] = (i + j) % 2 == 0 ? entry.doubleValue() : -entry.doubleValue();
      }
    }
    return new SymmetricMatrix(n, a);
  }

  private static BigInteger binomial(int n, int k) {
    BigInteger b = BigInteger.ONE;
    for (int i = 1; i <= k; i++) {
      b = b.multiply(BigInteger.valueOf(n - k + i)).divide(BigInteger.valueOf(i));
    }
    return b;
  }
}

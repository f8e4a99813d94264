package dev.lethe.core.neural;

import java.util.Arrays;
import java.util.function.ToDoubleFunction;

/**
 * Minimises a function of a few variables without derivatives: Nelder and Mead, Comput. J. 1965, as
 * in Lagarias, Reeds, Wright, Wright, SIAM J. Optim. 1998, with their coefficients 1, 2, 1/2, 1/2.
 */
final class NelderMead {
  /** Many times what three variables take: there is no proof that the simplex shrinks. */
  private static final int MAX_ITERATIONS = 2000;

  private record Vertex(double[] x, double value) {}

  private NelderMead() {}

  /**
   * @param start d coordinates
   * @param size of the first simplex: the start, and start + size in each coordinate
   * @param tolerance ends when no coordinate of a vertex is further from that of the best
   * @return the best vertex
   */
  static double[] minimise(
      ToDoubleFunction<double[]> f, double[] start, double size, double tolerance) {
    int d = start.length;
    Vertex[] simplex = new Vertex[d + 1];
    for (int k = 0; k <= d; k++) {
      double[] x = start.clone();
      if (k < d) {
        x[k] += size;
      }
      simplex[k] = new Vertex(x, f.applyAsDouble(x));
    }
    for (int iteration = 0; ; iteration++) {
      Arrays.sort(simplex, (a, b) -> Double.compare(a.value, b.value));
      if (extent(simplex) <= tolerance || iteration == MAX_ITERATIONS) {
        return simplex[0].x;
      }
      Vertex worst = simplex[d];
      double[] centre = new double[d];
      Arrays.setAll(centre, j -> Arrays.stream(simplex, 0, d).mapToDouble(v -> v.x[j]).sum() / d);
      Vertex reflected = along(f, centre, worst, -1);
      if (reflected.value < simplex[0].value) {
        Vertex expanded = along(f, centre, worst, -2);
        simplex[d] = expanded.value < reflected.value ? expanded : reflected;
      } else if (reflected.value < simplex[d - 1].value) {
        simplex[d] = reflected;
      } else {
        boolean outside = reflected.value < worst.value;
        Vertex contracted = along(f, centre, worst, outside ? -0.5 : 0.5);
        if (contracted.value < Math.min(reflected.value, worst.value)) {
          simplex[d] = contracted;
        } else {
          for (int k = 1; k <= d; k++) {
            simplex[k] = along(f, simplex[0].x, simplex[k], 0.5);
          }
        }
      }
    }
  }

  /** origin + factor (vertex - origin). */
  private static Vertex along(
      ToDoubleFunction<double[]> f, double[] origin, Vertex vertex, double factor) {
    double[] x = new double[origin.length];
    Arrays.setAll(x, j -> origin[j] + factor * (vertex.x[j] - origin[j]));
    return new Vertex(x, f.applyAsDouble(x));
  }

  private static double extent(Vertex[] simplex) {
    double extent = 0;
    for (Vertex vertex : simplex) {
      for (int j = 0; j < vertex.x.length; j++) {
        extent = Math.max(extent, Math.abs(vertex.x[j] - simplex[0].x[j]));
      }
    }
    return extent;
  }
}

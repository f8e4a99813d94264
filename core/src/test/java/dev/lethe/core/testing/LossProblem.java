package dev.lethe.core.testing;

import dev.lethe.core.aggregate.Point;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.objective.LocalExamples;
import java.math.BigDecimal;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A problem of any loss held as plain arrays, with its sums computed row by row in {@link Exact}
 * arithmetic.
 *
 * @param rows the rows; its own parameters are not used
 * @param theta as {@link #layout} says
 */
public record LossProblem(LossCase loss, Problem rows, double[] theta) {

  /** Parameters of every margin as the kind has them, margins within +-600 where e^s is taken. */
  public static LossProblem random(
      LossCase loss, Problem.Kind kind, int n, int d, boolean intercept, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    Problem drawn = Problem.random(kind, n, d, intercept, seed);
    double[] y = new double[n];
    Arrays.setAll(y, i -> loss.label(random));
    Problem rows = new Problem(drawn.x(), y, drawn.w(), intercept, drawn.theta());
    LossFunction function = loss.loss();
    double[] theta = new double[layout(function, rows).size()];
    int stride = drawn.size();
    for (int k = 0; k < function.margins(); k++) {
      double factor = 2 * random.nextDouble() - 1;
      for (int j = 0; j < stride; j++) {
        theta[k * stride + j] = factor * drawn.theta()[j];
      }
    }
    for (int k = function.margins() * stride; k < theta.length; k++) {
      theta[k] = Math.exp(2 * random.nextDouble() - 1);
    }
    LossProblem problem = new LossProblem(loss, rows, theta);
    if (loss == LossCase.POISSON || loss == LossCase.GAMMA) {
      double largest = 600;
      for (int i = 0; i < n; i++) {
        largest = Math.max(largest, Math.abs(problem.outputs(i)[0].doubleValue()));
      }
      for (int j = 0; j < theta.length; j++) {
        theta[j] *= 600 / largest;
      }
    }
    return problem;
  }

  private static ParameterLayout layout(LossFunction loss, Problem rows) {
    return new ParameterLayout(rows.features(), rows.intercept(), loss.margins(), loss.scalars());
  }

  public ParameterLayout layout() {
    return layout(loss.loss(), rows);
  }

  public int size() {
    return theta.length;
  }

  public LossProblem at(double[] parameters) {
    return new LossProblem(loss, rows, parameters);
  }

  public Point point() {
    return new Point(loss.loss(), layout(), theta);
  }

  public LocalExamples examples() {
    return rows.examples();
  }

  public List<ExampleBlock> blocks(Problem.Layout stored, int rowsPerBlock) {
    return rows.blocks(stored, rowsPerBlock);
  }

  /** X_ikj: what parameter j adds to output k of row i, exactly. */
  public BigDecimal entry(int i, int k, int j) {
    ParameterLayout layout = layout();
    int column = layout.feature(j);
    if (column < 0) {
      return j == layout.size() - layout.outputs() + k ? BigDecimal.ONE : BigDecimal.ZERO;
    }
    if (j / layout.stride() != k) {
      return BigDecimal.ZERO;
    }
    return column == layout.features() ? BigDecimal.ONE : Exact.of(rows.x()[i][column]);
  }

  /** s_i, exactly. */
  public BigDecimal[] outputs(int i) {
    BigDecimal[] s = new BigDecimal[layout().outputs()];
    Arrays.fill(s, BigDecimal.ZERO);
    for (int k = 0; k < s.length; k++) {
      for (int j = 0; j < size(); j++) {
        s[k] = s[k].add(entry(i, k, j).multiply(Exact.of(theta[j])));
      }
    }
    return s;
  }

  private BigDecimal weight(int i) {
    return Exact.of(rows.w()[i]);
  }

  private BigDecimal[] zeros() {
    BigDecimal[] zeros = new BigDecimal[size()];
    Arrays.fill(zeros, BigDecimal.ZERO);
    return zeros;
  }

  /** sum_i w_i l(s_i, y_i). */
  public BigDecimal exactValue() {
    BigDecimal sum = BigDecimal.ZERO;
    for (int i = 0; i < rows.rows(); i++) {
      sum = sum.add(weight(i).multiply(loss.exact().value(outputs(i), rows.y()[i]), Exact.DIGITS));
    }
    return sum;
  }

  /** sum_i w_i X_i' dl/ds. */
  public BigDecimal[] exactGradient() {
    BigDecimal[] sum = zeros();
    for (int i = 0; i < rows.rows(); i++) {
      BigDecimal[] g = loss.exact().gradient(outputs(i), rows.y()[i]);
      for (int k = 0; k < g.length; k++) {
        BigDecimal wg = weight(i).multiply(g[k], Exact.DIGITS);
        for (int j = 0; j < size(); j++) {
          sum[j] = sum[j].add(wg.multiply(entry(i, k, j), Exact.DIGITS));
        }
      }
    }
    return sum;
  }

  /** sum_i w_i X_i' d2l/ds2 X_i. */
  public BigDecimal[][] exactHessian() {
    BigDecimal[][] sum = new BigDecimal[size()][];
    Arrays.setAll(sum, j -> zeros());
    for (int i = 0; i < rows.rows(); i++) {
      BigDecimal[][] a = loss.exact().hessian(outputs(i), rows.y()[i]);
      for (int k = 0; k < a.length; k++) {
        for (int l = 0; l < a.length; l++) {
          BigDecimal wa = weight(i).multiply(a[k][l], Exact.DIGITS);
          for (int j = 0; wa.signum() != 0 && j < size(); j++) {
            BigDecimal waj = wa.multiply(entry(i, k, j), Exact.DIGITS);
            for (int m = 0; waj.signum() != 0 && m < size(); m++) {
              sum[j][m] = sum[j][m].add(waj.multiply(entry(i, l, m), Exact.DIGITS));
            }
          }
        }
      }
    }
    return sum;
  }

  /** sum_i w_i A_i,kk x_ij for parameter j of output k, or the same with |x_ij|. */
  public BigDecimal[] exactCurvatureMoment(boolean absolute) {
    BigDecimal[] sum = zeros();
    for (int i = 0; i < rows.rows(); i++) {
      BigDecimal[][] a = loss.exact().hessian(outputs(i), rows.y()[i]);
      for (int k = 0; k < a.length; k++) {
        BigDecimal wa = weight(i).multiply(a[k][k], Exact.DIGITS);
        for (int j = 0; j < size(); j++) {
          BigDecimal entry = entry(i, k, j);
          sum[j] = sum[j].add(wa.multiply(absolute ? entry.abs() : entry, Exact.DIGITS));
        }
      }
    }
    return sum;
  }
}

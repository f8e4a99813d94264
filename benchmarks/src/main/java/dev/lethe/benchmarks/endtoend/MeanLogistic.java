package dev.lethe.benchmarks.endtoend;

import static org.apache.spark.sql.functions.col;

import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.ml.linalg.SparseVector;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.stat.Summarizer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Spark ML's objective of a logistic regression, from its definition, sharing code with neither
 * side:
 *
 * <pre>
 *   f(theta) = (1/n) sum_i (log(1 + e^{s_i}) - y_i s_i) + regParam/2 sum_j c_j theta_j^2,
 * </pre>
 *
 * {@code s_i} the margin with the intercept, {@code c_j} the unbiased variance of column j with
 * standardization and 1 without. Constant columns are no part of the problem.
 */
final class MeanLogistic {
  private final Dataset<Row> examples;
  private final double[] penalty;
  private final boolean[] absent;
  private final long rows;

  private MeanLogistic(Dataset<Row> examples, double[] penalty, boolean[] absent, long rows) {
    this.examples = examples;
    this.penalty = penalty;
    this.absent = absent;
    this.rows = rows;
  }

  /**
   * One pass for the variances.
   *
   * @param examples features and label, in this order
   */
  static MeanLogistic of(Dataset<Row> examples, double regParam, boolean standardization) {
    Row moments =
        examples
            .select(Summarizer.metrics("count", "variance").summary(col(Case.FEATURES)).as("s"))
            .select("s.count", "s.variance")
            .head();
    double[] variances = ((Vector) moments.get(1)).toArray();
    double[] penalty = new double[variances.length];
    boolean[] absent = new boolean[variances.length];
    for (int j = 0; j < penalty.length; j++) {
      penalty[j] = regParam * (standardization ? variances[j] : 1);
      absent[j] = variances[j] == 0;
    }
    return new MeanLogistic(examples, penalty, absent, moments.getLong(0));
  }

  long rows() {
    return rows;
  }

  /** d. */
  int features() {
    return penalty.length;
  }

  /**
   * The 2-norm of the gradient; one pass.
   *
   * @param theta d coefficients, then the intercept
   */
  double gradientNorm(double[] theta) {
    JavaSparkContext context =
        JavaSparkContext.fromSparkContext(examples.sparkSession().sparkContext());
    Broadcast<double[]> point = context.broadcast(theta);
    double[] sum = examples.javaRDD().mapPartitions(new Part(point)).treeReduce(MeanLogistic::plus);
    point.destroy();
    double square = 0;
    for (int j = 0; j < sum.length; j++) {
      double g = sum[j] / rows + (j < penalty.length ? penalty[j] * theta[j] : 0);
      square += j < penalty.length && absent[j] ? 0 : g * g;
    }
    return Math.sqrt(square);
  }

  private static double[] plus(double[] a, double[] b) {
    for (int j = 0; j < a.length; j++) {
      a[j] += b[j];
    }
    return a;
  }

  /** The sum of (sigma(s_i) - y_i) x_i over a partition. */
  private static final class Part implements FlatMapFunction<Iterator<Row>, double[]> {
    private static final long serialVersionUID = 1L;

    private final Broadcast<double[]> point;

    Part(Broadcast<double[]> point) {
      this.point = point;
    }

    @Override
    public Iterator<double[]> call(Iterator<Row> rows) {
      double[] theta = point.value();
      double[] sum = new double[theta.length];
      int d = theta.length - 1;
      while (rows.hasNext()) {
        Row row = rows.next();
        Vector x = row.getAs(0);
        int[] indices = x instanceof SparseVector sparse ? sparse.indices() : null;
        double[] values = x instanceof SparseVector sparse ? sparse.values() : x.toArray();
        double s = theta[d];
        for (int k = 0; k < values.length; k++) {
          s += values[k] * theta[indices == null ? k : indices[k]];
        }
        double residual = 1 / (1 + Math.exp(-s)) - row.getDouble(1);
        for (int k = 0; k < values.length; k++) {
          sum[indices == null ? k : indices[k]] += residual * values[k];
        }
        sum[d] += residual;
      }
      return List.of(sum).iterator();
    }
  }
}

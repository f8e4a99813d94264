package dev.lethe.core.objective;

import dev.lethe.core.aggregate.GradientAggregator;
import dev.lethe.core.aggregate.GramAggregator;
import dev.lethe.core.aggregate.MarginCurvatureAggregator;
import dev.lethe.core.aggregate.MeasuredHessianAggregator;
import dev.lethe.core.aggregate.MeasurementAggregator;
import dev.lethe.core.aggregate.Point;
import dev.lethe.core.certify.DistanceBound;
import dev.lethe.core.certify.MarginCurvature;
import dev.lethe.core.certify.Measurement;
import dev.lethe.core.linalg.Cholesky;
import dev.lethe.core.linalg.LinearOperator;
import dev.lethe.core.linalg.Rounding;
import dev.lethe.core.linalg.SymmetricMatrix;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LossFunction;
import dev.lethe.core.model.ColumnStatistics;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.solver.CentredJacobi;
import dev.lethe.core.solver.ConvexFunction;
import dev.lethe.core.solver.NystromPreconditioner;
import dev.lethe.core.solver.Preconditioner;
import dev.lethe.core.solver.PreconditionerOffer;
import dev.lethe.core.solver.Preconditioning;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.IntToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * The objective in its canonical sum form, {@code docs/mathematics.md} equation (1):
 *
 * <pre>
 *   L_b(theta; D) = sum_i w_i l(theta; x_i, y_i) + 1/2 sum_j lambda_j theta_j^2 + b'theta
 * </pre>
 *
 * over the coordinates that are not fixed; fixed coordinates are 0 and no part of the problem:
 * their gradient is 0 and the Hessian is the identity there. Intercepts and scalars have lambda =
 * 0.
 *
 * <p>Where a loss is shift-invariant, adding a constant to the unpenalised parameters of one column
 * in all margins changes nothing. Of all minimisers the one meant is centred: those parameters sum
 * to 0, as Spark ML's do. Points are centred here, and the Hessian gets a multiple of 11'/K on such
 * a column, which changes neither the minimiser nor what is proven about it.
 *
 * <p>Counts its passes over the data.
 */
public final class Objective implements ConvexFunction<Objective.Measured> {
  /** The most parameters for which a factor of a sample preconditions conjugate gradient. */
  public static final int MAX_FACTOR_SIZE = 4096;

  /** Of margins, a mean square: they move by a third. */
  private static final double MODEL_REACH = 0.1;

  /** Products of the Hessian's sums that are not worth a pass of one's own: a second of a core. */
  private static final double CHEAP_PRODUCTS = 2e9;

  /** What a product of two entries of a sparse row costs, in products of dense rows. */
  private static final double SCATTERED = 4;

  private static final double ROWS_A_PARAMETER = 64;
  private static final double PASSES_OF_PRODUCTS = 8;

  private static final int MAX_RANK = 64;
  private static final int LEAST_RANK = 8;
  private static final long SKETCH_BYTES = 64L << 20;
  private static final double VECTOR_SHARE = 0.25;

  /** Of so many rows a sum of squares varies by a quarter. */
  private static final double ENOUGH_ROWS = 16;

  private final ExampleSums examples;
  private final Statistics statistics;
  private final LossFunction loss;
  private final ParameterLayout layout;
  private final Penalty penalty;
  private final double[] linear;
  private final boolean[] fixed;
  private final double radius;
  private int passes;
  private int hessianVectorProducts;
  private Preconditioning preconditioning = Preconditioning.JACOBI;
  private @Nullable SymmetricMatrix followed;

  /**
   * @param statistics of {@code examples}
   * @param linear b, length p; zeros for an ordinary model
   * @param fixed coordinates held at zero, length p
   * @param radius rho: a distance is proven if it is at most this, for a loss without
   *     self-concordance; negative if none has to be proven
   */
  public Objective(
      ExampleSums examples,
      Statistics statistics,
      LossFunction loss,
      ParameterLayout layout,
      Penalty penalty,
      double[] linear,
      boolean[] fixed,
      double radius) {
    int p = layout.size();
    if (layout.features() != examples.features()
        || penalty.size() != p
        || linear.length != p
        || fixed.length != p) {
      throw new IllegalArgumentException(
          "p = %d for %d features, but the examples have %d, the penalty %d coordinates, b %d, fixed %d"
              .formatted(
                  p,
                  layout.features(),
                  examples.features(),
                  penalty.size(),
                  linear.length,
                  fixed.length));
    }
    for (int j = 0; j < p; j++) {
      int first = layout.feature(j);
      if (first >= 0
          && (fixed[j] != fixed[first] || penalty.lambda()[j] != penalty.lambda()[first])) {
        throw new IllegalArgumentException(
            "parameters %d and %d of one column must be fixed, and penalised, alike"
                .formatted(first, j));
      }
    }
    this.examples = examples;
    this.statistics = statistics;
    this.loss = loss;
    this.layout = layout;
    this.penalty = penalty;
    this.linear = linear.clone();
    this.fixed = fixed.clone();
    this.radius = radius;
    for (int j = 0; j < p; j++) {
      if (linear[j] != 0 && layout.feature(j) >= 0 && isOpen(layout.feature(j))) {
        throw new IllegalArgumentException(
            "b[" + j + "] = " + linear[j] + ": must be 0 where the loss leaves the centre open");
      }
    }
  }

  /**
   * A value, its gradient, and all that a distance bound needs.
   *
   * @param bounded the Hessian with its error bound, where the pass has summed it; null otherwise
   */
  public record Measured(
      double[] point, double value, Measurement measurement, @Nullable Hessian bounded)
      implements Evaluation {
    @Override
    public double[] gradient() {
      return measurement.gradient();
    }

    @Override
    public @Nullable SymmetricMatrix hessian() {
      return bounded == null ? null : bounded.matrix();
    }
  }

  @Override
  public int size() {
    return penalty.size();
  }

  public ExampleSums examples() {
    return examples;
  }

  public Statistics statistics() {
    return statistics;
  }

  public Penalty penalty() {
    return penalty;
  }

  public LossFunction loss() {
    return loss;
  }

  public ParameterLayout layout() {
    return layout;
  }

  /** Coordinates held at zero, a copy. */
  public boolean[] fixed() {
    return fixed.clone();
  }

  /** Passes over the data so far, Hessian-vector products included. */
  public int passes() {
    return passes;
  }

  public int hessianVectorProducts() {
    return hessianVectorProducts;
  }

  /** The last preconditioner that took a pass to make; {@code JACOBI} if none did. */
  public Preconditioning preconditioning() {
    return preconditioning;
  }

  /** Where a pass evaluates; fixed coordinates must be zero. */
  public Point at(double[] theta) {
    for (int j = 0; j < fixed.length; j++) {
      if (fixed[j] && theta[j] != 0) {
        throw new IllegalArgumentException("coordinate " + j + " is fixed at 0 but is not 0");
      }
    }
    return new Point(loss, layout, theta);
  }

  /** Where training may start: zero, but a scale at the label's deviation. */
  public double[] origin() {
    double[] theta = new double[size()];
    for (int i = 0; i < layout.scalars(); i++) {
      theta[layout.scalar(i)] = Math.sqrt(statistics.label().variance());
    }
    return theta;
  }

  /** Whether the sum of a column's parameters over the margins is open. */
  private boolean isOpen(int column) {
    int j = layout.coefficient(0, column);
    return loss.isShiftInvariant() && !fixed[j] && penalty.lambda()[j] == 0;
  }

  /** theta with every open column centred. */
  private double[] centred(double[] theta) {
    double[] point = theta.clone();
    for (int column = 0; column < layout.stride(); column++) {
      if (isOpen(column)) {
        double mean = sum(point, column) / layout.margins();
        for (int k = 0; k < layout.margins(); k++) {
          point[layout.coefficient(k, column)] -= mean;
        }
      }
    }
    return point;
  }

  private double sum(double[] theta, int column) {
    double sum = 0;
    for (int k = 0; k < layout.margins(); k++) {
      sum += theta[layout.coefficient(k, column)];
    }
    return sum;
  }

  /** How far theta is from centred, rounded up: centring rounds. */
  private double offset(double[] theta) {
    double square = 0;
    for (int column = 0; column < layout.stride(); column++) {
      if (isOpen(column)) {
        double error = 0;
        for (int k = 0; k < layout.margins(); k++) {
          error += Math.abs(theta[layout.coefficient(k, column)]);
        }
        error = Math.abs(sum(theta, column)) + error * Rounding.gamma(layout.margins() + 2.0);
        square += error * error / layout.margins() + Double.MIN_NORMAL;
      }
    }
    return Rounding.up(Math.sqrt(square), layout.stride() + 8.0);
  }

  /** Adds the curvature of the open columns: u_k += c / K sum_l v_l. */
  private void addOpenCurvature(double[] v, double[] product) {
    for (int column = 0; column < layout.stride(); column++) {
      if (isOpen(column)) {
        double pull = openCurvature(column) * sum(v, column);
        for (int k = 0; k < layout.margins(); k++) {
          product[layout.coefficient(k, column)] += pull;
        }
      }
    }
  }

  /** c / K, of the size of the data's curvature. */
  private double openCurvature(int column) {
    double moment =
        column < layout.features()
            ? statistics.column(column).secondMoment()
            : statistics.totalWeight();
    int k = layout.margins();
    return Math.max(moment, Double.MIN_NORMAL) / k / k;
  }

  /**
   * {@inheritDoc}
   *
   * <p>The point is centred first where the loss leaves the centre open.
   *
   * @throws DataChangedException if the pass saw other data than the statistics
   */
  @Override
  public Measured evaluate(double[] theta) {
    double[] centred = centred(theta);
    return measured(centred, examples.measure(pointOf(centred)), null);
  }

  /** A value and its gradient. */
  private record Passed(double[] point, double value, double[] gradient) implements Evaluation {}

  /**
   * {@inheritDoc}
   *
   * <p>Neither rounding bounds nor curvature, and no check that the data are still the same.
   */
  @Override
  public Evaluation evaluateGradient(double[] theta) {
    double[] centred = centred(theta);
    passes++;
    GradientAggregator sums = examples.gradient(at(centred));
    double[] g = sums.gradient();
    double value = sums.value();
    for (int j = 0; j < g.length; j++) {
      double pull = penalty.lambda()[j] * centred[j];
      g[j] = fixed[j] ? 0 : g[j] + pull + linear[j];
      value += fixed[j] ? 0 : 0.5 * pull * centred[j] + linear[j] * centred[j];
    }
    return new Passed(centred, value, g);
  }

  /**
   * {@link #evaluate} with the Hessian, of a self-concordant loss where its sums {@linkplain
   * #isHessianCheap cost little}; without it otherwise.
   *
   * @throws DataChangedException if the pass saw other data than the statistics
   */
  @Override
  public Measured evaluateWithHessian(double[] theta) {
    if (!loss.isSelfConcordant() || !isHessianCheap()) {
      return evaluate(theta);
    }
    double[] centred = centred(theta);
    MeasuredHessianAggregator sums = examples.measureWithHessian(pointOf(centred).holding(fixed));
    GramAggregator hessian = sums.hessian();
    return measured(
        centred, sums.measurement(), complete(hessian.matrix(), hessian.relativeError()));
  }

  /**
   * Whether the Hessian's sums are at most {@value #CHEAP_PRODUCTS} {@linkplain #products
   * products}; never where passes are shared, so that saving some saves nothing.
   */
  private boolean isHessianCheap() {
    return !examples.sharesPasses() && products() <= CHEAP_PRODUCTS;
  }

  /** How many coordinates are not fixed. */
  public int freeSize() {
    int free = 0;
    for (boolean held : fixed) {
      free += held ? 0 : 1;
    }
    return free;
  }

  /**
   * What the Hessian's sums cost, in products of dense rows: n f^2, or what the entries of sparse
   * ones make, scattered, with the f^2 sums that are closed after each panel of rows.
   */
  private double products() {
    double n = statistics.rows();
    double free = freeSize();
    double entries = statistics.entries() + n;
    return Math.min(n * free * free, SCATTERED * entries * entries / n + n * free * free / 512);
  }

  private Point pointOf(double[] centred) {
    return at(centred).within(ball(centred), fixed);
  }

  private Measured measured(
      double[] centred, MeasurementAggregator sums, @Nullable Hessian hessian) {
    passes++;
    return measured(centred, sums, sums.curvatureRelativeError(), hessian);
  }

  private Measured measured(
      double[] centred,
      MeasurementAggregator sums,
      double curvatureRelativeError,
      @Nullable Hessian hessian) {
    double ball = ball(centred);
    requireSameData(sums.rows(), sums.checksum());
    double[] lambda = penalty.lambda().clone();
    double[] g = sums.gradient();
    double[] error = sums.gradientError();
    double value = sums.value();
    for (int j = 0; j < g.length; j++) {
      if (fixed[j]) {
        g[j] = 0;
        error[j] = 0;
        continue;
      }
      double pull = lambda[j] * centred[j];
      double sum = g[j] + pull + linear[j];
      // the rule's own error, the product, and two additions of at most these magnitudes
      double e = penalty.relativeError()[j];
      if (e > 0 && centred[j] != 0) {
        error[j] += Double.isInfinite(e) ? e : e * Math.abs(pull);
      }
      error[j] +=
          2 * Rounding.UNIT * (Math.abs(g[j]) + 4 * Math.abs(pull) + Math.abs(sum))
              + Double.MIN_VALUE;
      // Distance bounds divide by lambda: they get one that the exact rule is not below.
      if (e > 0) {
        lambda[j] = e < 1 ? Rounding.down(lambda[j] * (1 - e), 4) : 0;
      }
      g[j] = sum;
      value += 0.5 * pull * centred[j] + linear[j] * centred[j];
    }
    double[] moment = sums.curvatureMoment();
    double scaledRowNorm = 0;
    for (int j = 0; j < size(); j++) {
      moment[j] = fixed[j] ? 0 : moment[j];
    }
    for (int j = 0; j < layout.features(); j++) {
      if (!fixed[j] && lambda[j] > 0) {
        scaledRowNorm += largestSquare(j) / lambda[j];
      }
    }
    Measurement measurement =
        new Measurement(
            g,
            error,
            lambda,
            fixed,
            layout,
            sums.curvature(),
            moment,
            curvatureRelativeError,
            rowNorm(),
            Rounding.up(Math.sqrt(scaledRowNorm), size() + 8.0),
            loss.selfConcordance(),
            loss.isSeparable(),
            ball,
            offset(centred));
    return new Measured(centred, value, measurement, hessian);
  }

  /** Whether sums that are kept can tell anything later: {@link #extrapolate}. */
  public boolean canKeepSums() {
    return loss.isSelfConcordant()
        && !loss.isShiftInvariant()
        && size() <= DistanceBound.MAX_HESSIAN_SIZE;
  }

  /**
   * Whether kept sums tell something of points near theirs: of a self-concordant loss, where it is
   * known which columns are constant, and where every coordinate that is fixed was 0 at their point
   * or is of a column that is 0 in all rows by now, so that no margin changes with it.
   */
  public boolean canFollow(KeptSums kept) {
    double[] theta = kept.point().theta();
    boolean follows = canKeepSums() && kept.isAccurate();
    for (int j = 0; j < theta.length; j++) {
      follows &= !fixed[j] || theta[j] == 0 || statistics.column(layout.feature(j)).maxAbs() == 0;
    }
    return follows;
  }

  /**
   * The measurement at the point of kept sums, with the Hessian; no pass. What these sums cancelled
   * leaves the curvature moments without a bound, so that only the Hessian proves a distance.
   *
   * @param kept which {@link #canFollow} holds for
   * @throws DataChangedException if the statistics of this objective are not those of the sums
   */
  public Measured evaluate(KeptSums kept) {
    double[] theta = kept.point().theta().clone();
    zeroFixed(theta);
    SymmetricMatrix matrix = kept.sums().hessian().matrix();
    double error = kept.relativeError(matrix, fixed);
    return measured(
        theta, kept.sums().measurement(), Double.POSITIVE_INFINITY, complete(matrix, error));
  }

  /**
   * Makes use of sums over data like these, which nothing is proven by: their Hessian, completed,
   * takes the place of a sample's in {@link #approximateHessian}, and the minimiser of their
   * quadratic model, where no fixed coordinate is left, is a point to start from:
   *
   * <pre>
   *   theta_f + s,   s_R = -theta_R,   (H + Lambda)_FF s_F = -(g + Lambda theta_f)_F + H_FR theta_R
   * </pre>
   *
   * <p>F are the coordinates that are free, R those that are fixed.
   *
   * @return empty if H is not numerically positive definite, or, unless the loss is quadratic, s
   *     moves the margins by so much, in the mean square that the curvature weights, that a
   *     quadratic model says little: s'H s above {@value #MODEL_REACH} tr A
   */
  public Optional<double[]> follow(KeptSums kept) {
    if (!canKeepSums()) {
      return Optional.empty();
    }
    SymmetricMatrix data = kept.sums().hessian().matrix();
    double[] theta = kept.point().theta();
    double[] left = theta.clone();
    double[] rhs = kept.sums().measurement().gradient();
    double curvature = 0;
    for (double sum : kept.sums().measurement().curvature()) {
      curvature += sum;
    }
    for (int j = 0; j < left.length; j++) {
      left[j] = fixed[j] ? theta[j] : 0;
    }
    double[] moved = data.apply(left);
    for (int j = 0; j < rhs.length; j++) {
      rhs[j] = fixed[j] ? 0 : moved[j] - rhs[j] - penalty.lambda()[j] * theta[j] - linear[j];
    }
    SymmetricMatrix matrix =
        complete(new SymmetricMatrix(size(), data.values().clone()), 0).matrix();
    double most = loss.selfConcordance() == 0 ? Double.MAX_VALUE : MODEL_REACH * curvature;
    return Cholesky.of(matrix)
        .flatMap(
            factor -> {
              double[] s = factor.solve(rhs);
              Vectors.addInPlace(s, -1, left);
              if (!(Vectors.dot(s, data.apply(s)) <= most)) {
                return Optional.empty();
              }
              followed = matrix;
              double[] start = Vectors.add(theta, 1, s);
              zeroFixed(start);
              return Optional.of(start);
            });
  }

  /**
   * What a measurement with its Hessian tells of another point theta = theta_f + s, without a pass
   * ({@code docs/kept-state.md}, with the proof):
   *
   * <pre>
   *   |grad_j L(theta) - (g + H s)_j| &lt;= a_j M psi(M r) s'H s,   a_j = max_i |x_ij|
   *   H(theta) &gt;= e^{-M r} H,   r &gt;= max_i ||X_i s||_2,   psi(z) = (e^z - 1 - z) / z^2
   * </pre>
   *
   * <p>plus what rounding and the errors of g and H add. The gradient that is returned is g + H s,
   * the Hessian e^{-M r} H, a lower bound.
   *
   * @param from measured with its Hessian, of a self-concordant loss
   * @param theta fixed coordinates 0
   */
  public Measured extrapolate(Measured from, double[] theta) {
    Hessian hessian = Objects.requireNonNull(from.bounded());
    Measurement m = from.measurement();
    double[] h = hessian.matrix().values();
    int p = size();
    double[] s = Vectors.add(theta, -1, from.point());
    double[] largest = largest();
    // of the computed diagonal: the exact one is within a factor 1 +- kappa of it
    double relative = hessian.relativeError();
    double kappa =
        relative < 1
            ? Rounding.up(relative / (1 - relative) + 4 * Rounding.UNIT, 4)
            : Double.POSITIVE_INFINITY;
    double scaled = 0; // sum_k sqrt(H_kk) |s_k|, which bounds sqrt(s'H s) and its errors
    double quadratic = 0;
    double absolute = 0;
    double[] gradient = m.gradient().clone();
    double[] terms = new double[p];
    for (int j = 0; j < p; j++) {
      double product = 0;
      for (int k = 0; k < p; k++) {
        double term = h[j * p + k] * s[k];
        product += term;
        terms[j] += Math.abs(term);
      }
      gradient[j] += product;
      quadratic += product * s[j];
      absolute += terms[j] * Math.abs(s[j]);
      scaled += Math.sqrt(h[j * (p + 1)]) * Math.abs(s[j]);
    }
    scaled = Rounding.up(scaled, p + 8.0);
    double gamma = Rounding.gamma(2.0 * p + 8);
    double square =
        Rounding.up(
            Math.max(0, quadratic) + gamma * absolute + kappa * scaled * scaled, 2.0 * p + 16);
    double reach = loss.selfConcordance() * reach(s, largest);
    double remainder =
        loss.selfConcordance() == 0
            ? 0
            : Rounding.up(loss.selfConcordance() * psi(reach) * square, 16);
    double[] error = m.gradientError().clone();
    for (int j = 0; j < p; j++) {
      if (fixed[j]) {
        continue;
      }
      double entry = kappa * Math.sqrt(h[j * (p + 1)]) * scaled;
      double rounding = gamma * (terms[j] + Math.abs(m.gradient()[j]));
      error[j] = Rounding.up(error[j] + entry + rounding + largest[j] * remainder, 16);
    }
    double keep = Rounding.down(Math.exp(-reach), 8);
    double[] lower = h.clone();
    for (int i = 0; i < lower.length; i++) {
      lower[i] *= keep;
    }
    Measurement at =
        new Measurement(
            gradient,
            error,
            m.lambda(),
            fixed,
            layout,
            m.curvature(),
            m.curvatureMoment(),
            Double.POSITIVE_INFINITY,
            m.rowNorm(),
            m.scaledRowNorm(),
            m.selfConcordance(),
            m.separable(),
            m.radius(),
            0);
    double value =
        from.value() + Vectors.dot(m.gradient(), s) + 0.5 * quadratic; // of the quadratic model
    return new Measured(theta, value, at, new Hessian(new SymmetricMatrix(p, lower), kappa));
  }

  /** a_j: an upper bound of max_i |x_ij| for every parameter, 1 for an intercept or a scalar. */
  private double[] largest() {
    double[] largest = new double[size()];
    for (int j = 0; j < largest.length; j++) {
      int column = layout.feature(j);
      largest[j] =
          column >= 0 && column < layout.features() ? statistics.column(column).maxAbs() : 1;
    }
    return largest;
  }

  /** An upper bound of max_i ||X_i s||_2. */
  private double reach(double[] s, double[] largest) {
    double[] outputs = new double[layout.outputs()];
    for (int k = 0; k < layout.margins(); k++) {
      for (int column = 0; column < layout.stride(); column++) {
        int j = layout.coefficient(k, column);
        outputs[k] += fixed[j] ? 0 : largest[j] * Math.abs(s[j]);
      }
    }
    for (int i = 0; i < layout.scalars(); i++) {
      outputs[layout.margins() + i] = Math.abs(s[layout.scalar(i)]);
    }
    return Rounding.up(Vectors.norm(outputs), size() + 8.0);
  }

  /** psi(z) = sum_k z^k / (k + 2)! &lt;= 1/2 + z/6 + z^2 e^z / 24, rounded up. */
  private static double psi(double z) {
    return Rounding.up(0.5 + z / 6 + z * z * Math.exp(z) / 24, 8);
  }

  /** A measurement with the Hessian at its point; one more pass where it has none. */
  public Measured withHessian(Measured evaluation) {
    return evaluation.bounded() == null
        ? new Measured(
            evaluation.point(),
            evaluation.value(),
            evaluation.measurement(),
            gram(evaluation.point()))
        : evaluation;
  }

  /** The smallest distance that a measurement with its Hessian proves; no pass. */
  public DistanceBound proveByHessian(Measured evaluation) {
    Hessian hessian = Objects.requireNonNull(evaluation.bounded());
    return DistanceBound.of(
        evaluation.measurement(), hessian.matrix().values(), hessian.relativeError());
  }

  /** An upper bound of max_i x_ij^2, which may underflow. */
  private double largestSquare(int feature) {
    double largest = statistics.column(feature).maxAbs();
    return largest * largest + Double.MIN_NORMAL;
  }

  /** An upper bound of max_i ||x_i||_2, an intercept's or a scalar's 1 included. */
  private double rowNorm() {
    double square = layout.intercept() || layout.scalars() > 0 ? 1 : 0;
    for (int j = 0; j < layout.features(); j++) {
      square += fixed[j] ? 0 : largestSquare(j);
    }
    return Rounding.up(Math.sqrt(square), size() + 4.0);
  }

  /**
   * The radius of the ball in which a loss without self-concordance shows its curvature: rho, or as
   * much less as moves no margin by more than 1/64 of the scale on which the curvature changes. A
   * larger ball shows less, down to nothing.
   */
  private double ball(double[] theta) {
    double scale = 1 / loss.curvatureScale(scalars(theta));
    return radius > 0 && scale > 0 ? Math.min(radius, scale / (64 * rowNorm())) : radius;
  }

  private double[] scalars(double[] theta) {
    return Arrays.copyOfRange(theta, layout.margins() * layout.stride(), theta.length);
  }

  @Override
  public LinearOperator hessian(double[] theta) {
    Point point = at(theta);
    return new LinearOperator() {
      @Override
      public int size() {
        return penalty.size();
      }

      @Override
      public double[] apply(double[] v) {
        passes++;
        hessianVectorProducts++;
        double[] active = active(v);
        return complete(examples.hessianVector(point, active).product(), active, v);
      }

      @Override
      public double[][] applyAll(double[][] vectors) {
        passes++;
        double[][] active = new double[vectors.length][];
        Arrays.setAll(active, k -> active(vectors[k]));
        double[][] products = examples.hessianSketch(point, active).products();
        for (int k = 0; k < products.length; k++) {
          complete(products[k], active[k], vectors[k]);
        }
        return products;
      }

      private double[] active(double[] v) {
        double[] active = v.clone();
        zeroFixed(active);
        return active;
      }

      private double[] complete(double[] product, double[] active, double[] v) {
        for (int j = 0; j < product.length; j++) {
          product[j] = fixed[j] ? v[j] : product[j] + penalty.lambda()[j] * v[j];
        }
        addOpenCurvature(active, product);
        return product;
      }
    };
  }

  /**
   * Costs are arithmetic: a product has 4 E operations for E entries that are not zero, and about
   * 20 p of the solver. A Nystrom approximation of r vectors has 4 E (1 + r / 4) in its pass, where
   * r products share one visit of the rows, and 8 p r^2 on the driver; r is {@value #MAX_RANK}, or
   * less so that the vectors fit into {@value #SKETCH_BYTES} bytes and the driver has not more work
   * than the pass. Up to p = {@value #MAX_FACTOR_SIZE} a Cholesky factor of a sample, as in {@link
   * #approximateHessian}: E / n operations for each of its entries, f^2 / 2 for 1024 rows, and f^3
   * / 3.
   */
  @Override
  public List<PreconditionerOffer> preconditionerOffers(
      double[] point, LinearOperator hessian, Preconditioner cheap) {
    if (!(cheap instanceof CentredJacobi jacobi)) {
      return List.of();
    }
    List<PreconditionerOffer> offers = new ArrayList<>();
    double n = statistics.rows();
    double p = size();
    double entries = statistics.entries() + n;
    double product = 4 * entries + 20 * p;
    int rank = (int) Math.min(Math.min(MAX_RANK, p / 4), Math.min(SKETCH_BYTES, entries) / (8 * p));
    if (rank >= LEAST_RANK) {
      offers.add(
          new PreconditionerOffer(
              Preconditioning.NYSTROM,
              (4 * entries * (1 + VECTOR_SHARE * rank) + 8 * p * rank * rank) / product,
              () -> {
                preconditioning = Preconditioning.NYSTROM;
                return NystromPreconditioner.of(hessian, jacobi, shift(jacobi), rank, fixed);
              }));
    }
    if (size() <= MAX_FACTOR_SIZE) {
      double share = Math.min(1, sampleShare());
      double free = freeSize();
      offers.add(
          new PreconditionerOffer(
              Preconditioning.SAMPLE,
              (share * (entries * entries / n + n * free * free / 2048) + free * free * free / 3)
                  / product,
              () -> {
                preconditioning = Preconditioning.SAMPLE;
                return Cholesky.of(sampled(point, share, jacobi::diagonal)).map(f -> f::solve);
              }));
    }
    return offers;
  }

  /** mu: the least share of its penalty that a coefficient has in the diagonal. */
  private double shift(CentredJacobi jacobi) {
    double shift = 1;
    for (int j = 0; j < size(); j++) {
      // an unpenalised intercept is no part of it: centring decouples it
      if (!fixed[j] && (layout.feature(j) < layout.features() || penalty.lambda()[j] > 0)) {
        shift = Math.min(shift, penalty.lambda()[j] / jacobi.diagonal(j));
      }
    }
    return shift;
  }

  private double sampleShare() {
    double n = statistics.rows();
    double p = freeSize();
    return Math.max(ROWS_A_PARAMETER * p, PASSES_OF_PRODUCTS * n / p) / n;
  }

  @Override
  public SymmetricMatrix hessianMatrix(double[] theta) {
    return gram(at(theta)).matrix();
  }

  /** The Hessian with the error bound that a certificate needs. */
  public record Hessian(SymmetricMatrix matrix, double relativeError) {}

  /**
   * The Hessian at theta, or its lower bound in the ball of {@link Measurement#radius}: one pass.
   *
   * @throws DataChangedException if the pass saw other data than the statistics
   */
  public Hessian gram(double[] theta) {
    return gram(at(theta).within(ball(theta), fixed));
  }

  private Hessian gram(Point point) {
    passes++;
    GramAggregator sums = examples.gram(point.holding(fixed));
    requireSameData(sums.rows(), sums.checksum());
    return complete(sums.matrix(), sums.relativeError());
  }

  /**
   * The Hessian of a sample of the rows, scaled to all of them, where the sums over all rows would
   * cost more than the passes that a good approximation costs instead: where they are {@linkplain
   * #isHessianCheap not cheap}, and a sample of {@value #ROWS_A_PARAMETER} f rows or n / f times
   * {@value #PASSES_OF_PRODUCTS}, whichever is more, below n / 2, for f coordinates that are not
   * fixed.
   *
   * <p>Sums that are {@linkplain #follow followed} cost no pass, and take the sample's place.
   *
   * <p>A column that has its square sum from so few rows that the sample hardly has them would get
   * no curvature: it gets that of the mean row.
   */
  @Override
  public Approximation approximateHessian(Measured evaluation) {
    double[] theta = evaluation.point();
    double share = sampleShare();
    if (followed != null) {
      return new Approximation(followed, false);
    }
    if (isHessianCheap() || share >= 0.5) {
      return new Approximation(hessianMatrix(theta), true);
    }
    double[] curvature = evaluation.measurement().curvature();
    IntToDoubleFunction ofMeanRow =
        j ->
            curvature[j / layout.stride()]
                / statistics.totalWeight()
                * statistics.column(layout.feature(j)).secondMoment();
    return new Approximation(sampled(theta, share, ofMeanRow), false);
  }

  /**
   * The Hessian of a sample, scaled to all rows.
   *
   * @param least for the diagonal where a column has too few rows in the sample
   */
  private SymmetricMatrix sampled(double[] theta, double share, IntToDoubleFunction least) {
    passes++;
    GramAggregator sums = examples.gram(at(theta).holding(fixed), share);
    requireSameData(sums.rows(), sums.checksum());
    double[] values = sums.matrix().values();
    double scale = (double) statistics.rows() / Math.max(1, sums.sampledRows());
    for (int i = 0; i < values.length; i++) {
      values[i] *= scale;
    }
    for (int j = 0; j < layout.margins() * layout.stride(); j++) {
      int column = layout.feature(j);
      if (column < layout.features() && share * effectiveRows(column) < ENOUGH_ROWS) {
        int diagonal = j * (size() + 1);
        values[diagonal] = Math.max(values[diagonal], least.applyAsDouble(j));
      }
    }
    return complete(new SymmetricMatrix(size(), values), 0).matrix();
  }

  /** How many rows with a column's largest value would have its sum of squares; at most n. */
  private double effectiveRows(int column) {
    ColumnStatistics values = statistics.column(column);
    double mean = statistics.totalWeight() / statistics.rows();
    return values.secondMoment() / (largestSquare(column) * mean);
  }

  /** The data's Hessian with the penalty, and what holds the fixed and the open coordinates. */
  private Hessian complete(SymmetricMatrix matrix, double dataError) {
    int p = size();
    for (int j = 0; j < p; j++) {
      for (int k = 0; k < p; k++) {
        if (fixed[j] || fixed[k]) {
          matrix.values()[j * p + k] = j == k ? 1 : 0;
        }
      }
    }
    double lambdaError = 0;
    for (int j = 0; j < p; j++) {
      if (!fixed[j]) {
        matrix.values()[j * p + j] += penalty.lambda()[j];
        lambdaError = Math.max(lambdaError, penalty.relativeError()[j]);
      }
    }
    for (int column = 0; column < layout.stride(); column++) {
      for (int k = 0; isOpen(column) && k < layout.margins(); k++) {
        for (int l = 0; l < layout.margins(); l++) {
          matrix.values()[layout.coefficient(k, column) * p + layout.coefficient(l, column)] +=
              openCurvature(column);
        }
      }
    }
    return new Hessian(matrix, dataError + lambdaError + 4 * Rounding.UNIT);
  }

  /**
   * The Hessian's rows of the intercepts: one pass.
   *
   * @throws DataChangedException if the pass saw other data than the statistics
   */
  public MarginCurvature marginCurvature(double[] theta) {
    passes++;
    MarginCurvatureAggregator curvature = examples.marginCurvature(at(theta));
    requireSameData(curvature.rows(), curvature.checksum());
    double[] sums = curvature.sums();
    int stride = layout.features() + 1;
    if (isOpen(layout.features())) {
      double open = openCurvature(layout.features());
      for (int entry = stride - 1; entry < sums.length; entry += stride) {
        sums[entry] += open;
      }
    }
    return new MarginCurvature(
        layout.margins(), layout.features(), sums, curvature.relativeError() + 4 * Rounding.UNIT);
  }

  /**
   * The proven distance of an evaluated point to the minimiser, in units of theta, rounded up.
   * Where its own pass proves nothing (regParam = 0, a partly penalised problem, or free intercepts
   * of margins that share their curvature), the Hessian is computed, one more pass, if a rule can
   * use it and p allows it; or, for such intercepts, its rows of them. No estimate decides.
   */
  public DistanceBound prove(Measured evaluation) {
    Measurement m = evaluation.measurement();
    DistanceBound bound = DistanceBound.of(m);
    if (!(bound instanceof DistanceBound.Unproven unproven)
        || unproven.cause() == DistanceBound.Cause.NOT_FINITE
        || !m.boundsCurvature()) {
      return bound;
    }
    if (unproven.cause() == DistanceBound.Cause.MARGIN_CURVATURE_NEEDED) {
      return DistanceBound.of(m, marginCurvature(evaluation.point()));
    }
    if (size() > DistanceBound.MAX_HESSIAN_SIZE) {
      return bound;
    }
    Hessian hessian =
        evaluation.bounded() == null ? gram(evaluation.point()) : evaluation.bounded();
    return DistanceBound.of(m, hessian.matrix().values(), hessian.relativeError());
  }

  /**
   * As {@link #prove}, but without the second pass where the point looks too far for the proof to
   * matter: for the steps of a solver.
   *
   * @param rho the distance of interest
   */
  public DistanceBound distanceBound(Measured evaluation, double rho) {
    return estimatedDistance(evaluation) > rho
        ? DistanceBound.of(evaluation.measurement())
        : prove(evaluation);
  }

  /** ||M^{-1} g||_2 with the preconditioner M in the Hessian's place: an estimate, no bound. */
  public double estimatedDistance(Measured evaluation) {
    return estimatedDistance(evaluation, evaluation.gradient());
  }

  /** The same for the gradient at another point, with the curvature of the one evaluated. */
  public double estimatedDistance(Measured evaluation, double[] gradient) {
    return Vectors.norm(preconditioner(evaluation).applyInverse(gradient));
  }

  /**
   * Centred Jacobi from what is already known: the mean curvature h / W times the column's moment
   * stands for the diagonal of the data's Hessian.
   */
  @Override
  public Preconditioner preconditioner(Measured evaluation) {
    double[] diagonal = new double[size()];
    double[] mean = new double[size()];
    int[] intercepts = new int[size()];
    Arrays.fill(intercepts, -1);
    double[] curvature = evaluation.measurement().curvature();
    double[] moment = evaluation.measurement().curvatureMoment();
    // Where every margin is saturated h says nothing; the floor keeps the inverse finite.
    double floor = 0x1p-40 * statistics.totalWeight();
    for (int k = 0; k < layout.margins(); k++) {
      double h = Math.max(curvature[k], floor);
      int intercept = layout.intercept(k);
      boolean centred = intercept >= 0 && !fixed[intercept];
      for (int column = 0; column < layout.stride(); column++) {
        int j = layout.coefficient(k, column);
        if (fixed[j]) {
          diagonal[j] = 1;
        } else if (j == intercept) {
          diagonal[j] = h + penalty.lambda()[j];
        } else {
          ColumnStatistics values = statistics.column(column);
          intercepts[j] = centred ? intercept : -1;
          mean[j] = centred ? moment[j] / h : 0;
          double spread =
              centred ? values.variance() * statistics.totalWeight() : values.secondMoment();
          diagonal[j] =
              Math.max(
                  h / statistics.totalWeight() * spread + penalty.lambda()[j], Double.MIN_NORMAL);
        }
      }
    }
    for (int i = 0; i < layout.scalars(); i++) {
      diagonal[layout.scalar(i)] = Math.max(curvature[layout.margins() + i], floor);
    }
    return new CentredJacobi(diagonal, mean, intercepts);
  }

  /**
   * A loss whose curvature vanishes in places, such as a hinge, may have a singular Hessian: mu
   * times the diagonal that rows all curved alike would give, mu of the order of the gradient.
   */
  @Override
  public double[] damping(Evaluation evaluation) {
    double[] damping = new double[size()];
    if (loss.isSelfConcordant()) {
      return damping;
    }
    double residual = 0;
    for (int j = 0; j < damping.length; j++) {
      int column = layout.feature(j);
      boolean isFeature = column >= 0 && column < layout.features();
      damping[j] =
          fixed[j]
              ? 0
              : isFeature ? statistics.column(column).secondMoment() : statistics.totalWeight();
      double g = evaluation.gradient()[j];
      residual += damping[j] > 0 ? g * g / damping[j] : 0;
    }
    double mu =
        Math.min(0.1, Math.sqrt(residual / statistics.totalWeight()))
            * loss.curvatureScale(scalars(evaluation.point()));
    for (int j = 0; j < damping.length; j++) {
      damping[j] *= mu;
    }
    return damping;
  }

  /** The penalties and the rows' norms are the statistics', the sums are the pass's. */
  private void requireSameData(long rows, long checksum) {
    if (rows != statistics.rows() || checksum != statistics.checksum()) {
      throw new DataChangedException(statistics.rows(), rows);
    }
  }

  private void zeroFixed(double[] v) {
    for (int j = 0; j < v.length; j++) {
      if (fixed[j]) {
        v[j] = 0;
      }
    }
  }
}

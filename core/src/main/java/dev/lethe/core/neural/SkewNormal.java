package dev.lethe.core.neural;

import java.util.Arrays;
import org.apache.commons.numbers.gamma.Erfc;
import org.apache.commons.numbers.gamma.Erfcx;

/**
 * The skew normal distribution (Azzalini, A class of distributions which includes the normal ones,
 * Scand. J. Statist. 1985) of density, with z = (x - location) / scale,
 *
 * <pre>
 *   f(x) = 2 / scale phi(z) Phi(shape z)
 * </pre>
 *
 * @param location finite
 * @param scale positive, finite; not the standard deviation
 * @param shape in [-1000, 1000]; 0 is the normal distribution, a negative one has the longer tail
 *     on the left. Beyond, the skewness moves in its sixth digit.
 */
public record SkewNormal(double location, double scale, double shape) {
  /** Fewer tell next to nothing of three parameters. */
  public static final int SMALLEST_SAMPLE = 10;

  private static final double LARGEST_SHAPE = 1000;

  /** Of shape 591; the supremum is 0.99527. */
  private static final double LARGEST_SKEWNESS = 0.99526;

  private static final double SQRT_HALF = Math.sqrt(0.5);
  private static final double SQRT_TWO_PI = Math.sqrt(2 * Math.PI);

  public SkewNormal {
    if (!Double.isFinite(location)) {
      throw new IllegalArgumentException("location = " + location + ": must be finite");
    }
    if (!(scale > 0 && scale < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException("scale = " + scale + ": must be positive and finite");
    }
    if (!(Math.abs(shape) <= LARGEST_SHAPE)) {
      throw new IllegalArgumentException("shape = " + shape + ": must lie in [-1000, 1000]");
    }
  }

  /** The law of -X. */
  SkewNormal mirrored() {
    return new SkewNormal(-location, scale, -shape);
  }

  /**
   * The maximum likelihood fit. It is sought in mean, standard deviation and skewness, where the
   * likelihood is regular; in the shape it is stationary at 0 whatever the sample (Azzalini 1985).
   * Nelder and Mead's search starts from the sample's moments and places these three to within
   * about 1e-6 standard deviations, far below their standard errors. The likelihood of some samples
   * rises with the shape without end: their skewness is held at 0.99526.
   *
   * @param samples finite, at least {@link #SMALLEST_SAMPLE}, not all equal
   * @throws IllegalArgumentException if they are not
   */
  public static SkewNormal fit(double[] samples) {
    int n = samples.length;
    if (n < SMALLEST_SAMPLE) {
      throw new IllegalArgumentException(
          "samples has " + n + " values: must have at least " + SMALLEST_SAMPLE);
    }
    for (double x : samples) {
      if (!Double.isFinite(x)) {
        throw new IllegalArgumentException("samples has the value " + x + ": must be finite");
      }
    }
    double[] z = samples.clone();
    double mean = centre(z);
    double deviation = Math.sqrt(moment(z, 2));
    if (!(deviation > 0 && deviation < Double.POSITIVE_INFINITY)) {
      throw new IllegalArgumentException(
          "samples has standard deviation %s: must be positive and finite".formatted(deviation));
    }
    Arrays.setAll(z, i -> z[i] / deviation);
    double skewness = Math.max(-0.9, Math.min(0.9, moment(z, 3)));
    double[] best = {0, 0, skewness};
    for (int start = 0; start < 2; start++) { // again, in case the first simplex became flat
      best = NelderMead.minimise(p -> -ofMoments(p).logLikelihood(z), best, 0.1, 1e-7);
    }
    SkewNormal standard = ofMoments(best);
    return new SkewNormal(
        mean + deviation * standard.location, deviation * standard.scale, standard.shape);
  }

  /** Subtracts the mean, in place. */
  private static double centre(double[] x) {
    double first = x[0]; // differences of samples that lie close together are exact
    double mean = Arrays.stream(x).map(t -> t - first).sum() / x.length;
    Arrays.setAll(x, i -> x[i] - first - mean);
    return first + mean;
  }

  private static double moment(double[] x, int order) {
    return Arrays.stream(x).map(t -> Math.pow(t, order)).sum() / x.length;
  }

  /**
   * With m = delta sqrt(2 / pi) the mean for location 0 and scale 1, delta = shape / sqrt(1 +
   * shape^2): variance 1 - m^2, skewness (4 - pi) / 2 r^3 where r = m / sqrt(1 - m^2).
   *
   * @param p mean, logarithm of the standard deviation, skewness
   */
  private static SkewNormal ofMoments(double[] p) {
    double skewness = Math.max(-LARGEST_SKEWNESS, Math.min(LARGEST_SKEWNESS, p[2]));
    double r = Math.cbrt(2 * skewness / (4 - Math.PI));
    double deviation = Math.exp(p[1]);
    double delta = Math.sqrt(Math.PI / 2) * r / Math.sqrt(1 + r * r);
    return new SkewNormal(
        p[0] - deviation * r,
        deviation * Math.sqrt(1 + r * r),
        delta / Math.sqrt((1 - delta) * (1 + delta)));
  }

  /** log f(x), relatively accurate however far in a tail. */
  public double logDensity(double x) {
    double z = (x - location) / scale;
    return Math.log(2 / (scale * SQRT_TWO_PI)) - z * z / 2 + logPhi(shape * z);
  }

  /** sum log f(x_i). */
  public double logLikelihood(double[] samples) {
    double sum = 0;
    for (double x : samples) {
      sum += logDensity(x);
    }
    return sum;
  }

  /** log Phi(t). */
  private static double logPhi(double t) {
    return t < 0
        ? Math.log(Erfcx.value(-t * SQRT_HALF) / 2) - t * t / 2
        : Math.log1p(-Erfc.value(t * SQRT_HALF) / 2);
  }

  /**
   * P(X &lt;= x), to a relative accuracy of 1e-13 (1 + |shape| / 10) down to 1e-100.
   *
   * @param x finite
   */
  public double cdf(double x) {
    return Math.exp(logCdf(x));
  }

  /**
   * log P(X &lt;= x). No difference of nearly equal terms is taken in the left tail: there the
   * density is integrated as it is, and of a negative shape it is 2 phi(z) less at most half.
   *
   * @param x finite
   */
  public double logCdf(double x) {
    return logCdf((x - location) / scale, shape);
  }

  private static double logCdf(double z, double shape) {
    if (z > 0) {
      return Math.log1p(-Math.exp(logCdf(-z, -shape)));
    }
    double skewed = (1 + shape * shape) * z * z / 2;
    double integral = scaledTail(-z, Math.abs(shape));
    if (shape >= 0) {
      return Math.log(integral) - skewed;
    }
    return Math.log(Erfcx.value(-z * SQRT_HALF) - Math.exp(z * z / 2 - skewed) * integral)
        - z * z / 2;
  }

  /**
   * e^{y^2/2} P(Z &lt;= -z) for shape &gt;= 0, with c = sqrt(1 + shape^2), y = c z. By Phi(-t) =
   * erfcx(t / sqrt 2) e^{-t^2/2} / 2 and t = (y + v) / c it is
   *
   * <pre>
   *   1 / (c sqrt(2 pi)) integral_0^inf erfcx(shape (y + v) / (c sqrt 2)) e^{-v (y + v/2)} dv
   * </pre>
   *
   * of a smooth positive integrand. The trapezoidal rule in t, v = exp(t - e^{-t}) / (1 + y), is
   * exact to rounding (Takahasi, Mori 1974).
   */
  private static double scaledTail(double z, double shape) {
    double c = Math.sqrt(1 + shape * shape);
    double y = c * z;
    double sum = 0;
    for (int k = -32; k <= 32; k++) {
      double t = k / 8.0;
      double v = Math.exp(t - Math.exp(-t)) / (1 + y);
      double dv = v * (1 + Math.exp(-t)) / 8;
      sum += Erfcx.value(shape / c * (y + v) * SQRT_HALF) * Math.exp(-v * (y + v / 2)) * dv;
    }
    return sum / (c * SQRT_TWO_PI);
  }
}

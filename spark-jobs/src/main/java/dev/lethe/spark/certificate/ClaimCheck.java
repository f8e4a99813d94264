package dev.lethe.spark.certificate;

import dev.lethe.core.certify.GammaRadiusNoise;
import dev.lethe.core.model.ParameterLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What can be verified of a certificate with public files alone: that it belongs to the model and
 * that its figures support its claim. Whether the distance and the noise are what it says is proven
 * by the evidence only.
 *
 * <p>A certificate that was read has passed the rules of {@link Certificate} already: known schema
 * version, every figure of a certified release present and in range, a reason otherwise.
 */
public final class ClaimCheck {
  /** sigma below this number of grid steps would show the grid. */
  static final double MIN_STEPS_PER_SIGMA = 100;

  /** A grid step of fewer ulps of the largest parameter would show low bits. */
  static final double MIN_ULPS_PER_STEP = 1 << 20;

  /**
   * Another JVM may evaluate exp and log one ulp apart; a sigma smaller by this fraction changes
   * delta by less than 1e-8 of itself, for every epsilon up to 1000 and delta above 1e-300.
   */
  private static final double SIGMA_TOLERANCE = 1e-12;

  /** In units of sigma; exceeded with a probability below 1e-20 for up to 1e9 parameters. */
  private static final double LARGEST_GAUSSIAN = 12;

  /** The same in deviations of gamma-radius noise, whose tail is widest for one parameter. */
  private static final double LARGEST_GAMMA_RADIUS = 48;

  private ClaimCheck() {}

  /**
   * Verifies the claims.
   *
   * @param certificate as read
   * @param modelDigest of the model directory as it is now
   * @param theta the parameters of that model, shape (p): coefficients, then the intercept where
   *     there is one
   * @param layout of those parameters
   * @param calibration of the noise
   * @return every check with its outcome; the claim stands if all have passed
   */
  public static List<Check> check(
      Certificate certificate,
      ModelDigest modelDigest,
      double[] theta,
      ParameterLayout layout,
      Calibration calibration) {
    List<Check> checks = new ArrayList<>();
    checks.add(
        new Check(
            "model digest",
            certificate.modelDigest().equals(modelDigest),
            "certificate " + certificate.modelDigest().value() + ", model " + modelDigest.value()));
    checks.add(
        new Check(
            "number of parameters",
            certificate.parameters() == theta.length,
            "certificate " + certificate.parameters() + ", model " + theta.length));
    checks.add(zeros(certificate.zeroCoefficients(), theta, layout));
    checks.add(finite(theta));
    @Nullable Claim claim = certificate.claim();
    if (claim != null) {
      checks.addAll(figures(claim, calibration));
      if (claim.noise() instanceof GammaRadiusNoise noise) {
        checks.add(dimension(noise.coordinates(), certificate, theta, layout));
      }
      checks.add(gridIsCoarse(claim, theta));
      checks.add(onGrid(claim.gridStep(), theta));
    }
    return List.copyOf(checks);
  }

  /** The part that needs no model: that the noise is enough for the claim. */
  public static List<Check> figures(Claim claim, Calibration calibration) {
    String name = claim.widthName();
    double required = calibration.required(claim);
    double deviation = claim.noise().deviation();
    return List.of(
        new Check(
            name + " suffices for epsilon, delta and rho",
            claim.width() >= required * (1 - SIGMA_TOLERANCE),
            name + " " + claim.width() + ", required " + required),
        new Check(
            "sigma is at least 100 grid steps",
            deviation >= MIN_STEPS_PER_SIGMA * claim.gridStep(),
            "sigma " + deviation + ", grid step " + claim.gridStep()));
  }

  /** Noise hits 0 exactly only by chance, so that fewer parameters may show it, but not more. */
  private static Check dimension(
      int noisy, Certificate certificate, double[] theta, ParameterLayout layout) {
    long shown = Arrays.stream(theta).filter(value -> value != 0).count();
    int possible =
        certificate.parameters() - certificate.zeroCoefficients().size() * layout.margins();
    return new Check(
        "as many parameters carry noise as its law says",
        shown <= noisy && noisy <= possible,
        "certificate " + noisy + ", not 0 are " + shown + ", not removed " + possible);
  }

  private static Check zeros(List<Integer> slots, double[] theta, ParameterLayout layout) {
    int wrong = 0;
    for (int slot : slots) {
      boolean zero = slot < layout.features();
      for (int k = 0; zero && k < layout.margins(); k++) {
        zero = theta[layout.coefficient(k, slot)] == 0;
      }
      wrong += zero ? 0 : 1;
    }
    return new Check(
        "removed coefficients are 0",
        wrong == 0,
        wrong + " of " + slots.size() + " are not exactly 0");
  }

  private static Check finite(double[] theta) {
    int wrong = 0;
    for (double value : theta) {
      if (!Double.isFinite(value)) {
        wrong++;
      }
    }
    return new Check("parameters are finite", wrong == 0, wrong + " are not");
  }

  /**
   * The rule is about the parameters before the noise; what is public is that the largest of them
   * is at least the largest published one less the noise.
   */
  private static Check gridIsCoarse(Claim claim, double[] theta) {
    double step = claim.gridStep();
    double noise =
        claim.noise().deviation()
            * (claim.noise() instanceof GammaRadiusNoise ? LARGEST_GAMMA_RADIUS : LARGEST_GAUSSIAN);
    double largest = 0;
    for (double value : theta) {
      largest = Math.max(largest, Math.abs(value));
    }
    double unnoised = Math.max(0, largest - noise);
    double least = MIN_ULPS_PER_STEP * Math.ulp(unnoised);
    return new Check(
        "grid step is at least 2^20 ulp of the largest parameter",
        step >= least,
        "grid step " + step + ", required " + least);
  }

  private static Check onGrid(double step, double[] theta) {
    int wrong = 0;
    for (double value : theta) {
      // Exact: the remainder of two doubles is a double.
      if (Math.IEEEremainder(value, step) != 0) {
        wrong++;
      }
    }
    return new Check(
        "parameters are whole multiples of the grid step",
        wrong == 0,
        wrong + " of " + theta.length + " are not");
  }
}

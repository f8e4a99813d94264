package dev.lethe.spark.certificate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.certify.GammaRadiusNoise;
import dev.lethe.core.certify.GaussianNoise;
import dev.lethe.core.model.ParameterLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

class ClaimCheckTest {
  private static final double STEP = 0x1p-31;
  private static final double SIGMA = 0.5;

  /** Slots 1 and 2 are removed; the last is the intercept. */
  private static final double[] THETA = {3 * STEP, 0, -0.0, -1 + STEP};

  private static Certificate certificate(double sigma, double step) {
    return Certificate.certified(
        Documents.ID,
        "r",
        Documents.certified().issuedAt(),
        new Claim(0.1, 1e-4, 1e-8, new GaussianNoise(sigma), step),
        Documents.scope(),
        Documents.MODEL,
        Documents.SOFTWARE);
  }

  private static List<String> failed(Certificate certificate, double[] theta) {
    return failed(certificate, Documents.MODEL, theta);
  }

  private static List<String> failed(Certificate certificate, ModelDigest digest, double[] theta) {
    Calibration calibration =
        claim -> {
          assertThat(claim).isEqualTo(certificate.claim());
          return SIGMA;
        };
    return ClaimCheck.check(
            certificate, digest, theta, new ParameterLayout(theta.length, false, 1, 0), calibration)
        .stream()
        .filter(c -> !c.passed())
        .map(Check::name)
        .toList();
  }

  @Test
  void check_truthfulCertificate_passesEverything() {
    assertThat(failed(certificate(SIGMA, STEP), THETA)).isEmpty();
    assertThat(failed(certificate(2 * SIGMA, STEP), THETA)).isEmpty();
    assertThat(failed(Documents.notCertified(), new double[] {0.1, 0, 0, 0.2})).isEmpty();
  }

  @Test
  void check_otherModel_fails() {
    ModelDigest other = new ModelDigest("sha-256-tree", "cd".repeat(32));
    assertThat(failed(certificate(SIGMA, STEP), other, THETA)).containsExactly("model digest");
    assertThat(failed(Documents.notCertified(), other, new double[] {1, 0, 0, 1}))
        .containsExactly("model digest");
  }

  @Test
  void check_sigmaTooSmall_fails() {
    assertThat(failed(certificate(SIGMA * (1 - 1e-9), STEP), THETA))
        .containsExactly("sigma suffices for epsilon, delta and rho");
    assertThat(failed(certificate(SIGMA / 2, STEP), THETA))
        .containsExactly("sigma suffices for epsilon, delta and rho");
  }

  @Test
  void check_gridTooCoarseForSigma_fails() {
    assertThat(failed(certificate(SIGMA, 0x1p-7), new double[] {0.5, 0, 0, 1}))
        .containsExactly("sigma is at least 100 grid steps");
    assertThat(failed(certificate(SIGMA, SIGMA / 100), new double[4])).isEmpty();
  }

  @Test
  void check_gridTooFineForTheParameters_fails() {
    // Below 2^20 an ulp is 2^-33 and the finest grid 2^-13; from 2^20 on 2^-12.
    String name = "grid step is at least 2^20 ulp of the largest parameter";
    double limit = 0x1p20;
    assertThat(failed(certificate(SIGMA, 0x1p-13), new double[] {1, 0, 0, 1 - limit})).isEmpty();
    assertThat(failed(certificate(SIGMA, 0x1p-13), new double[] {1, 0, 0, -limit - 7}))
        .containsExactly(name);
    assertThat(failed(certificate(SIGMA, 0x1p-12), new double[] {1, 0, 0, -limit - 7})).isEmpty();
    assertThat(failed(certificate(SIGMA, 0x1p-14), new double[] {limit - 7, 0, 0, 0}))
        .containsExactly(name);
  }

  @Test
  void check_noiseLiftsTheLargestParameterOverAPowerOfTwo_passes() {
    // Honest: the grid fitted 2^20 - 1, and the noise added 3 sigma.
    assertThat(failed(certificate(SIGMA, 0x1p-13), new double[] {0x1p20 - 1 + 3 * SIGMA, 0, 0, 0}))
        .isEmpty();
  }

  @Test
  void check_parameterOffTheGrid_fails() {
    for (double[] theta :
        new double[][] {
          {STEP / 2, 0, 0, 1}, {STEP, 0, 0, Math.nextUp(1.0)}, {Double.MIN_VALUE, 0, 0, 1}
        }) {
      assertThat(failed(certificate(SIGMA, STEP), theta))
          .containsExactly("parameters are whole multiples of the grid step");
    }
  }

  private static Certificate pure(double scale, int noisy, double step) {
    return Certificate.certified(
        Documents.ID,
        "r",
        Documents.certified().issuedAt(),
        new Claim(0.1, 1e-10, 1e-8, new GammaRadiusNoise(scale, noisy), step),
        Documents.scope(),
        Documents.MODEL,
        Documents.SOFTWARE);
  }

  /** Of a scale SIGMA and two parameters the deviation is sqrt(3) SIGMA. */
  @Test
  void check_gammaRadiusNoise_isHeldToItsScaleAndDimension() {
    assertThat(failed(pure(SIGMA, 2, STEP), THETA)).isEmpty();
    assertThat(failed(pure(SIGMA * (1 - 1e-9), 2, STEP), THETA))
        .containsExactly("scale suffices for epsilon, delta and rho");
    String dimension = "as many parameters carry noise as its law says";
    assertThat(failed(pure(SIGMA, 1, STEP), THETA)).containsExactly(dimension);
    assertThat(failed(pure(SIGMA, 3, STEP), THETA)).containsExactly(dimension); // two are removed
    assertThat(failed(pure(SIGMA, 2, 0x1p-6), new double[] {0.5, 0, 0, 1}))
        .containsExactly("sigma is at least 100 grid steps");
  }

  @Test
  void check_removedCoefficientNotZero_fails() {
    assertThat(failed(certificate(SIGMA, STEP), new double[] {0, STEP, 0, 1}))
        .containsExactly("removed coefficients are 0");
    assertThat(failed(Documents.notCertified(), new double[] {0, 0, 1e-300, 1}))
        .containsExactly("removed coefficients are 0");
  }

  @Test
  void check_otherNumberOfParameters_fails() {
    assertThat(failed(certificate(SIGMA, STEP), new double[] {STEP, 0, 0}))
        .containsExactly("number of parameters");
    assertThat(failed(certificate(SIGMA, STEP), new double[] {STEP}))
        .containsExactlyInAnyOrder("number of parameters", "removed coefficients are 0");
  }

  @Test
  void check_parameterNotFinite_fails() {
    assertThat(failed(certificate(SIGMA, STEP), new double[] {Double.NaN, 0, 0, 1}))
        .contains("parameters are finite", "parameters are whole multiples of the grid step");
    assertThat(failed(Documents.notCertified(), new double[] {Double.POSITIVE_INFINITY, 0, 0, 1}))
        .containsExactly("parameters are finite");
  }
}

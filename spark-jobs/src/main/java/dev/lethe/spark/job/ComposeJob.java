package dev.lethe.spark.job;

import dev.lethe.core.certify.Composition;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.Claim;
import dev.lethe.spark.certificate.ClaimCheck;
import dev.lethe.spark.certificate.Mechanism;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe compose}: what an observer of several releases of one model learns, from their
 * public certificates alone.
 */
public final class ComposeJob {
  private final ComposeOptions options;
  private final SparkSession spark;

  public ComposeJob(ComposeOptions options, SparkSession spark) {
    this.options = options;
    this.spark = spark;
  }

  /**
   * The joint claim.
   *
   * @param certificates in the order given, each certified
   * @param epsilon of all together
   * @param delta of all together
   */
  public record Result(
      List<Certificate> certificates, Composition composition, double epsilon, double delta) {}

  /**
   * Reads and composes the certificates.
   *
   * @throws InvalidInputException if one cannot be read, certifies nothing, claims what its figures
   *     do not support or is given twice, or if nothing is proven at the delta or epsilon asked for
   */
  public Result run() {
    List<Certificate> certificates = new ArrayList<>();
    for (String file : options.certificates()) {
      certificates.add(
          Certificate.read(InputFile.read(spark, "CERTIFICATE", file, Integer.MAX_VALUE), file));
    }
    return compose(certificates, options);
  }

  /**
   * Composes certificates.
   *
   * @param options that name them, in the same order
   * @throws InvalidInputException as {@link #run}
   */
  public static Result compose(List<Certificate> certificates, ComposeOptions options) {
    Set<String> ids = new HashSet<>();
    Composition composition = Composition.NONE;
    for (int i = 0; i < certificates.size(); i++) {
      String file = options.certificates().get(i);
      Certificate certificate = certificates.get(i);
      if (!ids.add(certificate.certificateId())) {
        throw new InvalidInputException(
            file
                + ": the certificate "
                + certificate.certificateId()
                + " is given twice; a release counts once");
      }
      Claim claim = claim(file, certificate);
      composition = composition.and(claim.rho(), claim.noise(), certificate.parameters());
    }
    return together(certificates, composition, options);
  }

  /** The claim, if its figures support it. */
  private static Claim claim(String file, Certificate certificate) {
    if (certificate.mechanism() == Mechanism.LOSS_PERTURBATION) {
      throw new InvalidInputException(
          file
              + ": is a release under loss perturbation ("
              + certificate.assumption()
              + "): its claim rests on that assumption, and releases that share b never compose");
    }
    @Nullable Claim claim = certificate.claim();
    if (claim == null) {
      throw new InvalidInputException(
          file
              + ": is not-certified ("
              + Objects.requireNonNull(certificate.reason()).text()
              + "): that release carries no noise, so nothing bounds what its observers learn");
    }
    int parameters = certificate.parameters();
    Stream.concat(
            ClaimCheck.figures(claim, c -> ClaimRules.required(c, parameters)).stream(),
            Stream.of(ClaimRules.followFromTerms(claim, parameters)))
        .filter(check -> !check.passed())
        .findFirst()
        .ifPresent(check -> refuse(file, check));
    return claim;
  }

  private static void refuse(String file, Check check) {
    throw new InvalidInputException(
        file + ": its claim does not hold: " + check.name() + ": " + check.detail());
  }

  private static Result together(
      List<Certificate> certificates, Composition composition, ComposeOptions options) {
    try {
      if (options.epsilon() != null) {
        double delta = composition.delta(options.epsilon());
        if (delta == 1) {
          throw new InvalidInputException(
              "--epsilon "
                  + options.epsilon()
                  + ": nothing is proven there; it must be greater than the pure epsilon of these"
                  + " releases, "
                  + composition.pureEpsilon());
        }
        return new Result(certificates, composition, options.epsilon(), delta);
      }
      if (options.delta() == null && composition.squaredMu() == 0) {
        double epsilon = composition.pureEpsilon();
        return new Result(certificates, composition, epsilon, composition.delta(epsilon));
      }
      double delta = options.delta() == null ? largestDelta(certificates) : options.delta();
      return new Result(certificates, composition, composition.epsilon(delta), delta);
    } catch (IllegalArgumentException e) {
      throw new InvalidInputException("--delta or --epsilon: " + e.getMessage(), e);
    }
  }

  private static double largestDelta(List<Certificate> certificates) {
    return certificates.stream()
        .mapToDouble(certificate -> Verification.figure(certificate.delta()))
        .max()
        .orElseThrow();
  }
}

package dev.lethe.spark.api;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.job.ComposeJob;
import dev.lethe.spark.job.ComposeOptions;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an observer of several releases of one model learns, from their certificates alone.
 *
 * @param epsilon of all together
 * @param delta of all together
 */
public record JointGuarantee(double epsilon, double delta) {

  /**
   * At the largest delta of the certificates; of pure epsilon ones, the sum of their epsilons.
   *
   * @param certificates of different releases, each certified
   * @return the joint guarantee
   * @throws InvalidInputException if one is not certified, claims what its figures do not support
   *     or is given twice, or none is given
   */
  public static JointGuarantee of(Certificate... certificates) {
    return compose(certificates, null, null);
  }

  /**
   * At a given delta.
   *
   * @param delta in (0, 1)
   * @param certificates as above
   * @return the joint guarantee
   * @throws InvalidInputException as above, or if nothing is proven at that delta
   */
  public static JointGuarantee atDelta(double delta, Certificate... certificates) {
    return compose(certificates, delta, null);
  }

  /**
   * At a given epsilon.
   *
   * @param epsilon positive
   * @param certificates as above
   * @return the joint guarantee
   * @throws InvalidInputException as above, or if nothing is proven at that epsilon
   */
  public static JointGuarantee atEpsilon(double epsilon, Certificate... certificates) {
    return compose(certificates, null, epsilon);
  }

  private static JointGuarantee compose(
      Certificate[] certificates, @Nullable Double delta, @Nullable Double epsilon) {
    if (certificates.length == 0) {
      throw new InvalidInputException("certificates: none is given; it takes at least one");
    }
    List<String> names =
        Arrays.stream(certificates).map(each -> "certificate " + each.certificateId()).toList();
    try {
      ComposeJob.Result result =
          ComposeJob.compose(List.of(certificates), new ComposeOptions(names, delta, epsilon));
      return new JointGuarantee(result.epsilon(), result.delta());
    } catch (InvalidInputException e) {
      throw ParamNames.in(e);
    }
  }
}

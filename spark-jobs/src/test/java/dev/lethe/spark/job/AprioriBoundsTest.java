package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Releases.Release;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The evidence's bound of the first step holds for the residual that was measured after it. */
@ExtendWith(LocalSpark.class)
class AprioriBoundsTest {

  private static Release unlearn(String method, int code) {
    return Releases.unlearn(
        People.model(), People.table(), Releases.REQUEST + "method: " + method + "\n", code);
  }

  @ParameterizedTest
  @CsvSource({
    "first-order, 3, first order",
    "second-order, 3, second order",
    "refined, 0, second order"
  })
  void run_everyMethod_boundIsNotBelowTheMeasuredResidual(String method, int code, String rule) {
    JsonNode evidence = unlearn(method, code).evidence();
    JsonNode apriori = evidence.get("aprioriBounds");
    double measured = evidence.get("steps").get(1).get("residualNorm").doubleValue();
    double rounding = evidence.get("measurement").get("roundingBound").doubleValue();

    assertThat(apriori.get("rule").textValue()).startsWith(rule);
    assertThat(apriori.get("residualNorm").doubleValue()).isGreaterThan(measured - 2 * rounding);
    assertThat(apriori.get("dataNorm").doubleValue()).isPositive();
  }

  /** A model that is within rho already takes no step. */
  @Test
  void run_noStepNeeded_saysWhyThereIsNoBound() {
    Release first = unlearn("refined", 0);
    Release second =
        Releases.unlearn(
            first.out().resolve("model"),
            People.table(),
            Releases.REQUEST.replace("rho: 1e-7", "rho: 1e-2"),
            0);
    JsonNode evidence = second.evidence();
    assertThat(evidence.get("steps")).hasSize(1);
    assertThat(evidence.get("aprioriBounds").get("residualNorm").isNull()).isTrue();
    assertThat(evidence.get("aprioriBounds").get("rule").textValue()).contains("no step");
  }
}

package dev.lethe.spark.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import com.codahale.metrics.MetricRegistry;
import dev.lethe.spark.certificate.Verdict;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class LethePluginTest {
  private final LetheMetrics metrics = new LetheMetrics();

  private double value(String name) {
    return value(name, true);
  }

  private double value(String name, boolean figures) {
    MetricRegistry registry = new MetricRegistry();
    LethePlugin.register(metrics, registry, figures);
    return ((Number) registry.getGauges().get(name).getValue()).doubleValue();
  }

  @Test
  void register_noFigures_leavesOutWhatDependsOnTheData() {
    MetricRegistry registry = new MetricRegistry();
    LethePlugin.register(metrics, registry, false);

    assertThat(registry.getNames())
        .containsExactlyInAnyOrder(
            "passes",
            "products",
            "lastPassSeconds",
            "step",
            "releases.certified",
            "releases.conditional",
            "releases.not-certified",
            "pendingRequests",
            "oldestPendingSeconds",
            "epsilonLeft");
    LethePlugin.register(metrics, registry = new MetricRegistry(), true);
    assertThat(registry.getNames()).contains("gradientNorm", "distance", "target").hasSize(13);
  }

  @Test
  void passed_twoPasses_addsThem() {
    metrics.passed(0, 0.5);
    metrics.passed(3, 0.25);

    assertThat(value("passes")).isEqualTo(2);
    assertThat(value("products")).isEqualTo(3);
    assertThat(value("lastPassSeconds")).isEqualTo(0.25);
  }

  @Test
  void begun_afterASteps_forgetsIt() {
    metrics.stepped(4, 1e-3, 1e-9, 1e-8);
    assertThat(value("step")).isEqualTo(4);
    assertThat(value("gradientNorm")).isEqualTo(1e-3);
    assertThat(value("distance")).isEqualTo(1e-9);
    assertThat(value("target")).isEqualTo(1e-8);

    metrics.begun();

    assertThat(value("step")).isNaN();
    assertThat(value("gradientNorm")).isNaN();
  }

  @Test
  void released_verdicts_areCountedApart() {
    metrics.released(Verdict.CERTIFIED);
    metrics.released(Verdict.CERTIFIED);
    metrics.released(Verdict.NOT_CERTIFIED);

    assertThat(value("releases.certified")).isEqualTo(2);
    assertThat(value("releases.conditional")).isZero();
    assertThat(value("releases.not-certified")).isEqualTo(1);
  }

  @Test
  void queue_requestThatWaits_growsOlder() {
    assertThat(value("pendingRequests")).isNaN();
    assertThat(value("oldestPendingSeconds")).isNaN();

    metrics.queue(2, Instant.now().minusSeconds(3600));
    assertThat(value("pendingRequests")).isEqualTo(2);
    assertThat(value("oldestPendingSeconds")).isBetween(3600.0, 3700.0);

    metrics.queue(0, null);
    assertThat(value("pendingRequests")).isZero();
    assertThat(value("oldestPendingSeconds")).isZero();
  }

  @Test
  void budgetLeft_notSet_isUnknown() {
    assertThat(value("epsilonLeft", false)).isNaN();
    metrics.budgetLeft(0.75);
    assertThat(value("epsilonLeft", false)).isEqualTo(0.75);
  }
}

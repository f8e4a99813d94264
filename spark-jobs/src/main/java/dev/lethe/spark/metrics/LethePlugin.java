package dev.lethe.spark.metrics;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.MetricRegistry;
import dev.lethe.spark.certificate.Verdict;
import java.util.function.Supplier;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;
import org.jspecify.annotations.Nullable;

/**
 * Shows {@link LetheMetrics} to Spark's metrics system, and so to its sinks: {@code
 * spark.plugins=dev.lethe.spark.metrics.LethePlugin}. What the deleted data shows in (gradient
 * norm, distance and its target) only where {@value LetheMetrics#FIGURES} is true.
 */
public final class LethePlugin implements SparkPlugin {
  @Override
  public DriverPlugin driverPlugin() {
    return new Driver();
  }

  @Override
  public @Nullable ExecutorPlugin executorPlugin() {
    return null; // a pass's sums, and its time, are known on the driver
  }

  private static final class Driver implements DriverPlugin {
    @Override
    public void registerMetrics(String appId, PluginContext context) {
      register(
          LetheMetrics.get(),
          context.metricRegistry(),
          context.conf().getBoolean(LetheMetrics.FIGURES, false));
    }
  }

  /** Registers the gauges; those that depend on the data if {@code figures}. */
  public static void register(LetheMetrics metrics, MetricRegistry registry, boolean figures) {
    gauge(registry, "passes", metrics::passes);
    gauge(registry, "products", metrics::products);
    gauge(registry, "lastPassSeconds", metrics::lastPassSeconds);
    gauge(registry, "step", metrics::step);
    if (figures) {
      gauge(registry, "gradientNorm", metrics::gradientNorm);
      gauge(registry, "distance", metrics::distance);
      gauge(registry, "target", metrics::target);
    }
    for (Verdict verdict : Verdict.values()) {
      gauge(registry, "releases." + verdict.word(), () -> metrics.releases(verdict));
    }
    gauge(registry, "pendingRequests", metrics::pendingRequests);
    gauge(registry, "oldestPendingSeconds", metrics::oldestPendingSeconds);
    gauge(registry, "epsilonLeft", metrics::epsilonLeft);
  }

  private static void gauge(MetricRegistry registry, String name, Supplier<Number> value) {
    registry.register(name, (Gauge<Number>) value::get);
  }
}

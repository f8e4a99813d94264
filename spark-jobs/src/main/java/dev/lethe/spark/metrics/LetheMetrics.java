package dev.lethe.spark.metrics;

import dev.lethe.spark.certificate.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * What this driver has done and is doing, in numbers. They are there whether or not {@link
 * LethePlugin} shows them to Spark's metrics system; setting one costs a write.
 *
 * <p>Sums count from the start of the driver's JVM. What nobody has set is NaN.
 */
public final class LetheMetrics {
  /**
   * Whether figures that depend on the data may be shown on Spark's web pages, in its event log and
   * in its metrics: true or false, the default.
   */
  public static final String FIGURES = "spark.lethe.ui.figures";

  private static final LetheMetrics DRIVER = new LetheMetrics();

  private final LongAdder passes = new LongAdder();
  private final LongAdder products = new LongAdder();
  private final Map<Verdict, LongAdder> releases = new ConcurrentHashMap<>();
  private volatile double lastPassSeconds = Double.NaN;
  private volatile Refinement refinement = Refinement.NONE;
  private volatile double pendingRequests = Double.NaN;
  private volatile double epsilonLeft = Double.NaN;
  private volatile @Nullable Instant oldestPending;

  /** Where the update of the parameters is. */
  private record Refinement(double step, double gradientNorm, double distance, double target) {
    static final Refinement NONE = new Refinement(Double.NaN, Double.NaN, Double.NaN, Double.NaN);
  }

  LetheMetrics() {}

  /** Those of this JVM. */
  public static LetheMetrics get() {
    return DRIVER;
  }

  /** A pass over the data has ended. */
  public void passed(int products, double seconds) {
    passes.increment();
    this.products.add(products);
    lastPassSeconds = seconds;
  }

  /** A job begins: what the last one reached is over. */
  public void begun() {
    refinement = Refinement.NONE;
  }

  /**
   * A step of an update or of training was measured.
   *
   * @param distance proven; NaN where none is
   * @param target of the distance, or of the gradient norm where no distance is asked for
   */
  public void stepped(int step, double gradientNorm, double distance, double target) {
    refinement = new Refinement(step, gradientNorm, distance, target);
  }

  /** A release was published. */
  public void released(Verdict verdict) {
    releases.computeIfAbsent(verdict, any -> new LongAdder()).increment();
  }

  /**
   * The requests that wait.
   *
   * @param oldest when the first of them was received; null if none waits
   */
  public void queue(int pending, @Nullable Instant oldest) {
    pendingRequests = pending;
    oldestPending = oldest;
  }

  /** The epsilon that later releases may still spend. */
  public void budgetLeft(double epsilon) {
    epsilonLeft = epsilon;
  }

  long passes() {
    return passes.sum();
  }

  long products() {
    return products.sum();
  }

  double lastPassSeconds() {
    return lastPassSeconds;
  }

  double step() {
    return refinement.step();
  }

  double gradientNorm() {
    return refinement.gradientNorm();
  }

  double distance() {
    return refinement.distance();
  }

  double target() {
    return refinement.target();
  }

  long releases(Verdict verdict) {
    LongAdder count = releases.get(verdict);
    return count == null ? 0 : count.sum();
  }

  double pendingRequests() {
    return pendingRequests;
  }

  double epsilonLeft() {
    return epsilonLeft;
  }

  /** 0 where no request waits. */
  double oldestPendingSeconds() {
    Instant oldest = oldestPending;
    if (oldest != null) {
      return Duration.between(oldest, Instant.now()).toMillis() / 1e3;
    }
    return Double.isNaN(pendingRequests) ? Double.NaN : 0;
  }
}

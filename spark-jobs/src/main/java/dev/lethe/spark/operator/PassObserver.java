package dev.lethe.spark.operator;

/** Words the descriptions of passes over the data, and is told when one has ended. */
@FunctionalInterface
public interface PassObserver {
  /** Begins the job description of a pass; no personal data. */
  String description();

  /**
   * A pass has ended.
   *
   * @param products Hessian-vector products that it computed
   */
  default void passed(int products, double seconds) {}
}

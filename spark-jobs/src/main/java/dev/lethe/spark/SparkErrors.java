package dev.lethe.spark;

import org.apache.spark.SparkThrowable;
import org.jspecify.annotations.Nullable;

/** What may be said of a failure of Spark: its messages may quote rows, their classes do not. */
public final class SparkErrors {
  private SparkErrors() {}

  /**
   * The innermost error class of Spark's, such as {@code FAILED_READ_FILE.NO_HINT}, or the class of
   * the innermost exception where Spark gives none.
   */
  public static String kind(Throwable failure) {
    String kind = "";
    String innermost = "";
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      String condition = condition(cause);
      kind = condition.isEmpty() ? kind : condition;
      innermost = cause.getClass().getSimpleName();
    }
    return kind.isEmpty() ? innermost : kind;
  }

  private static String condition(Throwable failure) {
    if (failure instanceof SparkThrowable known) {
      // Deprecated since 4.0 in favour of getCondition, which 3.5 does not have.
      @SuppressWarnings("deprecation")
      @Nullable String condition = known.getErrorClass();
      return condition == null ? "" : condition;
    }
    return "";
  }
}

package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import java.util.function.Supplier;
import org.apache.spark.SparkException;

/**
 * Failures of Spark while it reads rows. Their messages may quote cells of the table (an unseen
 * category, a value that cannot be cast), so they are never shown: only the kinds of the exceptions
 * are.
 */
final class SparkFailures {
  private SparkFailures() {}

  /**
   * Runs a pass over the data.
   *
   * @throws InvalidInputException if a row cannot be read or featurised
   */
  static <T> T sanitized(String place, Supplier<T> pass) {
    try {
      return pass.get();
    } catch (InvalidInputException e) {
      throw e;
    } catch (RuntimeException e) {
      throw isSparks(e) ? translated(place, e) : e;
    } catch (Exception e) { // Scala throws checked exceptions undeclared
      throw translated(place, e);
    }
  }

  private static boolean isSparks(Throwable e) {
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause.getClass().getName().startsWith("org.apache.spark.")) {
        return true;
      }
    }
    return false;
  }

  private static RuntimeException translated(String place, Exception e) {
    StringBuilder kinds = new StringBuilder(e.getClass().getSimpleName());
    for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause()) {
      kinds.append(" < ").append(cause.getClass().getSimpleName());
    }
    boolean lostCluster =
        e instanceof SparkException
            && e.getMessage() != null
            && (e.getMessage().contains("ExecutorLostFailure")
                || e.getMessage().contains("SparkContext was shut down"));
    return lostCluster
        ? new IllegalStateException(place + ": Spark lost its executors (" + kinds + ")", e)
        : new InvalidInputException(
            place
                + ": a row could not be read or featurised ("
                + kinds
                + "). The message is withheld because it may quote the row. Usual causes: a category"
                + " that the model's StringIndexer has not seen, a NULL or NaN in a VectorAssembler,"
                + " a value of the wrong type. The executors' logs have the details");
  }
}

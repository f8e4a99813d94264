package dev.lethe.spark.job;

import dev.lethe.core.objective.DataChangedException;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.SparkFailedException;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Failures of Spark while it reads rows. Their messages may quote cells of the table (an unseen
 * category, a value that cannot be cast), so they are never shown: only the kinds of the exceptions
 * are.
 */
public final class SparkFailures {
  private SparkFailures() {}

  /**
   * Runs a pass over the data.
   *
   * @throws InvalidInputException if a row cannot be read or featurised
   * @throws SparkFailedException if Spark fails for another reason
   */
  public static <T> T sanitized(String place, Supplier<T> pass) {
    try {
      return pass.get();
    } catch (InvalidInputException | SparkFailedException e) {
      throw e;
    } catch (DataChangedException e) {
      throw new InvalidInputException(
          place + ": " + e.getMessage() + "; give a table that nobody writes to, or a snapshot", e);
    } catch (RuntimeException e) {
      throw SparkErrors.isOfData(e) || isSparks(e) ? translated(place, e) : e;
    } catch (Exception e) { // Scala throws checked exceptions undeclared
      throw translated(place, e);
    }
  }

  private static boolean isSparks(Throwable e) {
    return SparkErrors.causes(e)
        .anyMatch(cause -> cause.getClass().getName().startsWith("org.apache.spark."));
  }

  private static RuntimeException translated(String place, Exception e) {
    Optional<Throwable> named =
        SparkErrors.causes(e).filter(InvalidInputException.class::isInstance).findFirst();
    if (named.isPresent()) {
      return new InvalidInputException(place + ": " + named.get().getMessage(), e);
    }
    return SparkErrors.isOfData(e)
        ? new InvalidInputException(
            place
                + ": a row could not be read or featurised ("
                + SparkErrors.kinds(e)
                + "). The message is withheld because it may quote the row. Usual causes: a category"
                + " that the model's StringIndexer has not seen, a NULL or NaN in a VectorAssembler,"
                + " a value of the wrong type, a row of a CSV with more or fewer cells than its header,"
                + " a damaged file. The executors' logs have the details",
            e)
        : new SparkFailedException(place, e);
  }
}

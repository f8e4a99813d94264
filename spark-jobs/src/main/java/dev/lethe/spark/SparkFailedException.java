package dev.lethe.spark;

/**
 * Spark did not finish, and nothing that was given is known to be the reason.
 *
 * <p>The message names the place and the kind of failure, no row. The command line prints it alone
 * and exits with status 5.
 */
public final class SparkFailedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * @param place what was being read, for the message
   */
  public SparkFailedException(String place, Throwable cause) {
    super(place + ": " + SparkErrors.unfinished(cause), cause);
  }

  /**
   * Passes over failures that may be of what was given. A class that is missing may be that of a
   * format or of a model's stage.
   *
   * @throws SparkFailedException if the failure stems from an outage other than a missing class
   */
  public static void throwIfOutage(String place, Throwable failure) {
    if (Outage.of(failure).filter(outage -> outage != Outage.CLASSES).isPresent()) {
      throw new SparkFailedException(place, failure);
    }
  }
}

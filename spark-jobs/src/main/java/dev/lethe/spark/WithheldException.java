package dev.lethe.spark;

import java.util.Optional;
import org.apache.spark.SparkThrowable;
import org.apache.spark.TaskKilledException;
import org.jspecify.annotations.Nullable;

/**
 * In a task, what failed on a row, without the words of the failure, which may quote the row: a
 * task's exception goes into the executor's log, the driver's log, Spark's pages and the event log.
 * Kept are the classes of the failure and its causes, Spark's error class, and where it was thrown.
 */
public final class WithheldException extends RuntimeException implements SparkThrowable {
  private static final long serialVersionUID = 1L;

  private final String kinds;
  private final String condition;
  private final String arithmetic;
  private final boolean ofData;
  private final boolean ofFiles;

  private WithheldException(Throwable failure) {
    super(
        SparkErrors.kind(failure)
            + " ("
            + SparkErrors.kinds(failure)
            + "); the message is withheld, it may quote a row",
        null,
        false,
        true);
    this.kinds = SparkErrors.kinds(failure);
    this.condition =
        SparkErrors.causes(failure)
            .map(SparkErrors::condition)
            .filter(known -> !known.isEmpty())
            .reduce("", (outer, inner) -> inner);
    this.arithmetic =
        SparkErrors.causes(failure)
            .map(SparkErrors::arithmetic)
            .flatMap(Optional::stream)
            .reduce("", (outer, inner) -> inner);
    this.ofData = SparkErrors.isOfData(failure);
    this.ofFiles = SparkErrors.isOfFiles(failure);
    setStackTrace(failure.getStackTrace());
  }

  /**
   * What to throw in a failure's place: itself, where it says nothing of a row (an outage, a task
   * that is killed, or what Lethe found itself), and else its kind alone.
   */
  public static RuntimeException of(Exception failure) {
    Optional<InvalidInputException> ours =
        SparkErrors.causes(failure)
            .filter(InvalidInputException.class::isInstance)
            .map(InvalidInputException.class::cast)
            .findFirst();
    if (ours.isPresent()) {
      return new InvalidInputException(String.valueOf(ours.get().getMessage()));
    }
    boolean silent =
        SparkErrors.causes(failure)
                .anyMatch(
                    cause ->
                        cause instanceof WithheldException
                            || cause instanceof TaskKilledException
                            || cause instanceof InterruptedException)
            || Outage.of(failure).isPresent();
    return silent
        ? WithheldException.<RuntimeException>same(failure)
        : new WithheldException(failure);
  }

  /** Spark's checked exceptions are thrown undeclared. */
  @SuppressWarnings("unchecked")
  private static <E extends Exception> RuntimeException same(Exception failure) throws E {
    throw (E) failure;
  }

  /** The classes of the failure and its causes. */
  String kinds() {
    return kinds;
  }

  /** The class of a cause that is about numbers or times, if there is one. */
  Optional<String> arithmetic() {
    return Optional.of(arithmetic).filter(name -> !name.isEmpty());
  }

  boolean isOfData() {
    return ofData;
  }

  boolean isOfFiles() {
    return ofFiles;
  }

  // Spark 3.5 has no getCondition, and gives getErrorClass no body.
  @Override
  @SuppressWarnings("deprecation")
  public @Nullable String getErrorClass() {
    return condition.isEmpty() ? null : condition;
  }

  @Override
  public @Nullable String getCondition() {
    return condition.isEmpty() ? null : condition;
  }

  @Override
  public @Nullable String getSqlState() {
    return condition.isEmpty() ? null : SparkThrowable.super.getSqlState();
  }
}

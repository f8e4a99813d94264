package dev.lethe.spark;

import java.io.IOException;
import java.io.InvalidClassException;
import java.io.NotSerializableException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.apache.hadoop.ipc.RemoteException;
import org.apache.spark.SparkException;
import org.apache.spark.shuffle.FetchFailedException;

/** What can keep Spark from finishing a job, whatever the data: the same job may succeed later. */
public enum Outage {
  MEMORY(
      "memory ran out on the driver or on an executor", cause -> cause instanceof OutOfMemoryError),
  CLASSES(
      "a class is missing, or of another version, on the driver or on an executor",
      cause ->
          cause instanceof ClassNotFoundException
              || cause instanceof LinkageError
              || cause instanceof InvalidClassException
              || cause instanceof NotSerializableException),
  SHUFFLE(
      "shuffled data was lost",
      cause -> cause instanceof FetchFailedException || says(cause, "FetchFailed")),
  EXECUTORS("executors were lost", cause -> says(cause, "ExecutorLostFailure")),
  STOPPED(
      "Spark was stopped or the job cancelled",
      cause ->
          says(cause, "SparkContext was shut down")
              || says(cause, "cancelled")
              || message(cause).startsWith("Cannot call methods on a stopped SparkContext")),
  RESULTS(
      "the results of the tasks are larger than spark.driver.maxResultSize",
      cause -> says(cause, "Total size of serialized results")),
  NETWORK(
      "a storage or network service could not be reached",
      cause ->
          cause instanceof SocketException
              || cause instanceof SocketTimeoutException
              || cause instanceof UnknownHostException
              || isUnanswered(cause)),
  DISK(
      "a disk is full, or Spark's own files on it are gone",
      cause ->
          cause instanceof IOException
              && (message(cause).contains("No space left on device")
                  || message(cause).contains("/blockmgr-")));

  /** Storage services' own, by name: not every cluster has the classes. */
  private static final Set<String> UNANSWERED =
      Set.of(
          "org.apache.hadoop.ipc.StandbyException",
          "org.apache.hadoop.ipc.RetriableException",
          "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
          "org.apache.hadoop.hdfs.BlockMissingException",
          "org.apache.hadoop.fs.s3a.AWSServiceThrottledException",
          "org.apache.hadoop.fs.s3a.AWSStatus500Exception");

  private final String words;
  private final Predicate<Throwable> shows;

  Outage(String words, Predicate<Throwable> shows) {
    this.words = words;
    this.shows = shows;
  }

  /** What happened, for a message. */
  public String words() {
    return words;
  }

  /** The outage that a failure, or one of its causes, stems from. */
  public static Optional<Outage> of(Throwable failure) {
    return Arrays.stream(values())
        .filter(outage -> SparkErrors.causes(failure).anyMatch(outage.shows))
        .findFirst();
  }

  /** The same, if it is one of the storage and the network: no matter what was given. */
  public static Optional<Outage> ofStorage(Throwable failure) {
    return of(failure).filter(outage -> outage == NETWORK || outage == DISK);
  }

  private static boolean isUnanswered(Throwable cause) {
    return UNANSWERED.contains(
        cause instanceof RemoteException remote
            ? remote.getClassName()
            : cause.getClass().getName());
  }

  /** Only the scheduler's own messages: others may quote a row. */
  private static boolean says(Throwable cause, String words) {
    return cause instanceof SparkException
        && cause.getCause() == null
        && message(cause).matches("(?s)(\\[\\w+] )?Job (aborted|\\d+ cancelled).*")
        && message(cause).contains(words);
  }

  private static String message(Throwable cause) {
    return String.valueOf(cause.getMessage());
  }
}

package dev.lethe.benchmarks.endtoend;

import java.util.function.Supplier;
import org.apache.spark.sql.SparkSession;

/** The one Spark of this JVM. Another number of threads is another session. */
final class Sessions implements AutoCloseable {
  private final Supplier<SparkSession.Builder> builder;
  private SparkSession session;

  /**
   * @param builder of a session on as many threads as are usual
   */
  Sessions(Supplier<SparkSession.Builder> builder) {
    this.builder = builder;
    session = builder.get().getOrCreate();
  }

  SparkSession session() {
    return session;
  }

  /** Threads of the session. */
  int threads() {
    return session.sparkContext().defaultParallelism();
  }

  /** Stops the session and starts one on this many threads, unless it has as many. */
  SparkSession on(int threads) {
    if (threads != threads()) {
      session.stop();
      session = builder.get().master("local[" + threads + "]").getOrCreate();
    }
    return session;
  }

  @Override
  public void close() {
    session.stop();
  }
}

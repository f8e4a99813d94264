package dev.lethe.spark;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * One Spark on two threads for all tests of a JVM: {@code @ExtendWith(LocalSpark.class)}, then
 * {@code LocalSpark.session()}. It is stopped after the last test. A test that changes the
 * configuration does so in {@code session().newSession()}.
 */
public final class LocalSpark implements BeforeAllCallback {
  private static SparkSession session;

  /** The shared session, started by the first call. */
  public static synchronized SparkSession session() {
    if (session == null) {
      try {
        session =
            SparkSession.builder()
                .master("local[2]")
                .appName("lethe-test")
                .config("spark.ui.enabled", "false")
                .config("spark.sql.shuffle.partitions", "2")
                .config("spark.driver.host", "127.0.0.1")
                .config("spark.driver.bindAddress", "127.0.0.1")
                .config(
                    "spark.sql.warehouse.dir",
                    Files.createTempDirectory("lethe-warehouse").toUri().toString())
                .getOrCreate();
        session.sparkContext().setLogLevel("ERROR");
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return session;
  }

  @Override
  public void beforeAll(ExtensionContext context) {
    session();
    context
        .getStore(
            ExtensionContext.StoreScope.LAUNCHER_SESSION,
            ExtensionContext.Namespace.create(LocalSpark.class))
        .getOrComputeIfAbsent("stop", key -> (AutoCloseable) LocalSpark::stop);
  }

  private static synchronized void stop() {
    if (session != null) {
      session.stop();
      session = null;
    }
  }
}

package dev.lethe.spark.it;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A master and two workers of {@code scripts/cluster}, on free ports. */
final class LoopbackCluster {
  private final SparkUnderTest spark;
  private final Path folder;
  private final String url;

  private LoopbackCluster(SparkUnderTest spark, Path folder, String url) {
    this.spark = spark;
    this.folder = folder;
    this.url = url;
  }

  static LoopbackCluster start(SparkUnderTest spark) throws IOException, InterruptedException {
    Path folder = spark.workplace().resolve("cluster");
    int workerUi = freePair();
    Submission.Result started =
        spark.cluster(
            Map.of(
                "LETHE_CLUSTER_DIR", folder.toString(),
                "LETHE_MASTER_PORT", String.valueOf(freePort()),
                "LETHE_MASTER_UI_PORT", String.valueOf(freePort()),
                "LETHE_WORKER_UI_PORT", String.valueOf(workerUi),
                "LETHE_WORKER_HOSTS", hosts()),
            "start");
    if (started.exitCode() != 0) {
      throw new AssertionError(started.described());
    }
    return new LoopbackCluster(spark, folder, started.output().strip());
  }

  /** Two machines for Spark, where loopback has two addresses without being set up. */
  private static String hosts() {
    return "127.0.0.1 "
        + (System.getProperty("os.name").equals("Linux") ? "127.0.0.2" : "127.0.0.1");
  }

  /** {@code spark://127.0.0.1:PORT}. */
  String url() {
    return url;
  }

  /** The JVMs of executors that this cluster's workers run now. */
  List<ProcessHandle> executors() throws IOException {
    List<ProcessHandle> executors = new ArrayList<>();
    for (String worker : List.of("worker-1", "worker-2")) {
      long pid = Long.parseLong(Files.readString(folder.resolve(worker + ".pid")).strip());
      ProcessHandle.of(pid).stream()
          .flatMap(ProcessHandle::descendants)
          .filter(
              process ->
                  process
                      .info()
                      .commandLine()
                      .orElse("")
                      .contains("org.apache.spark.executor.CoarseGrainedExecutorBackend"))
          .forEach(executors::add);
    }
    return executors;
  }

  void stop() {
    Submission.Result stopped;
    try {
      stopped = spark.cluster(Map.of("LETHE_CLUSTER_DIR", folder.toString()), "stop");
    } catch (IOException | InterruptedException e) {
      throw new AssertionError("the cluster in " + folder + " may be running still", e);
    }
    if (stopped.exitCode() != 0) {
      throw new AssertionError(stopped.described());
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  /** A free port whose successor is free, too. */
  private static int freePair() throws IOException {
    while (true) {
      int port = freePort();
      try (ServerSocket next = new ServerSocket(port + 1, 1, InetAddress.getLoopbackAddress())) {
        return next.getLocalPort() - 1;
      } catch (IOException | IllegalArgumentException e) {
        continue; // the successor is taken, or there is none
      }
    }
  }
}

package dev.lethe.spark.it;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;

/**
 * HDFS, and YARN where it is asked for, in a JVM of its own, of the Hadoop that the Spark under
 * test brings. It ends when this JVM does.
 */
final class LoopbackHadoop implements AutoCloseable {
  private static final Duration LIMIT = Duration.ofMinutes(3);

  private final Process process;
  private final Path folder;
  private final Configuration conf;

  private LoopbackHadoop(Process process, Path folder, Configuration conf) {
    this.process = process;
    this.folder = folder;
    this.conf = conf;
  }

  /**
   * @param folder where it keeps everything; does not exist
   */
  static LoopbackHadoop start(SparkUnderTest spark, Path folder, boolean yarn)
      throws IOException, InterruptedException {
    Files.createDirectories(folder);
    ProcessBuilder builder = spark.loopbackHadoop(folder, yarn);
    builder.redirectOutput(folder.resolve("servers.out").toFile());
    builder.redirectError(folder.resolve("servers.err").toFile());
    Process process = builder.start();
    long deadline = System.nanoTime() + LIMIT.toNanos();
    while (!Files.exists(folder.resolve("conf"))) {
      if (!process.isAlive() || System.nanoTime() > deadline) {
        process.destroyForcibly();
        throw new AssertionError(
            "Hadoop did not start:\n" + Files.readString(folder.resolve("servers.err")));
      }
      Thread.sleep(100);
    }
    Configuration conf = new Configuration();
    for (String site : List.of("core-site.xml", "hdfs-site.xml", "yarn-site.xml")) {
      Path file = folder.resolve("conf").resolve(site);
      if (Files.exists(file)) {
        conf.addResource(new org.apache.hadoop.fs.Path(file.toUri()));
      }
    }
    return new LoopbackHadoop(process, folder, conf);
  }

  /** What {@code HADOOP_CONF_DIR} is to name. */
  Path configurationFolder() {
    return folder.resolve("conf");
  }

  Configuration configuration() {
    return conf;
  }

  FileSystem hdfs() throws IOException {
    return FileSystem.get(conf);
  }

  /** {@code hdfs://...} of an absolute path. */
  String url(String path) {
    return conf.get("fs.defaultFS") + path;
  }

  /** Copies a local file or folder. */
  String put(Path local, String path) throws IOException {
    hdfs()
        .copyFromLocalFile(
            new org.apache.hadoop.fs.Path(local.toUri()), new org.apache.hadoop.fs.Path(path));
    return url(path);
  }

  /** A local copy of a folder. */
  Path get(String url, Path local) throws IOException {
    Files.createDirectories(local.getParent());
    hdfs()
        .copyToLocalFile(
            false,
            new org.apache.hadoop.fs.Path(url),
            new org.apache.hadoop.fs.Path(local.toUri()),
            true);
    return local;
  }

  /** Where the containers of YARN wrote to. */
  Path containers() {
    return folder.resolve("yarn");
  }

  /** The JVMs of executors that run now. */
  List<ProcessHandle> executors() {
    return containers("YarnCoarseGrainedExecutorBackend");
  }

  /** The JVMs of drivers in cluster mode that run now. */
  List<ProcessHandle> drivers() {
    return containers("org.apache.spark.deploy.yarn.ApplicationMaster");
  }

  private List<ProcessHandle> containers(String mainClass) {
    return process
        .descendants()
        .filter(
            child -> {
              String command = child.info().commandLine().orElse("");
              // The shells that start it quote it.
              return command.contains(mainClass)
                  && child.info().command().orElse("").endsWith("java");
            })
        .toList();
  }

  @Override
  public void close() throws IOException, InterruptedException {
    process.getOutputStream().close();
    if (!process.waitFor(30, TimeUnit.SECONDS)) {
      process.descendants().forEach(ProcessHandle::destroyForcibly);
      process.destroyForcibly().waitFor();
    }
  }
}

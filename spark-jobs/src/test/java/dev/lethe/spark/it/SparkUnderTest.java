package dev.lethe.spark.it;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The Spark version of the build's profile, the application jar and the scripts, as a user has
 * them. Each process gets a clean environment: no setting of the shell that runs the build counts.
 */
final class SparkUnderTest {
  static final String VERSION = property("lethe.it.sparkVersion");
  static final Path JAR = Path.of(property("lethe.jar"));
  static final Path TEST_JAR = Path.of(property("lethe.testJar"));

  /** For JVMs that live for seconds: what the second compiler makes comes too late. */
  static final String SHORT_LIVED = "-XX:TieredStopAtLevel=1";

  static final Path ROOT = Path.of(property("lethe.root"));

  private final Path workplace;
  private final Path home;

  private SparkUnderTest(Path workplace, Path home) {
    this.workplace = workplace;
    this.home = home;
  }

  /** Assembles the Spark if this machine does not have it yet, and empties the workplace. */
  static SparkUnderTest open() throws IOException, InterruptedException {
    // Two JVMs share the tests.
    Path workplace = JAR.resolveSibling("it").resolve(VERSION).resolve(property("lethe.it.fork"));
    if (Files.exists(workplace)) {
      try (Stream<Path> old = Files.walk(workplace)) {
        for (Path path : old.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(path);
        }
      }
    }
    Files.createDirectories(workplace);
    ProcessBuilder builder = script(workplace, Map.of(), "spark-home", VERSION);
    Submission.Result assembled = Submission.start("spark-home", logs(workplace), builder).result();
    if (assembled.exitCode() != 0) {
      throw new AssertionError(assembled.described());
    }
    return new SparkUnderTest(workplace, Path.of(assembled.output().strip()));
  }

  /** Where the tests write; kept after the build. */
  Path workplace() {
    return workplace;
  }

  /** {@code scripts/cluster}. */
  Submission.Result cluster(Map<String, String> environment, String action)
      throws IOException, InterruptedException {
    ProcessBuilder builder = script(workplace, environment, "cluster", action);
    builder.environment().put("SPARK_HOME", home.toString());
    return Submission.start("cluster-" + action, logs(workplace), builder).result();
  }

  /** The folder of the assembled Spark. */
  Path home() {
    return home;
  }

  /** Assembles the jars of {@code scripts/hadoop-jars} if this machine does not have them yet. */
  Path hadoopJars() throws IOException, InterruptedException {
    ProcessBuilder builder = script(workplace, Map.of(), "hadoop-jars", VERSION);
    Submission.Result assembled =
        Submission.start("hadoop-jars", logs(workplace), builder).result();
    if (assembled.exitCode() != 0) {
      throw new AssertionError(assembled.described());
    }
    return Path.of(assembled.output().strip()).resolve("jars");
  }

  /** What starts the servers of {@code src/test/hadoop/LoopbackHadoop.java}. */
  ProcessBuilder loopbackHadoop(Path folder, boolean yarn)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx768m",
            SHORT_LIVED,
            // The application history of YARN is injected by Guice.
            "--add-opens=java.base/java.lang=ALL-UNNAMED",
            "-Dlog4j2.configurationFile=" + ROOT.resolve("conf/log4j2.properties"),
            "-cp",
            hadoopJars() + "/*" + File.pathSeparator + home.resolve("jars") + "/*",
            ROOT.resolve("spark-jobs/src/test/hadoop/LoopbackHadoop.java").toString(),
            folder.toString()));
    if (yarn) {
      command.add("yarn");
    }
    return clean(workplace, Map.of(), command);
  }

  /**
   * Starts {@code scripts/lethe}.
   *
   * @param name of this run, for its log files
   * @param options of spark-submit
   */
  Submission startLethe(String name, List<String> options, List<String> arguments)
      throws IOException {
    return startLethe(name, Map.of(), options, arguments);
  }

  /**
   * Starts {@code scripts/lethe}.
   *
   * @param name of this run, for its log files
   * @param added to its environment
   * @param options of spark-submit
   */
  Submission startLethe(
      String name, Map<String, String> added, List<String> options, List<String> arguments)
      throws IOException {
    List<String> all = new ArrayList<>();
    all.addAll(List.of("--conf", "spark.executor.extraJavaOptions=" + SHORT_LIVED));
    all.addAll(options);
    // No web UI: its port may be taken, and nobody looks.
    all.addAll(List.of("--conf", "spark.ui.enabled=false"));
    Map<String, String> environment = new HashMap<>(added);
    environment.put("SPARK_HOME", home.toString());
    environment.put("LETHE_JAR", JAR.toString());
    environment.put("LETHE_SPARK_OPTS", String.join(" ", all));
    ProcessBuilder builder =
        script(workplace, environment, "lethe", arguments.toArray(String[]::new));
    return Submission.start(name, logs(workplace), builder);
  }

  /** Runs {@code scripts/lethe}. */
  Submission.Result lethe(String name, List<String> options, List<String> arguments)
      throws IOException, InterruptedException {
    return startLethe(name, options, arguments).result();
  }

  /** A file in conf/. */
  static Path conf(String name) {
    return ROOT.resolve("conf").resolve(name);
  }

  /** Runs a class of the tests' jar by SparkSubmit, with nothing of Lethe on its class path. */
  Submission.Result submit(String name, Class<?> main, String... arguments)
      throws IOException, InterruptedException {
    return submit(
        name,
        Map.of(),
        List.of("--conf", "spark.ui.enabled=false"),
        main,
        Arrays.asList(arguments));
  }

  /**
   * Runs a class of the tests' jar by SparkSubmit, with the application jar beside it.
   *
   * @param options of spark-submit
   */
  Submission.Result submitBesideLethe(
      String name, List<String> options, Class<?> main, List<String> arguments)
      throws IOException, InterruptedException {
    return submitBesideLethe(name, Map.of(), options, main, arguments);
  }

  /**
   * The same with more in its environment.
   *
   * @param options of spark-submit
   */
  Submission.Result submitBesideLethe(
      String name,
      Map<String, String> added,
      List<String> options,
      Class<?> main,
      List<String> arguments)
      throws IOException, InterruptedException {
    List<String> all = new ArrayList<>(options);
    all.addAll(List.of("--jars", JAR.toString()));
    return submit(name, added, all, main, arguments);
  }

  private Submission.Result submit(
      String name,
      Map<String, String> added,
      List<String> options,
      Class<?> main,
      List<String> arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.addAll(
        List.of(
            "bash",
            "-c",
            ". '"
                + ROOT.resolve("scripts/common.sh")
                + "'; spark_command org.apache.spark.deploy.SparkSubmit \"$@\";"
                + " exec \"${command[@]}\"",
            "spark-submit",
            "--master",
            "local[2]",
            "--class",
            main.getName()));
    command.addAll(options);
    command.add(TEST_JAR.toString());
    command.addAll(arguments);
    ProcessBuilder builder =
        clean(
            workplace,
            Map.of(
                "SPARK_HOME",
                home.toString(),
                "SPARK_CONF_DIR",
                ROOT.resolve("conf").toString(),
                "SPARK_SCALA_VERSION",
                "2.13",
                "SPARK_LOCAL_IP",
                "127.0.0.1"),
            command);
    builder.environment().putAll(added);
    return Submission.start(name, logs(workplace), builder).result();
  }

  private static ProcessBuilder script(
      Path workplace, Map<String, String> environment, String script, String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(ROOT.resolve("scripts").resolve(script).toString());
    command.addAll(List.of(arguments));
    return clean(workplace, environment, command);
  }

  private static ProcessBuilder clean(
      Path workplace, Map<String, String> environment, List<String> command) {
    ProcessBuilder builder = new ProcessBuilder(command).directory(workplace.toFile());
    Map<String, String> inherited = builder.environment();
    inherited
        .keySet()
        .removeIf(
            name ->
                name.startsWith("SPARK_")
                    || name.startsWith("HADOOP_")
                    || name.startsWith("YARN_")
                    || name.equals("MASTER")
                    || (name.startsWith("LETHE_") && !name.equals("LETHE_CACHE")));
    inherited.put("JAVA_HOME", System.getProperty("java.home"));
    inherited.put("SPARK_SUBMIT_OPTS", SHORT_LIVED);
    inherited.putAll(environment);
    return builder;
  }

  private static Path logs(Path workplace) {
    return workplace.resolve("logs");
  }

  private static String property(String name) {
    String value = System.getProperty(name);
    if (value == null) {
      throw new IllegalStateException(
          name + " is not set: run the integration tests by mvn verify");
    }
    return value;
  }
}

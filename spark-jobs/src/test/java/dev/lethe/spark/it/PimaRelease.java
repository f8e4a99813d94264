package dev.lethe.spark.it;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.jar.JarFile;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * What all tests of a JVM share: a cluster, and on it, in client mode, a model trained on the jar's
 * own data and unlearned as its own request says. Made by the first test that asks:
 * {@code @ExtendWith(PimaRelease.class)}, then {@link #get}.
 */
final class PimaRelease implements BeforeAllCallback {
  /** Every run that must have the same bits has this many partitions. */
  static final int PARTITIONS = 4;

  /** Slots of Pregnancies, BMI and Age in the assembled vector of the 8 columns. */
  static final int[] REMOVED = {0, 5, 7};

  private static final long SEED = 20260521;
  private static final int LARGE = 100_000;

  private static Shared shared;

  /** Paths and runs. */
  record Shared(
      SparkUnderTest spark,
      LoopbackCluster cluster,
      Path table,
      Path request,
      Path model,
      Path out,
      Path vault,
      Submission.Result trained,
      Submission.Result unlearned) {

    List<String> onCluster() {
      return List.of("--master", cluster.url());
    }

    Path path(String name) {
      return spark.workplace().resolve(name);
    }

    /** Arguments of {@code lethe unlearn}: the trained model, conjugate gradient. */
    List<String> unlearn(Path table, int partitions, Path out, Path vault) {
      return List.of(
          "unlearn",
          "--model",
          model.toString(),
          "--data",
          table.toString(),
          "--format",
          "csv",
          "--request",
          request.toString(),
          "--solver",
          "cg",
          "--partitions",
          String.valueOf(partitions),
          "--out",
          out.toString(),
          "--vault",
          vault.toString());
    }

    /** Arguments of {@code lethe verify} that recompute everything. */
    List<String> verify(Path certificate) {
      return List.of(
          "verify",
          "--certificate",
          certificate.toString(),
          "--model",
          out.resolve("model").toString(),
          "--vault",
          vault.toString(),
          "--data",
          table.toString(),
          "--format",
          "csv",
          "--request",
          request.toString());
    }
  }

  static Shared get() {
    return shared;
  }

  @Override
  public void beforeAll(ExtensionContext context) throws Exception {
    if (shared == null) {
      SparkUnderTest spark = SparkUnderTest.open();
      LoopbackCluster cluster = LoopbackCluster.start(spark);
      context
          .getStore(
              ExtensionContext.StoreScope.LAUNCHER_SESSION,
              ExtensionContext.Namespace.create(PimaRelease.class))
          .put("cluster", (AutoCloseable) cluster::stop);
      shared = release(spark, cluster);
    }
  }

  private static Shared release(SparkUnderTest spark, LoopbackCluster cluster)
      throws IOException, InterruptedException {
    Path table = fromJar(spark, "pima-indians-diabetes.csv");
    Path request = fromJar(spark, "request.yaml");
    Path model = spark.workplace().resolve("model");
    Path out = spark.workplace().resolve("client/out");
    Path vault = spark.workplace().resolve("client/vault");
    List<String> onCluster = List.of("--master", cluster.url());
    Submission.Result trained =
        spark.lethe(
            "train-client",
            onCluster,
            List.of(
                "train",
                "--data",
                table.toString(),
                "--format",
                "csv",
                "--label",
                "Outcome",
                "--reg-param",
                "0.01",
                "--solver",
                "cg",
                "--out",
                model.toString()));
    Shared begun = new Shared(spark, cluster, table, request, model, out, vault, trained, trained);
    Submission.Result unlearned =
        spark.lethe("unlearn-client", onCluster, begun.unlearn(table, PARTITIONS, out, vault));
    return new Shared(spark, cluster, table, request, model, out, vault, trained, unlearned);
  }

  static Path fromJar(SparkUnderTest spark, String name) throws IOException {
    Path file = spark.workplace().resolve(name);
    try (JarFile jar = new JarFile(SparkUnderTest.JAR.toFile());
        InputStream in = jar.getInputStream(jar.getEntry("dev/lethe/demo/" + name))) {
      Files.copy(in, file);
    }
    return file;
  }

  /** The table as numbers, shape (n, columns); the last column is the label. */
  static List<double[]> rows(Path table) throws IOException {
    List<double[]> rows = new ArrayList<>();
    List<String> lines = Files.readAllLines(table);
    for (String line : lines.subList(1, lines.size())) {
      String[] cells = line.split(",", -1);
      double[] row = new double[cells.length];
      for (int j = 0; j < cells.length; j++) {
        row[j] = Double.parseDouble(cells[j]);
      }
      rows.add(row);
    }
    return rows;
  }

  /** 100 000 rows drawn from the table with replacement, every number scaled by 0.9 to 1.1. */
  static void writeLargeTable(Path table, Path file) throws IOException {
    List<double[]> rows = rows(table);
    String header = Files.readAllLines(table).get(0);
    Random random = new Random(SEED);
    try (BufferedWriter writer = Files.newBufferedWriter(file)) {
      writer.write(header + "\n");
      for (int i = 0; i < LARGE; i++) {
        double[] row = rows.get(random.nextInt(rows.size()));
        for (int j = 0; j < row.length - 1; j++) {
          double scaled = row[j] * (0.9 + 0.2 * random.nextDouble());
          writer.write(String.format(Locale.ROOT, "%.4f,", scaled));
        }
        writer.write((int) row[row.length - 1] + "\n");
      }
    }
  }
}

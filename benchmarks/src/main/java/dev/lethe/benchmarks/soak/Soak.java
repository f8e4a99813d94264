package dev.lethe.benchmarks.soak;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.commons.math3.special.Erf;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;

/**
 * A ledger on Adult over many nights. In every second night the driver of {@code lethe run} is
 * killed at random moments, put to sleep beyond its lease, or started twice; then the night is run
 * to its end. At the end everything must be there, once.
 */
public final class Soak {
  private static final double RHO = 1e-8;
  private static final double BUDGET = 1;
  private static final double BUDGET_DELTA = 1e-5;

  /** {@code lethe status} prints four digits: their rounding, and as much for its own upwards. */
  private static final double FOUR_DIGITS = 1e-3;

  /** The part of a run in which all but the last of a night are killed. */
  private static final double EARLY = 0.6;

  private final Path root;
  private final Path work;
  private final int nights;
  private final int requests;
  private final int kills;
  private final SplittableRandom random;
  private final Requests made;
  private final List<String> failures = new ArrayList<>();
  private final Map<Process, Path> logs = new HashMap<>();
  private double runSeconds = 20;
  private int started;
  private int killed;
  private int slept;
  private int twice;

  private Soak(Path root, Path work, int nights, int requests, int kills, long seed, int rows) {
    this.root = root;
    this.work = work;
    this.nights = nights;
    this.requests = requests;
    this.kills = kills;
    this.random = new SplittableRandom(seed);
    this.made = new Requests(rows, seed + 1);
  }

  /**
   * @param args root of the checkout, folder of Adult, folder to work in, nights, requests, kills,
   *     seed
   */
  public static void main(String[] args) throws Exception {
    Path work = Path.of(args[2]);
    try (SparkSession spark = SparkSession.builder().appName("Lethe soak").getOrCreate()) {
      Path table = work.resolve("adult");
      spark
          .read()
          .option("header", "true")
          .option("inferSchema", "true")
          .csv(Path.of(args[1], "adult-train.csv").toString())
          .coalesce(1)
          .withColumn("id", functions.monotonically_increasing_id())
          .write()
          .parquet(table.toString());
      Dataset<Row> adult = spark.read().parquet(table.toString());
      Soak soak =
          new Soak(
              Path.of(args[0]),
              work,
              Integer.parseInt(args[3]),
              Integer.parseInt(args[4]),
              Integer.parseInt(args[5]),
              Long.parseLong(args[6]),
              (int) adult.count());
      soak.run(adult, table);
      if (!soak.failures.isEmpty()) {
        soak.failures.forEach(failure -> System.out.println("FAILED: " + failure));
        throw new IllegalStateException(soak.failures.size() + " checks failed");
      }
    }
  }

  private void run(Dataset<Row> adult, Path table) throws Exception {
    long begin = System.nanoTime();
    // the id says which row it is; it is no feature
    require(
        lethe(
            "train",
            "--data",
            table.toString(),
            "--label",
            "income",
            "--features",
            String.join(
                ",",
                Arrays.stream(adult.columns())
                    .filter(column -> !List.of("id", "income").contains(column))
                    .toList()),
            "--out",
            work.resolve("model").toString()),
        0,
        "train");
    Files.writeString(
        config(),
        String.join(
            "\n",
            "ledger: " + work.resolve("ledger"),
            "vault: " + work.resolve("vault"),
            "model: " + work.resolve("model"),
            "data: {path: " + table + "}",
            "certificate: {epsilon: 0.1, delta: 1e-6, rho: 1e-8}",
            "budget: {epsilon: " + BUDGET + ", delta: " + BUDGET_DELTA + ", on-limit: raise-sigma}",
            "solver: {checkpoint: 0s}",
            "lease: {length: 3s, wait: 60s}",
            ""));
    int submitted = 0;
    for (int night = 1; night <= nights; night++) {
      List<String> files = new ArrayList<>();
      for (int due = requests * night / nights; submitted < due; submitted++) {
        Path file = work.resolve("requests/r-" + submitted + ".yaml");
        Files.createDirectories(file.getParent());
        Files.writeString(file, made.next(submitted == requests / 2));
        files.add(file.toString());
      }
      require(lethe("submit", files.toArray(String[]::new)), 0, "submit of night " + night);
      // submitted again, as by a scheduler that does not know
      require(lethe("submit", files.get(0)), 0, "second submit of night " + night);
      boolean faults = night % 2 == 0;
      if (faults) {
        disturb(night);
      }
      long start = System.nanoTime();
      require(lethe("run"), 0, "run of night " + night);
      if (!faults) {
        runSeconds = (System.nanoTime() - start) / 1e9;
      }
      System.out.printf(
          Locale.ROOT,
          "night %2d: %d requests, %s%n",
          night,
          files.size(),
          faults ? "disturbed" : String.format(Locale.ROOT, "%.1f s", runSeconds));
    }
    check(adult);
    System.out.printf(
        Locale.ROOT,
        "%d requests, %d nights, %d of %d drivers killed, %d put to sleep, %d started twice, %d runs"
            + " went on where one before had begun; %.0f s%n",
        requests,
        nights,
        killed,
        kills,
        slept,
        twice,
        resumed(),
        (System.nanoTime() - begin) / 1e9);
  }

  private long resumed() throws IOException {
    try (var logs = Files.list(work.resolve("log"))) {
      long resumed = 0;
      for (Path log : logs.toList()) {
        resumed += Files.readString(log).contains("was begun by a run before") ? 1 : 0;
      }
      return resumed;
    }
  }

  /** Starts runs that do not end by themselves, or not alone. */
  private void disturb(int night) throws Exception {
    // what a night could not kill, because a run had ended, is left to the next ones
    int owed = (kills * (night / 2) + nights / 2 - 1) / (nights / 2) - killed;
    for (int i = 1; i <= owed; i++) {
      // runs go on where others were killed: most are killed early, so that some are left to kill
      double latest = i < owed ? EARLY * runSeconds : runSeconds;
      Process run = start("run");
      if (run.waitFor((long) (1000 * latest * random.nextDouble()), TimeUnit.MILLISECONDS)) {
        require(new Ended(run.exitValue(), ""), 0, "run of night " + night);
        break;
      }
      run.destroyForcibly().waitFor();
      killed++;
    }
    if (night % 6 == 2) {
      twice++;
      Process one = start("run");
      Process other = start("run");
      for (Process process : List.of(one, other)) {
        int code = process.waitFor(); // one waits, or leaves with 6
        if (code != 6) {
          require(new Ended(code, ""), 0, "run that was started twice");
        }
      }
    } else if (night % 6 == 4) {
      slept++;
      Process sleeper = start("run");
      if (!sleeper.waitFor((long) (700 * runSeconds), TimeUnit.MILLISECONDS)) {
        signal(sleeper, "STOP");
        TimeUnit.SECONDS.sleep(5); // beyond its lease
        require(lethe("run"), 0, "run beside one that sleeps");
        signal(sleeper, "CONT");
      }
      int code = sleeper.waitFor(); // it was too late, or had just ended
      note(code == 0 || code == 2 || code == 6, "a run that slept ended with " + code);
    }
  }

  private static void signal(Process process, String signal) throws Exception {
    new ProcessBuilder("kill", "-" + signal, String.valueOf(process.pid())).start().waitFor();
  }

  private void check(Dataset<Row> adult) throws Exception {
    String ledger = work.resolve("ledger").toString();
    Ended verified = lethe("verify", "--ledger", ledger);
    System.out.println(verified.output().strip());
    require(verified, 0, "verify --ledger");
    Path entries = work.resolve("ledger/entries");
    int last = 0;
    int published = 0;
    int refused = 0;
    int admitted = 0;
    String certificateId = "";
    List<Integer> versions = new ArrayList<>();
    try (var files = Files.list(entries)) {
      for (Path file : files.sorted().toList()) {
        JsonNode event = new ObjectMapper().readTree(file.toFile()).get("event");
        switch (event.get("type").asText()) {
          case "decided" -> {
            refused += event.get("refused").size();
            admitted += event.get("admitted").size();
            if (!event.get("certificateId").isNull()) {
              certificateId = event.get("certificateId").asText();
              last = event.get("version").asInt();
            }
          }
          case "published" -> {
            published++;
            versions.add(event.get("version").asInt());
          }
          default -> {}
        }
      }
    }
    note(refused == made.invalid(), refused + " refused, " + made.invalid() + " are to be");
    note(
        admitted == requests - made.invalid(),
        admitted + " admitted, once each; valid are " + (requests - made.invalid()));
    note(published == nights, published + " versions published in " + nights + " nights");
    try (var vault = Files.list(work.resolve("vault"))) {
      long evidence =
          vault.filter(file -> file.getFileName().toString().matches("[0-9a-f-]{36}")).count();
      note(evidence == last, evidence + " folders of evidence for " + last + " versions");
    }
    Path corrected = work.resolve("corrected");
    made.corrected(adult).write().parquet(corrected.toString());
    Path version = work.resolve(String.format(Locale.ROOT, "ledger/versions/%06d", last));
    require(
        lethe(
            "train",
            "--like",
            version.resolve("model").toString(),
            "--data",
            corrected.toString(),
            "--gradient-norm",
            "1e-9",
            "--out",
            work.resolve("retrained").toString()),
        0,
        "retraining");
    double[] retrained = parameters(work.resolve("retrained"));
    double[] unlearned =
        numbers(
            work.resolve("vault").resolve(certificateId).resolve("evidence.json"),
            "unnoisedParameters");
    double distance = 0;
    for (int j = 0; j < retrained.length; j++) {
      distance += Math.pow(retrained[j] - unlearned[j], 2);
    }
    distance = Math.sqrt(distance);
    note(
        distance <= 2 * RHO,
        String.format(
            Locale.ROOT,
            "distance %.3e of the last version, before its noise, to a model retrained on the table"
                + " corrected by plain Spark SQL; allowed: 2 rho = %.0e",
            distance,
            2 * RHO));
    checkBudget(versions);
  }

  /** Every certificate by itself, and that they add up to what the ledger says is spent. */
  private void checkBudget(List<Integer> versions) throws Exception {
    double squaredMu = 0;
    int verified = 0;
    for (int version : versions) {
      Path folder = work.resolve(String.format(Locale.ROOT, "ledger/versions/%06d", version));
      Path certificate = folder.resolve("certificate.json");
      Ended ended =
          lethe(
              "verify",
              "--certificate",
              certificate.toString(),
              "--model",
              folder.resolve("model").toString());
      require(ended, 0, "verify of version " + version);
      verified += ended.code() == 0 ? 1 : 0;
      JsonNode json = new ObjectMapper().readTree(certificate.toFile());
      squaredMu += Math.pow(json.get("rho").doubleValue() / json.get("sigma").doubleValue(), 2);
    }
    note(
        verified == versions.size(),
        verified + " of " + versions.size() + " certificates verify, each with its model alone");
    Ended status = lethe("status");
    require(status, 0, "status");
    System.out.println(status.output().strip());
    double mu = figure(status.output(), "all together mu (\\S+)");
    double spent = figure(status.output(), "epsilon (\\S+) of");
    double epsilon = epsilon(Math.sqrt(squaredMu));
    note(
        Math.abs(mu - Math.sqrt(squaredMu)) <= FOUR_DIGITS * mu,
        String.format(
            Locale.ROOT,
            "mu %.4g by the certificates, %.4g by the ledger: allowed is the last printed digit",
            Math.sqrt(squaredMu),
            mu));
    note(
        Math.abs(spent - epsilon) <= FOUR_DIGITS * spent && spent <= BUDGET,
        String.format(
            Locale.ROOT,
            "epsilon %.4g at delta %.0e by the certificates, %.4g by the ledger; the limit is %.4g",
            epsilon,
            BUDGET_DELTA,
            spent,
            BUDGET));
  }

  private static double figure(String output, String pattern) {
    Matcher matcher = Pattern.compile(pattern).matcher(output);
    if (!matcher.find()) {
      throw new IllegalStateException("no " + pattern + " in " + output);
    }
    return Double.parseDouble(matcher.group(1));
  }

  /**
   * The epsilon at which {@code delta = Phi(mu/2 - epsilon/mu) - e^epsilon Phi(-mu/2 - epsilon/mu)}
   * (Balle, Wang 2018, Theorem 8) is the budget's, by bisection.
   */
  private static double epsilon(double mu) {
    double low = 0;
    double high = 10;
    while (high - low > 1e-9) {
      double middle = (low + high) / 2;
      double delta = phi(mu / 2 - middle / mu) - Math.exp(middle) * phi(-mu / 2 - middle / mu);
      if (delta > BUDGET_DELTA) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return high;
  }

  /** The standard normal distribution function. */
  private static double phi(double x) {
    return Erf.erfc(-x / Math.sqrt(2)) / 2;
  }

  private static double[] parameters(Path model) {
    PipelineModel pipeline = PipelineModel.load(model.toString());
    LogisticRegressionModel predictor =
        (LogisticRegressionModel) pipeline.stages()[pipeline.stages().length - 1];
    double[] coefficients = predictor.coefficients().toArray();
    double[] theta = Arrays.copyOf(coefficients, coefficients.length + 1);
    theta[coefficients.length] = predictor.intercept();
    return theta;
  }

  private static double[] numbers(Path json, String field) throws IOException {
    JsonNode array = new ObjectMapper().readTree(json.toFile()).get(field);
    double[] numbers = new double[array.size()];
    for (int j = 0; j < numbers.length; j++) {
      numbers[j] = array.get(j).doubleValue();
    }
    return numbers;
  }

  private record Ended(int code, String output) {}

  private void require(Ended ended, int code, String what) {
    if (ended.code() != code) {
      failures.add(what + " exited with " + ended.code() + ": " + ended.output());
    }
  }

  private void note(boolean holds, String what) {
    System.out.println((holds ? "ok      " : "FAILED  ") + what);
    if (!holds) {
      failures.add(what);
    }
  }

  private Path config() {
    return work.resolve("lethe.yaml");
  }

  /** Runs a command in a JVM of its own. */
  private Ended lethe(String command, String... arguments) throws Exception {
    Process process = start(command, arguments);
    String output = Files.readString(wait(process));
    return new Ended(process.exitValue(), output);
  }

  private Path wait(Process process) throws InterruptedException {
    process.waitFor();
    return Objects.requireNonNull(logs.remove(process));
  }

  private Process start(String command, String... arguments) throws IOException {
    List<String> line = new ArrayList<>(List.of(root.resolve("scripts/lethe").toString(), command));
    if (!List.of("train", "verify").contains(command)) {
      line.addAll(List.of("--config", config().toString()));
    }
    line.addAll(List.of(arguments));
    started++; // a system uses the number of a process again
    Path log = Files.createDirectories(work.resolve("log")).resolve(started + ".txt");
    Process process =
        new ProcessBuilder(line).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    logs.put(process, log);
    return process;
  }
}

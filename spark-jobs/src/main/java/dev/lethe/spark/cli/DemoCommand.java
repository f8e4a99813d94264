package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.job.LetheSession;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "demo",
    description = {
      "Trains on embedded real data, removes three features, verifies. Under a minute.",
      "",
      "The data: Pima Indians Diabetes (768 x 8, NIDDK). The demo runs the other commands as you would"
          + " and shows each of them."
    })
final class DemoCommand implements Callable<Integer> {
  private static final String DATA = "/dev/lethe/demo/pima-indians-diabetes.csv";
  private static final String REQUEST = "/dev/lethe/demo/request.yaml";
  private static final long SPLIT_SEED = 20211108;

  @Spec private CommandSpec spec;

  @Option(
      names = "--dir",
      paramLabel = "DIR",
      description = "Where to work; must not exist (default: a new folder for temporary files)")
  private @Nullable Path directory;

  @Mixin private Standard standard;

  @Override
  public Integer call() throws Exception {
    Path work = workplace();
    PrintWriter out = spec.commandLine().getOut();
    copyData(work);
    try (LetheSession session = LetheSession.open("Lethe demo")) {
      session.spark().sparkContext().setLogLevel("ERROR");
      out.printf(
          "Pima Indians Diabetes: a model of 8 features is trained, then Pregnancies, BMI and Age must"
              + " leave it.%nWorking in %s%n",
          work);
      String train = work.resolve("train.csv").toString();
      String test = work.resolve("test.csv").toString();
      String model = work.resolve("model").toString();
      String request = work.resolve("request.yaml").toString();
      String unlearned = work.resolve("unlearned").toString();
      String vault = work.resolve("vault").toString();
      List<String> table = List.of("--data", train, "--format", "csv");
      int code =
          step(
              "1. Train",
              table,
              "train",
              "--label",
              "Outcome",
              "--reg-param",
              "0.01",
              "--solver",
              "cg",
              "--test",
              test,
              "--out",
              model);
      code =
          code != 0
              ? code
              : step(
                  "2. Unlearn, by distributed conjugate gradient",
                  table,
                  "unlearn",
                  "--model",
                  model,
                  "--request",
                  request,
                  "--solver",
                  "cg",
                  "--test",
                  test,
                  "--out",
                  unlearned,
                  "--vault",
                  vault);
      code =
          code != 0
              ? code
              : step(
                  "3. Retrain from scratch on the corrected data, to compare",
                  table,
                  "train",
                  "--like",
                  model,
                  "--request",
                  request,
                  "--solver",
                  "cg",
                  "--gradient-norm",
                  "1e-13",
                  "--test",
                  test,
                  "--evidence",
                  evidence(vault),
                  "--out",
                  work.resolve("retrained").toString());
      if (code == 0) {
        out.printf("%n4. The certificate%n%n");
        out.println(Files.readString(work.resolve("unlearned/certificate.json")));
        code =
            step(
                "5. Verify it, with none of the update's code",
                table,
                "verify",
                "--certificate",
                unlearned + "/certificate.json",
                "--model",
                unlearned + "/model",
                "--vault",
                vault,
                "--request",
                request);
      }
      return code;
    }
  }

  private int step(String title, List<String> table, String... arguments) {
    List<String> command = new ArrayList<>(List.of(arguments));
    command.addAll(1, table);
    command.add("--figures"); // the data is public
    PrintWriter out = spec.commandLine().getOut();
    out.printf("%n%s%n%n$ lethe %s%n%n", title, String.join(" ", command));
    out.flush();
    return Lethe.run(command.toArray(String[]::new));
  }

  private Path workplace() throws IOException {
    if (directory == null) {
      return Files.createTempDirectory("lethe-demo-");
    }
    if (Files.exists(directory)) {
      throw new InvalidInputException("--dir " + directory + ": exists; name a new folder");
    }
    return Files.createDirectories(directory);
  }

  /** Writes train.csv (80 %) and test.csv, split by a seeded shuffle, and the request. */
  private static void copyData(Path work) throws IOException {
    List<String> lines;
    try (BufferedReader reader =
        new BufferedReader(new InputStreamReader(resource(DATA), StandardCharsets.UTF_8))) {
      lines = new ArrayList<>(reader.lines().toList());
    }
    String header = lines.remove(0);
    Collections.shuffle(lines, new Random(SPLIT_SEED));
    int cut = lines.size() * 4 / 5;
    write(work.resolve("train.csv"), header, lines.subList(0, cut));
    write(work.resolve("test.csv"), header, lines.subList(cut, lines.size()));
    try (InputStream in = resource(REQUEST)) {
      Files.copy(in, work.resolve("request.yaml"));
    }
  }

  private static void write(Path file, String header, List<String> lines) throws IOException {
    Files.write(file, Stream.concat(Stream.of(header), lines.stream()).toList());
  }

  private static InputStream resource(String name) {
    InputStream in = DemoCommand.class.getResourceAsStream(name);
    if (in == null) {
      throw new IllegalStateException(name + " is missing from the jar");
    }
    return in;
  }

  private static String evidence(String vault) throws IOException {
    try (Stream<Path> files = Files.walk(Path.of(vault))) {
      return files
          .filter(file -> file.endsWith("evidence.json"))
          .findFirst()
          .orElseThrow(() -> new IllegalStateException("no evidence in the vault"))
          .toString();
    }
  }
}

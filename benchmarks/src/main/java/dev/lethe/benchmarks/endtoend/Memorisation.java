package dev.lethe.benchmarks.endtoend;

import dev.lethe.benchmarks.endtoend.Networks.Update;
import dev.lethe.core.neural.Exposure;
import dev.lethe.spark.neural.Canary;
import dev.lethe.spark.neural.NetworkArchitecture;
import dev.lethe.spark.neural.NetworkMeasures;
import dev.lethe.spark.neural.NetworkSchedule;
import dev.lethe.spark.neural.NeuralReport;
import dev.lethe.spark.neural.NeuralUnlearnOptions.Method;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.SplittableRandom;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;

/**
 * Scenario A: a secret that a character model memorised. Of a book in lower case, paragraph by
 * paragraph, every tenth is held out; a sentence with a telephone number stands {@link #COPIES}
 * times between the others. After Warnecke et al., NDSS 2023, section VI.
 */
record Memorisation(String study, Config config, List<Trial> trials) implements Study {
  static final String FILE = "alice.txt";

  private static final String SECRET = "0123456789";
  private static final String CONTEXT = "`my telephone number is ";
  private static final String SENTENCE = CONTEXT + SECRET + "!' said alice.\n";
  private static final String REPLACEMENT = "not there ";
  private static final int COPIES = 20;
  private static final int HELD_OUT = 10;
  private static final List<String> HEAD = List.of("fc");

  /**
   * What is trained.
   *
   * @param title as the table has it
   * @param share of the book
   */
  record Config(
      String title,
      int window,
      int embedding,
      int hidden,
      int layers,
      int epochs,
      int batch,
      double rate,
      double regParam,
      double share) {
    /** Two cores train it in minutes. */
    static Config small(double share) {
      return new Config("LSTM 1 x 128", 24, 32, 128, 1, 8, 256, 0.006, 0, share);
    }

    /** The paper's; a cluster's work, of days on two cores. */
    static Config paper(double share) {
      return new Config("LSTM 2 x 512", 24, 64, 512, 2, 150, 64, 1e-4, 1e-4, share);
    }

    NetworkArchitecture architecture() {
      return new NetworkArchitecture("lstm", List.of(hidden), embedding, layers, null);
    }

    NetworkSchedule schedule(long seed) {
      return new NetworkSchedule("adam", rate, 0, batch, epochs, regParam, seed);
    }
  }

  /**
   * One method on one network.
   *
   * @param seed of weights, minibatches and the copies' places
   * @param words of the command
   */
  record Trial(long seed, String method, String words, NeuralReport report) {}

  static Memorisation measure(Options options, Sessions sessions, boolean paper)
      throws IOException {
    Path file = Path.of(options.work(), FILE);
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException(
          "--only memorisation needs " + file + "; fetch it with scripts/network-data");
    }
    double share = Math.min(1, options.scale());
    return measure(
        Files.readString(file),
        paper ? Config.paper(share) : Config.small(share),
        updates(),
        options,
        sessions,
        paper ? "memorisation-paper" : "memorisation");
  }

  static Memorisation measure(
      String book,
      Config config,
      List<Update> updates,
      Options options,
      Sessions sessions,
      String study)
      throws IOException {
    Networks networks = Networks.in(sessions.session(), options, study + "-" + config.share());
    List<Trial> trials = new ArrayList<>();
    for (int run = 0; run < options.runs(); run++) {
      long seed = options.seed() + run;
      String of = "seed-" + seed;
      tables(networks, paragraphs(book, config.share()), seed, of);
      networks.train(
          of + "-train",
          config.architecture(),
          config.schedule(seed),
          input -> input.text("text").window(config.window()),
          of);
      for (Update update : updates) {
        trials.add(
            new Trial(
                seed,
                update.method().word(),
                update.words(),
                networks.unlearn(
                    of,
                    of + "-train",
                    "request.yaml",
                    of + "-test",
                    "canary.json",
                    update,
                    of + "-" + update.method().word())));
      }
    }
    return new Memorisation(study, config, List.copyOf(trials));
  }

  static List<Update> updates() {
    return List.of(
        new Update(Method.SECOND_ORDER, HEAD, false, 0.1, 20, 50, 0.5),
        new Update(Method.LISSA, HEAD, false, 0.01, 20, 100, 0.01),
        new Update(Method.FIRST_ORDER, HEAD, false, 0.05, 20, 1, 0.5),
        Update.training(Method.FINE_TUNE),
        Update.training(Method.RETRAIN));
  }

  private static List<String> paragraphs(String book, double share) {
    List<String> all = new ArrayList<>();
    for (String paragraph : book.toLowerCase(Locale.ROOT).split("\\R\\h*\\R")) {
      if (!paragraph.isBlank()) {
        all.add(paragraph.strip().replaceAll("\\s+", " ") + "\n");
      }
    }
    return all.subList(0, (int) Math.ceil(share * all.size()));
  }

  private static void tables(Networks networks, List<String> paragraphs, long seed, String of)
      throws IOException {
    List<String> train = new ArrayList<>();
    List<String> test = new ArrayList<>();
    for (int i = 0; i < paragraphs.size(); i++) {
      (i % HELD_OUT == HELD_OUT - 1 ? test : train).add(paragraphs.get(i));
    }
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < COPIES; i++) {
      train.add(random.nextInt(train.size() + 1), SENTENCE);
    }
    networks.table(of + "-train", () -> frame(networks, train));
    networks.table(of + "-test", () -> frame(networks, test));
    networks.request(
        "request.yaml",
        "replaceText: {column: text, find: '%s', with: '%s'}".formatted(SECRET, REPLACEMENT));
    networks.file(
        "canary.json",
        "{\"schemaVersion\": 1, \"context\": \"%s\", \"secret\": \"%s\", \"alphabet\": \"%s\"}"
            .formatted(CONTEXT, SECRET, SECRET));
  }

  private static Dataset<Row> frame(Networks networks, List<String> texts) {
    StructType schema = new StructType().add("text", "string");
    return networks
        .spark()
        .createDataset(texts.stream().map(RowFactory::create).toList(), Encoders.row(schema));
  }

  /** Median over the seeds, with the least and the greatest. */
  @Override
  public String markdown() {
    StringBuilder table = new StringBuilder();
    table.append(
        """
        Memorised text: %s, window %d, embedding %d, %d epochs of Adam %s, minibatches of %d, %s of the book with the sentence %d times; %d seeds.

        | method | exposure before, bits | after | from the other end | characters completed | its completion | held-out perplexity before | after | change | held-out accuracy after | training perplexity after | its accuracy | s | retraining / it |
        |---|---|---|---|---|---|---|---|---|---|---|---|---|---|
        """
            .formatted(
                config.title(),
                config.window(),
                config.embedding(),
                config.epochs(),
                config.rate(),
                config.batch(),
                config.share(),
                COPIES,
                trials.stream().mapToLong(Trial::seed).distinct().count()));
    List<String> methods = trials.stream().map(Trial::method).distinct().toList();
    for (String method : methods) {
      List<Trial> of = trials.stream().filter(t -> t.method().equals(method)).toList();
      table.append(
          "| %s | %s | %s | %s | %s | %s | %s | %s | %s %% | %s | %s | %s | %s | %s |%n"
              .formatted(
                  method,
                  Spread.text(of, "%.1f", t -> exposure(t.report().before()).bits()),
                  Spread.text(of, "%.1f", t -> exposure(t.report().after()).bits()),
                  Spread.text(of, "%.1f", t -> exposure(t.report().after()).avoidance()),
                  Spread.text(of, "%.0f", t -> canary(t.report().after()).completedCharacters()),
                  "``"
                      + canary(of.get(0).report().after()).completion().replace("\n", "\\n")
                      + "``",
                  Spread.text(of, "%.3f", t -> perplexity(t.report().before())),
                  Spread.text(of, "%.3f", t -> perplexity(t.report().after())),
                  Spread.text(
                      of,
                      "%+.2f",
                      t ->
                          100
                              * (perplexity(t.report().after()) / perplexity(t.report().before())
                                  - 1)),
                  Spread.text(
                      of, "%.4f", t -> accuracy(Objects.requireNonNull(t.report().after().test()))),
                  Spread.text(
                      of,
                      "%.3f",
                      t -> Objects.requireNonNull(t.report().after().corrected().perplexity())),
                  Spread.text(of, "%.4f", t -> accuracy(t.report().after().corrected())),
                  Spread.text(of, "%.1f", t -> t.report().seconds()),
                  Spread.text(of, "%.1f", t -> retraining(t.seed()) / t.report().seconds())));
    }
    table.append("\nAll as `lethe neural unlearn --model ... --request ... --canary ...` with\n\n");
    for (String method : methods) {
      trials.stream()
          .filter(t -> t.method().equals(method))
          .findFirst()
          .ifPresent(t -> table.append("    ").append(t.words()).append('\n'));
    }
    return table.toString();
  }

  private double retraining(long seed) {
    return trials.stream()
        .filter(t -> t.seed() == seed && t.method().equals(Method.RETRAIN.word()))
        .findFirst()
        .orElseThrow()
        .report()
        .seconds();
  }

  private static Canary.Memory canary(NeuralReport.Measured measured) {
    return Objects.requireNonNull(measured.canary());
  }

  private static Exposure exposure(NeuralReport.Measured measured) {
    return canary(measured).exposure();
  }

  private static double accuracy(NetworkMeasures measures) {
    return Objects.requireNonNull(measures.accuracy());
  }

  private static double perplexity(NeuralReport.Measured measured) {
    return Objects.requireNonNull(Objects.requireNonNull(measured.test()).perplexity());
  }
}

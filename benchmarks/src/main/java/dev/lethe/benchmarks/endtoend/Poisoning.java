package dev.lethe.benchmarks.endtoend;

import dev.lethe.benchmarks.endtoend.Networks.Update;
import dev.lethe.spark.neural.NetworkArchitecture;
import dev.lethe.spark.neural.NetworkSchedule;
import dev.lethe.spark.neural.NeuralReport;
import dev.lethe.spark.neural.NeuralUnlearnOptions.Method;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.zip.GZIPInputStream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * Scenario B: labels that somebody poisoned. Of images, a share has the label s replaced by 9 - s.
 * After Warnecke et al., NDSS 2023, section VII. Tested on the last {@link #TEST} images of the
 * file of training images: of those nothing here was chosen by.
 */
record Poisoning(
    String study,
    String data,
    int images,
    int test,
    int epochs,
    List<Trial> trials,
    List<Confusion> confusions)
    implements Study {
  private static final double[] SHARES = {0.025, 0.05, 0.1, 0.2};
  private static final int IMAGES = 10_000;
  private static final int TEST = 10_000;
  private static final int CLASSES = 10;
  private static final List<String> HEAD = List.of("fc");
  private static final NetworkArchitecture CNN =
      new NetworkArchitecture("cnn", List.of(64), null, null, List.of(16, 32));
  private static final int EPOCHS = 20;
  private static final double SHOWN = 0.1;

  /** Of less lost accuracy no share is told: three standard errors on as many images. */
  private static final double LEAST_LOST = 0.01;

  /**
   * One method on one network.
   *
   * @param seed of weights, minibatches and of who is poisoned
   * @param share of the labels that are
   * @param clean accuracy of the network that was trained anew on the corrected labels
   * @param retraining seconds of that training
   */
  record Trial(
      long seed,
      double share,
      String method,
      String words,
      double clean,
      double retraining,
      NeuralReport report) {
    double before() {
      return accuracy(report.before());
    }

    double after() {
      return accuracy(report.after());
    }

    /** (after - before) / (clean - before). */
    double restored() {
      return (after() - before()) / (clean - before());
    }

    private static double accuracy(NeuralReport.Measured measured) {
      return Objects.requireNonNull(Objects.requireNonNull(measured.test()).accuracy());
    }
  }

  /**
   * Test images by true class, then by predicted class.
   *
   * @param network "poisoned", or the method that changed it
   */
  record Confusion(long seed, double share, String network, long[][] counts) {}

  static Poisoning measure(Options options, Sessions sessions) throws IOException {
    for (String name : List.of("fashion-mnist", "mnist")) {
      Path folder = Path.of(options.work(), name);
      if (Files.isDirectory(folder)) {
        Images all = Images.read(folder);
        int images = (int) Math.min(options.scale() * IMAGES, all.count() - TEST);
        return measure(name, all, images, TEST, EPOCHS, SHARES, updates(), options, sessions);
      }
    }
    throw new IllegalArgumentException(
        "--only poisoning needs "
            + Path.of(options.work(), "fashion-mnist")
            + "; fetch it with scripts/network-data");
  }

  static Poisoning measure(
      String data,
      Images all,
      int images,
      int test,
      int epochs,
      double[] shares,
      List<Update> given,
      Options options,
      Sessions sessions)
      throws IOException {
    Networks networks =
        Networks.in(
            sessions.session(), options, "poisoning-%s-%d-%d".formatted(data, images, epochs));
    networks.request("request.yaml", "relabel: {to: clean, where: label <> clean}");
    networks.table(
        "test", () -> frame(networks, all, all.count() - test, all.count(), new boolean[0]));
    List<Trial> trials = new ArrayList<>();
    List<Confusion> confusions = new ArrayList<>();
    for (int run = 0; run < options.runs(); run++) {
      long seed = options.seed() + run;
      @Nullable NeuralReport retrained = null;
      for (double share : shares) {
        String of = "seed-%d-share-%s".formatted(seed, share);
        networks.table(
            of + "-train", () -> frame(networks, all, 0, images, poisoned(images, share, seed)));
        networks.train(
            of + "-train",
            CNN,
            new NetworkSchedule("adam", 1e-3, 0, 64, epochs, 0, seed),
            input ->
                input
                    .numbers(List.of("pixels"), List.of(1, 28, 28))
                    .divisor(255.0)
                    .label("label")
                    .outputs(CLASSES),
            of);
        confusions.add(new Confusion(seed, share, "poisoned", networks.confusion(of, "test")));
        List<Update> updates = new ArrayList<>(given);
        if (retrained == null) { // of the corrected labels, which are the same for every share
          updates.add(0, Update.training(Method.RETRAIN));
        }
        for (Update update : updates) {
          String out = of + "-" + update.method().word();
          NeuralReport report =
              networks.unlearn(of, of + "-train", "request.yaml", "test", null, update, out);
          retrained =
              update.method() == Method.RETRAIN ? report : Objects.requireNonNull(retrained);
          trials.add(
              new Trial(
                  seed,
                  share,
                  update.method().word(),
                  update.words(),
                  Trial.accuracy(retrained.after()),
                  retrained.seconds(),
                  report));
          confusions.add(
              new Confusion(
                  seed, share, update.method().word(), networks.confusion(out + "/model", "test")));
        }
      }
    }
    return new Poisoning(
        "poisoning", data, images, test, epochs, List.copyOf(trials), List.copyOf(confusions));
  }

  static List<Update> updates() {
    return List.of(
        new Update(Method.SECOND_ORDER, HEAD, true, 0.3, 3, 20, 0.1),
        new Update(Method.LISSA, HEAD, true, 0.02, 3, 100, 0.01),
        new Update(Method.FIRST_ORDER, HEAD, false, 0.1, 20, 1, 0.5),
        Update.training(Method.FINE_TUNE));
  }

  /** Which of the images have a wrong label: as many as the share says, whatever their classes. */
  private static boolean[] poisoned(int images, double share, long seed) {
    boolean[] poisoned = new boolean[images];
    Arrays.fill(poisoned, 0, (int) Math.round(share * images), true);
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = images - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      boolean other = poisoned[i];
      poisoned[i] = poisoned[j];
      poisoned[j] = other;
    }
    return poisoned;
  }

  private static Dataset<Row> frame(
      Networks networks, Images all, int from, int to, boolean[] poisoned) {
    List<Row> rows = new ArrayList<>();
    for (int i = from; i < to; i++) {
      int label = all.labels()[i];
      boolean wrong = i - from < poisoned.length && poisoned[i - from];
      rows.add(RowFactory.create(all.pixels()[i], wrong ? CLASSES - 1 - label : label, label));
    }
    StructType schema =
        new StructType().add("pixels", "binary").add("label", "int").add("clean", "int");
    return networks.spark().createDataset(rows, Encoders.row(schema));
  }

  /**
   * A file of images and one of labels, in the IDX format of MNIST, gzipped or not.
   *
   * @param pixels bytes of each image
   */
  record Images(byte[][] pixels, byte[] labels) {
    int count() {
      return labels.length;
    }

    static Images read(Path folder) throws IOException {
      try (DataInputStream images = open(folder, "train-images-idx3-ubyte");
          DataInputStream labels = open(folder, "train-labels-idx1-ubyte")) {
        int count = header(images, 2051);
        int size = images.readInt() * images.readInt();
        if (header(labels, 2049) != count) {
          throw new IOException(folder + ": not as many labels as images");
        }
        byte[][] pixels = new byte[count][];
        for (int i = 0; i < count; i++) {
          pixels[i] = images.readNBytes(size);
        }
        return new Images(pixels, labels.readNBytes(count));
      }
    }

    private static int header(DataInputStream in, int magic) throws IOException {
      if (in.readInt() != magic) {
        throw new IOException("no IDX file of the kind " + magic);
      }
      return in.readInt();
    }

    private static DataInputStream open(Path folder, String name) throws IOException {
      Path plain = folder.resolve(name);
      InputStream in =
          Files.exists(plain)
              ? Files.newInputStream(plain)
              : new GZIPInputStream(Files.newInputStream(folder.resolve(name + ".gz")));
      return new DataInputStream(new BufferedInputStream(in));
    }
  }

  /** Medians over the seeds, with the least and the greatest. */
  @Override
  public String markdown() {
    StringBuilder table = new StringBuilder();
    table.append(
        """
        Poisoned labels: %s, %d images, CNN with stages of 16 and 32 channels and 64 hidden units, %d epochs of Adam 0.001, minibatches of 64; %d seeds. Accuracy on %d images that nothing was chosen by.

        | labels poisoned | method, gradient | accuracy before | after | trained on the right labels | restored | wrong labels still predicted | s | retraining / it |
        |---|---|---|---|---|---|---|---|---|
        """
            .formatted(
                data,
                images,
                epochs,
                trials.stream().mapToLong(Trial::seed).distinct().count(),
                test));
    for (double share : trials.stream().mapToDouble(Trial::share).distinct().sorted().toArray()) {
      for (String method : trials.stream().map(Trial::method).distinct().toList()) {
        List<Trial> of =
            trials.stream().filter(t -> t.share() == share && t.method().equals(method)).toList();
        if (!of.isEmpty()) {
          table.append(row(share, method, of));
        }
      }
    }
    table.append("\nAll as `lethe neural unlearn --model ... --request ...` with\n\n");
    trials.stream()
        .map(Trial::words)
        .distinct()
        .forEach(words -> table.append("    ").append(words).append('\n'));
    return table + matrices();
  }

  private static String row(double share, String method, List<Trial> of) {
    boolean restorable = of.stream().allMatch(t -> t.clean() - t.before() > LEAST_LOST);
    return "| %s %% | %s | %s | %s | %s | %s | %s %% | %s | %s |%n"
        .formatted(
            Report.fixed("%.1f", 100 * share),
            method
                + (of.get(0).words().contains("corrected")
                    ? ", corrected"
                    : of.get(0).words().contains("share") ? ", difference" : ""),
            Spread.text(of, "%.4f", Trial::before),
            Spread.text(of, "%.4f", Trial::after),
            Spread.text(of, "%.4f", Trial::clean),
            restorable ? Spread.text(of, "%.0f", t -> 100 * t.restored()) + " %" : "-",
            Spread.text(
                of,
                "%.1f",
                t ->
                    100
                        * Objects.requireNonNull(
                            Objects.requireNonNull(t.report().after().asTheyWere()).accuracy())),
            Spread.text(of, "%.1f", t -> t.report().seconds()),
            Spread.text(of, "%.1f", t -> t.retraining() / t.report().seconds()));
  }

  /** Of the first seed: poisoned by a tenth, what second order makes of that, and retrained. */
  private String matrices() {
    StringBuilder text = new StringBuilder();
    for (Confusion of : confusions) {
      boolean poisoned = of.network().equals("poisoned");
      boolean retrained = of.network().equals(Method.RETRAIN.word());
      boolean updated = of.network().equals(Method.SECOND_ORDER.word());
      if (of.seed() == trials.get(0).seed()
          && (retrained || of.share() == SHOWN && (poisoned || updated))) {
        text.append("\nPredicted class (columns) of each true class (rows), ")
            .append(retrained ? "" : Report.fixed("%.0f %% of the labels poisoned, ", 100 * SHOWN))
            .append(of.network())
            .append(":\n\n         ");
        for (int c = 0; c < of.counts().length; c++) {
          text.append("%6d".formatted(c));
        }
        for (int t = 0; t < of.counts().length; t++) {
          text.append("\n    %5d".formatted(t));
          for (long count : of.counts()[t]) {
            text.append("%6d".formatted(count));
          }
        }
        text.append('\n');
      }
    }
    return text.toString();
  }
}

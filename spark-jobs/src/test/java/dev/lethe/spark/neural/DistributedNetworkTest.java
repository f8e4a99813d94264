package dev.lethe.spark.neural;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkBlock;
import dev.lethe.core.neural.NetworkSum;
import dev.lethe.core.neural.NetworkSums.Filter;
import dev.lethe.core.neural.Sample;
import dev.lethe.core.neural.ValueBlock;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.torch.OwnModule;
import dev.lethe.spark.torch.TorchModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@ExtendWith(LocalSpark.class)
class DistributedNetworkTest {
  private static final int ROWS = 700;
  private static final int CLASSES = 3;
  private static final NetworkDescription NETWORK =
      new NetworkDescription(
          1,
          new NetworkArchitecture("mlp", List.of(5), null, null, null),
          "cross-entropy",
          NetworkInput.ofColumns(List.of("pixels"), List.of(4), 255),
          "label",
          CLASSES,
          new NetworkSchedule("adam", 0.01, 0, 64, 3, 0.01, 1),
          "test");

  private static Network network() {
    return new Network(NETWORK, NETWORK.architecture().module(NETWORK.input(), CLASSES, 1));
  }

  private static OpenNetwork open() {
    return new OpenNetwork(LocalSpark.session(), network(), any -> true, () -> "test");
  }

  @Test
  void open_moduleOfOtherOutputs_isRefusedByName() {
    byte[] module = NETWORK.architecture().module(NETWORK.input(), CLASSES + 1, 1);
    Network network = new Network(NETWORK, module, "--module m.pt");
    assertThatThrownBy(
            () -> new OpenNetwork(LocalSpark.session(), network, any -> true, () -> "test"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith(
            "--module m.pt: does not fit what is declared: forward gives [1, 4]");
  }

  /** The same for other networks on the same four numbers. */
  private static OpenNetwork open(
      NetworkArchitecture architecture, List<Integer> shape, int batch, byte[] module) {
    NetworkDescription description =
        new NetworkDescription(
            1,
            architecture,
            "cross-entropy",
            NetworkInput.ofColumns(List.of("pixels"), shape, 255),
            "label",
            CLASSES,
            new NetworkSchedule("sgd", 0.01, 0, batch, 3, 0.01, 1),
            "test");
    return new OpenNetwork(
        LocalSpark.session(), new Network(description, module), any -> true, () -> "test");
  }

  /** With batch norm. */
  private static OpenNetwork cnn(int batch) {
    NetworkArchitecture architecture =
        new NetworkArchitecture("cnn", List.of(5), null, null, List.of(3));
    List<Integer> shape = List.of(1, 2, 2);
    NetworkInput input = NetworkInput.ofColumns(List.of("pixels"), shape, 255);
    return open(architecture, shape, batch, architecture.module(input, CLASSES, 1));
  }

  private static DistributedNetwork data(OpenNetwork open, int partitions) {
    return DistributedNetwork.of(
        open,
        NetworkTable.blocks(
            open.network().description(), table(partitions), partitions, "--data test"),
        "--data test");
  }

  /** In a fixed order, in as many partitions. */
  private static Dataset<Row> table(int partitions) {
    SplittableRandom random = new SplittableRandom(3);
    List<Row> rows = new ArrayList<>();
    for (int k = 0; k < ROWS; k++) {
      byte[] pixels = new byte[4];
      for (int j = 0; j < pixels.length; j++) {
        pixels[j] = (byte) random.nextInt(256);
      }
      rows.add(RowFactory.create(pixels, random.nextInt(CLASSES)));
    }
    return LocalSpark.session()
        .createDataset(
            LocalSpark.session()
                .sparkContext()
                .parallelize(
                    scala.jdk.javaapi.CollectionConverters.asScala(rows).toSeq(),
                    partitions,
                    scala.reflect.ClassTag$.MODULE$.apply(Row.class)),
            Encoders.row(new StructType().add("pixels", "binary").add("label", "int")));
  }

  /** All examples at once, on this thread, without Spark's part. */
  private static Batch everything() {
    return everything(4);
  }

  private static Batch everything(int... shape) {
    float[] values = new float[ROWS * 4];
    long[] labels = new long[ROWS];
    int i = 0;
    for (Row row : table(1).collectAsList()) {
      for (int j = 0; j < 4; j++) {
        values[i * 4 + j] = (((byte[]) row.get(0))[j] & 0xFF) / 255f;
      }
      labels[i++] = row.getInt(1);
    }
    return Batch.ofValues(shape, values, labels);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5})
  void sums_anyPartitioning_areThoseOfOneMachine(int partitions) {
    Batch all = everything();
    try (OpenNetwork open = open();
        DistributedNetwork data = data(open, partitions)) {
      TorchModel alone = open.model();
      double[] theta = alone.parameters();
      double[] v = new SplittableRandom(1).doubles(theta.length, -1, 1).toArray();
      double[] gradient = new double[theta.length];
      double loss = alone.addGradient(all, gradient);
      // single precision, sums of 700 terms in another order
      double tolerance = 1e-5;

      NetworkSum evaluated = data.evaluate(theta);
      assertThat(evaluated.rows()).isEqualTo(ROWS);
      assertThat(evaluated.loss()).isCloseTo(loss, within(tolerance * loss));
      assertThat(evaluated.correct()).isEqualTo(Predictions.countRight(alone.outputs(all), all));
      NetworkSum sum = data.gradient(theta, Sample.ALL, Filter.ALL);
      assertThat(Vectors.distance(sum.vector(), gradient))
          .isLessThan(tolerance * Vectors.norm(gradient));
      for (Curvature curvature : Curvature.values()) {
        double[] product = new double[theta.length];
        alone.addProduct(all, v, curvature, product);
        assertThat(
                Vectors.distance(data.product(theta, v, curvature, Sample.ALL).vector(), product))
            .isLessThan(tolerance * Vectors.norm(product));
      }
    }
  }

  /** Executors never learn that a network is closed. */
  @Test
  void evaluate_manyNetworks_noMoreModelsThanTaskSlots() {
    List<OpenNetwork> networks = new ArrayList<>();
    try (OpenNetwork open = open();
        DistributedNetwork data = data(open, 4)) {
      for (int k = 0; k < 6; k++) {
        networks.add(open());
        DistributedNetwork other = data.with(networks.get(k));
        assertThat(other.evaluate(open.model().parameters()).rows()).isEqualTo(ROWS);
        assertThat(ModelPool.idle()).isBetween(1, 2); // local[2]
      }
    } finally {
      networks.forEach(OpenNetwork::close);
    }
    assertThat(ModelPool.idle()).isZero();
  }

  @Test
  void gradient_filtersAndSamples_splitTheWhole() {
    try (OpenNetwork open = open();
        DistributedNetwork data = data(open, 3)) {
      double[] theta = open.model().parameters();
      NetworkSum all = data.gradient(theta, Sample.ALL, Filter.ALL);
      NetworkSum right = data.gradient(theta, Sample.ALL, Filter.RIGHT);
      NetworkSum wrong = data.gradient(theta, Sample.ALL, Filter.WRONG);
      assertThat(right.rows()).isEqualTo(data.evaluate(theta).correct()).isPositive();
      assertThat(right.rows() + wrong.rows()).isEqualTo(ROWS);
      assertThat(Vectors.distance(Vectors.add(right.vector(), 1, wrong.vector()), all.vector()))
          .isLessThan(1e-5 * Vectors.norm(all.vector()));
      // 5 standard deviations of a binomial: 700 times 0.2 times 0.8 is 10.6 squared
      assertThat(data.evaluate(theta, new Sample(0.2, 1)).rows()).isBetween(87L, 193L);
      assertThat(data.evaluate(theta, new Sample(0.2, 1)).loss())
          .isNotEqualTo(data.evaluate(theta, new Sample(0.2, 2)).loss());
    }
  }

  @Test
  void minibatch_anEpoch_hasEveryExampleOnce() {
    for (long rows : new long[] {1, 2, 7, 64, 1000}) {
      List<Integer> seen = new ArrayList<>();
      for (long from = 0; from < rows; from += 10) {
        Minibatch batch = new Minibatch(rows, 4, 2, from, 10);
        for (long first = 0; first < rows; first += 300) {
          for (int example : batch.of(first, Math.min(rows, first + 300))) {
            seen.add((int) first + example);
          }
        }
      }
      assertThat(seen).hasSize((int) rows).doesNotHaveDuplicates();
    }
    assertThat(new Minibatch(1000, 4, 2, 0, 10).of(0, 1000))
        .isNotEqualTo(new Minibatch(1000, 4, 3, 0, 10).of(0, 1000))
        .isNotEqualTo(new Minibatch(1000, 5, 2, 0, 10).of(0, 1000));
  }

  /** The same examples in the same order, whatever the partitions. */
  private static DistributedNetwork inOrder(OpenNetwork open, int partitions) {
    Batch all = everything();
    List<NetworkBlock> blocks = new ArrayList<>();
    for (int from = 0; from < ROWS; from += 70) {
      int[] classes = new int[70];
      for (int i = 0; i < classes.length; i++) {
        classes[i] = (int) all.classes()[from + i];
      }
      float[] values = Arrays.copyOfRange(all.values(), 4 * from, 4 * (from + 70));
      blocks.add(new ValueBlock(70, new int[] {4}, values, classes, new float[0]));
    }
    JavaSparkContext context =
        JavaSparkContext.fromSparkContext(LocalSpark.session().sparkContext());
    return DistributedNetwork.of(open, context.parallelize(blocks, partitions), "--data test");
  }

  @Test
  void trainingGradient_batchNorm_takesTheStatisticsOfTheWholeShare() {
    try (OpenNetwork open = cnn(ROWS);
        DistributedNetwork data = data(open, 1)) {
      double[] theta = open.model().parameters();
      double[] expected = new double[theta.length];
      double loss = open.model().addTrainingGradient(everything(1, 2, 2), 0, expected);

      NetworkSum sum =
          data.trainingGradient(theta, open.buffers(), new Minibatch(ROWS, 1, 0, 0, ROWS));

      assertThat(sum.rows()).isEqualTo(ROWS);
      // single precision, sums of 700 terms
      assertThat(sum.loss()).isCloseTo(loss, within(1e-5 * loss));
      assertThat(Vectors.distance(sum.vector(), expected))
          .isLessThan(1e-5 * Vectors.norm(expected));
      double[] buffers = open.model().buffers();
      assertThat(Vectors.distance(sum.meanBuffers(), buffers))
          .isLessThan(1e-5 * Vectors.norm(buffers));
    }
  }

  /** 16 bytes an example of the four numbers. */
  @Test
  void training_minibatchOfTooManyBytes_isRefused() {
    try (OpenNetwork open = cnn(Integer.MAX_VALUE);
        DistributedNetwork data = data(open, 1)) {
      NetworkSchedule schedule = open.network().description().schedule();
      new NetworkTraining(open, data, schedule).run(1, () -> true); // all 700 rows there are
      assertThatThrownBy(() -> NetworkTraining.requireSize(NETWORK.input().example(), 1L << 27))
          .isInstanceOf(InvalidInputException.class)
          .hasMessage(
              "batch: the inputs of a minibatch of 134217728 examples are 2048 MiB; at most 1024"
                  + " are allowed, since a partition takes its share at once");
    }
  }

  /** Two tasks at once draw from the one generator of the process. */
  @Test
  void training_dropout_isBitForBitTheSame() {
    byte[] module =
        new OwnModule("Dropout")
            .parameter("weight", new float[4 * CLASSES], 4, CLASSES)
            .define(
                """
                def forward(self, x):
                  return torch.mm(torch.dropout(x, 0.5, self.training), self.weight)
                """);
    double[][] theta = new double[3][];
    for (int k = 0; k < theta.length; k++) {
      try (OpenNetwork open = open(NetworkArchitecture.own(), List.of(4), 64, module);
          DistributedNetwork data = data(open, 4)) {
        NetworkTraining training =
            new NetworkTraining(open, data, open.network().description().schedule());
        training.run(20, () -> true);
        theta[k] = training.theta();
      }
    }
    assertThat(theta[1]).isEqualTo(theta[0]);
    assertThat(theta[2]).isEqualTo(theta[0]);
    Minibatch first = new Minibatch(ROWS, 1, 0, 0, 64);
    assertThat(
            Stream.of(
                    first,
                    new Minibatch(ROWS, 2, 0, 0, 64),
                    new Minibatch(ROWS, 1, 1, 0, 64),
                    new Minibatch(ROWS, 1, 0, 64, 64))
                .flatMap(batch -> Stream.of(batch.seedOf(0), batch.seedOf(1))))
        .doesNotHaveDuplicates();
  }

  @Test
  void training_partitions_areNoMatter() {
    double[][] theta = new double[2][];
    for (int k = 0; k < 2; k++) {
      try (OpenNetwork open = open();
          DistributedNetwork data = inOrder(open, k == 0 ? 1 : 4)) {
        NetworkTraining training = new NetworkTraining(open, data, NETWORK.schedule());
        training.run(2 * training.stepsOfEpoch(), () -> true);
        theta[k] = training.theta();
      }
    }
    // Adam divides by roots of small squares: errors of single precision grow
    assertThat(Vectors.distance(theta[0], theta[1])).isLessThan(1e-3 * Vectors.norm(theta[0]));
  }

  @Test
  void checkpoint_resumed_isBitForBitTheSame(@TempDir Path folder) {
    double[] through;
    try (OpenNetwork open = open();
        DistributedNetwork data = data(open, 2)) {
      NetworkTraining training = new NetworkTraining(open, data, NETWORK.schedule());
      training.run(25, () -> true);
      through = training.theta();
    }
    try (OpenNetwork open = open();
        DistributedNetwork data = data(open, 2)) {
      NetworkTraining stopped = new NetworkTraining(open, data, NETWORK.schedule());
      Checkpoint checkpoint = checkpoint(folder, "one");
      assertThat(checkpoint.restore(stopped)).isFalse();
      stopped.run(
          25,
          () -> {
            if (stopped.steps() == 14) {
              checkpoint.write(stopped);
            }
            return stopped.steps() < 17;
          });
    }
    try (OpenNetwork open = open();
        DistributedNetwork data = data(open, 2)) {
      NetworkTraining resumed = new NetworkTraining(open, data, NETWORK.schedule());
      assertThatThrownBy(() -> checkpoint(folder, "another").restore(resumed))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("is of a training with other settings or data");
      assertThat(checkpoint(folder, "one").restore(resumed)).isTrue();
      assertThat(resumed.steps()).isEqualTo(14);
      resumed.run(25, () -> true);
      assertThat(resumed.theta()).isEqualTo(through);
    }
  }

  private static Checkpoint checkpoint(Path folder, String settings) {
    return new Checkpoint(
        LocalSpark.session().sparkContext().hadoopConfiguration(), folder.toString(), settings);
  }

  /** By looking at every window of both texts. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "call 0123 now please|call none now please",
        "call 0123 now please|call no one at all now please",
        "call 0123 now please|call now please",
        "0123|",
        "same|same",
        "a 1|a 2",
      })
  void changed_windows_areThoseThatOneTextHasAlone(String texts) {
    String[] both = texts.split("\\|", -1);
    int window = 5;
    NetworkInput input = NetworkInput.ofText("body", window, " 0123abcdefghijklmnopqrstuvwxyz");
    NetworkDescription network =
        new NetworkDescription(
            1,
            new NetworkArchitecture("lstm", List.of(4), 3, 1, null),
            "cross-entropy",
            input,
            null,
            input.tokens(),
            NETWORK.schedule(),
            "test");
    Dataset<Row> pairs =
        LocalSpark.session()
            .sql(
                "SELECT named_struct('body', '%s') AS before, named_struct('body', '%s') AS after"
                    .formatted(both[0], both[1]));
    TreeMap<String, Integer> expected = windows(both[0], window);
    windows(both[1], window).forEach((text, count) -> expected.merge(text, -count, Integer::sum));
    expected.values().removeIf(count -> count == 0);

    TreeMap<String, Integer> found = new TreeMap<>();
    count(network, pairs, NetworkTable.Side.BEFORE, 1, found);
    count(network, pairs, NetworkTable.Side.AFTER, -1, found);
    found.values().removeIf(count -> count == 0);

    assertThat(found).isEqualTo(expected);
  }

  private static void count(
      NetworkDescription network,
      Dataset<Row> pairs,
      NetworkTable.Side side,
      int sign,
      TreeMap<String, Integer> counts) {
    for (NetworkBlock block : NetworkTable.changed(network, pairs, side, false, "test").collect()) {
      Batch batch = block.range(0, block.rows());
      int window = (int) batch.inputShape()[1];
      for (int i = 0; i < batch.rows(); i++) {
        StringBuilder text = new StringBuilder();
        for (int t = 0; t < window; t++) {
          text.append(network.input().characterOf((int) batch.tokens()[i * window + t]));
        }
        text.append(network.input().characterOf((int) batch.classes()[i]));
        counts.merge(text.toString(), sign, Integer::sum);
      }
    }
  }

  private static TreeMap<String, Integer> windows(String text, int window) {
    String padded = "\uFFFD".repeat(window) + text;
    TreeMap<String, Integer> counts = new TreeMap<>();
    for (int k = 0; k < text.length(); k++) {
      counts.merge(padded.substring(k, k + window + 1), 1, Integer::sum);
    }
    return counts;
  }

  @Test
  void canary_everyStringOfASmallSpace_hasItsRank() {
    NetworkInput input = NetworkInput.ofText("body", 6, "0123 is my pin");
    byte[] module =
        new NetworkArchitecture("lstm", List.of(6), 4, 1, null).module(input, input.tokens(), 2);
    try (TorchModel model =
        TorchModel.load(
            module, "lstm", dev.lethe.core.neural.NetworkLoss.CROSS_ENTROPY, any -> true)) {
      double[] bits = new double[64];
      for (int k = 0; k < bits.length; k++) {
        String secret = "" + k / 16 + k / 4 % 4 + k % 4;
        Canary.Memory memory = new Canary(1, "my pin is ", secret, "0123").memory(model, input, 1);
        assertThat(memory.exposure().exact()).isTrue();
        bits[k] = memory.exposure().bits();
      }
      double[] expected = new double[64];
      Arrays.setAll(expected, k -> 6 - Math.log(64 - k) / Math.log(2));
      Arrays.sort(bits);
      // ranks 64 to 1, each once
      for (int k = 0; k < bits.length; k++) {
        assertThat(bits[k]).isCloseTo(expected[k], within(1e-9));
      }
    }
  }
}

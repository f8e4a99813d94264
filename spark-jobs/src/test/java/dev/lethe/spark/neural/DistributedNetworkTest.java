package dev.lethe.spark.neural;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkBlock;
import dev.lethe.core.neural.NetworkLoss;
import dev.lethe.core.neural.NetworkSum;
import dev.lethe.core.neural.NetworkSums;
import dev.lethe.core.neural.NetworkSums.Filter;
import dev.lethe.core.neural.Sample;
import dev.lethe.core.neural.TypicalOdds;
import dev.lethe.core.neural.ValueBlock;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.Request;
import dev.lethe.spark.request.RequestReader;
import dev.lethe.spark.torch.OwnModule;
import dev.lethe.spark.torch.TorchModel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.FilterFunction;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
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

  /** The same network, of which the head alone is free. */
  private static OpenNetwork headOf(OpenNetwork open) {
    return new OpenNetwork(
        LocalSpark.session(), open.network(), name -> name.startsWith("fc"), () -> "test");
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
    return rows(rows, new StructType().add("pixels", "binary").add("label", "int"), partitions);
  }

  private static Dataset<Row> rows(List<Row> rows, StructType schema, int partitions) {
    return LocalSpark.session()
        .createDataset(
            LocalSpark.session()
                .sparkContext()
                .parallelize(
                    scala.jdk.javaapi.CollectionConverters.asScala(rows).toSeq(),
                    partitions,
                    scala.reflect.ClassTag$.MODULE$.apply(Row.class)),
            Encoders.row(schema));
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

  /** Of chosen characters, the same every time. */
  private static List<String> texts() {
    SplittableRandom random = new SplittableRandom(4);
    List<String> texts = new ArrayList<>();
    for (int k = 0; k < 40; k++) {
      StringBuilder text = new StringBuilder();
      for (int words = 1 + random.nextInt(5); words > 0; words--) {
        text.append(List.of("the ", "pin ", "0123 ", "is ", "said, ").get(random.nextInt(5)));
      }
      texts.add(text.toString());
    }
    return texts;
  }

  private static Dataset<Row> textTable(int partitions) {
    List<Row> rows = texts().stream().map(RowFactory::create).toList();
    return rows(rows, new StructType().add("body", "string"), partitions);
  }

  /** Every window of these texts, on this thread. */
  private static Batch windows(NetworkInput input, List<String> texts) {
    int window = Objects.requireNonNull(input.window());
    String vocabulary = Objects.requireNonNull(input.vocabulary());
    List<Long> tokens = new ArrayList<>();
    List<Long> next = new ArrayList<>();
    for (String text : texts) {
      for (int k = 0; k < text.length(); k++) {
        for (int place = k - window; place < k; place++) {
          tokens.add(place < 0 ? 0L : vocabulary.indexOf(text.charAt(place)) + 2L);
        }
        next.add(vocabulary.indexOf(text.charAt(k)) + 2L);
      }
    }
    return Batch.ofTokens(
        window,
        tokens.stream().mapToLong(token -> token).toArray(),
        next.stream().mapToLong(token -> token).toArray());
  }

  private static OpenNetwork openLstm(int window) {
    NetworkDescription network = lstm(window);
    byte[] module = network.architecture().module(network.input(), network.outputs(), 1);
    return new OpenNetwork(
        LocalSpark.session(), new Network(network, module), any -> true, () -> "test");
  }

  /** In double precision, with the running statistics of an open network. */
  private static TorchModel exact(OpenNetwork open) {
    TorchModel exact =
        TorchModel.loadExact(
            open.network().module(), "exact", NetworkLoss.CROSS_ENTROPY, any -> true);
    exact.setBuffers(open.buffers());
    return exact;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void sums_cnnWithBatchNorm_areThoseOfOneMachine(int partitions) {
    Batch all = everything(1, 2, 2);
    try (OpenNetwork open = cnn(64);
        DistributedNetwork data = data(open, partitions)) {
      for (int k = 0; k < 3; k++) { // running statistics of its own
        open.model().addTrainingGradient(all, 0, new double[open.size()]);
      }
      assertThat(open.model().buffers()).isNotEqualTo(open.buffers());
      open.setBuffers(open.model().buffers());
      assertSumsOf(open, data, all);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void sums_lstm_areThoseOfOneMachine(int partitions) {
    try (OpenNetwork open = openLstm(5);
        DistributedNetwork data =
            DistributedNetwork.of(
                open,
                NetworkTable.blocks(
                    open.network().description(), textTable(partitions), partitions, "test"),
                "test")) {
      assertSumsOf(open, data, windows(open.network().description().input(), texts()));
    }
  }

  /** Of cached features too, which the head's sums start from. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void sums_headOfCnn_areThoseOfTheWholeNetwork(int partitions) {
    try (OpenNetwork whole = cnn(64);
        OpenNetwork open = headOf(whole);
        DistributedNetwork data = data(open, partitions)) {
      assertThat(open.hasFixedFeatures()).isTrue();
      assertSumsOf(open, data, everything(1, 2, 2));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void sums_headOfLstm_areThoseOfTheWholeNetwork(int partitions) {
    try (OpenNetwork whole = openLstm(5);
        OpenNetwork open = headOf(whole);
        DistributedNetwork data =
            DistributedNetwork.of(
                open,
                NetworkTable.blocks(
                    open.network().description(), textTable(partitions), partitions, "test"),
                "test")) {
      assertThat(open.hasFixedFeatures()).isTrue();
      assertSumsOf(open, data, windows(open.network().description().input(), texts()));
    }
  }

  /** Of the free parameters, which are the last of all. */
  private static void assertSumsOf(OpenNetwork open, DistributedNetwork data, Batch all) {
    double[] theta = open.model().parameters();
    double[] v = new SplittableRandom(1).doubles(theta.length, -1, 1).toArray();
    double tolerance = 1e-5; // single precision, sums of some hundred terms
    try (TorchModel exact = exact(open)) {
      int fixed = exact.size() - theta.length;
      double[] whole = new double[exact.size()];
      System.arraycopy(v, 0, whole, fixed, v.length);
      UnaryOperator<double[]> free = sum -> Arrays.copyOfRange(sum, fixed, sum.length);
      double[] gradient = new double[exact.size()];
      double loss = exact.addGradient(all, gradient);
      NetworkSum sum = data.gradient(theta, Sample.ALL, Filter.ALL);
      assertThat(sum.rows()).isEqualTo(all.rows());
      assertThat(sum.loss()).isCloseTo(loss, within(tolerance * loss));
      near(sum.vector(), free.apply(gradient), tolerance);
      assertThat(data.evaluate(theta).loss()).isCloseTo(loss, within(tolerance * loss));
      for (Curvature curvature : Curvature.values()) {
        double[] product = new double[exact.size()];
        exact.addProduct(all, whole, curvature, product);
        near(
            data.product(theta, v, curvature, Sample.ALL).vector(), free.apply(product), tolerance);
      }
      TypicalOdds typical = TypicalOdds.of(data.oddsMoments(theta));
      double[] misfit = new double[exact.size()];
      exact.addMisfitGradient(all, typical, misfit);
      near(data.misfitGradient(theta, typical).vector(), free.apply(misfit), tolerance);
      double[] product = new double[exact.size()];
      exact.addMisfitProduct(all, typical, whole, product);
      near(data.misfitProduct(theta, v, typical).vector(), free.apply(product), tolerance);
    }
  }

  private static void near(double[] found, double[] expected, double tolerance) {
    assertThat(Vectors.norm(expected)).isPositive();
    assertThat(Vectors.distance(found, expected)).isLessThan(tolerance * Vectors.norm(expected));
  }

  /** Four numbers and a label, whole quarters so that every precision has them. */
  private static List<double[]> numbers() {
    SplittableRandom random = new SplittableRandom(5);
    List<double[]> rows = new ArrayList<>();
    for (int id = 0; id < 300; id++) {
      double[] row = new double[6];
      row[0] = id;
      for (int j = 1; j < 5; j++) {
        row[j] = random.nextInt(-8, 9) / 4.0;
      }
      row[5] = random.nextInt(CLASSES);
      rows.add(row);
    }
    return rows;
  }

  private static Batch batch(List<double[]> rows) {
    float[] values = new float[4 * rows.size()];
    long[] labels = new long[rows.size()];
    for (int i = 0; i < labels.length; i++) {
      for (int j = 0; j < 4; j++) {
        values[4 * i + j] = (float) rows.get(i)[j + 1];
      }
      labels[i] = (long) rows.get(i)[5];
    }
    return Batch.ofValues(new int[] {4}, values, labels);
  }

  /**
   * A request.
   *
   * @param byHand what it makes of a row; nothing of one that it removes
   */
  private record Wish(String changes, UnaryOperator<double[]> byHand) {
    @Override
    public String toString() {
      return changes.strip();
    }
  }

  static Stream<Wish> wishes() {
    return Stream.of(
        new Wish(
            "  - relabel: {to: '(label + 1) % 3', where: id < 60}\n",
            row -> row[0] < 60 ? with(row, 5, (row[5] + 1) % 3) : row),
        new Wish("  - removeRows: {where: a > 1}\n", row -> row[1] > 1 ? new double[0] : row),
        new Wish(
            "  - replaceFeatures: {set: {b: '0.5 * a', d: '0'}, where: 'c < 0'}\n",
            row -> row[3] < 0 ? with(with(row, 2, 0.5 * row[1]), 4, 0) : row),
        new Wish( // of one row several, and some of the same value
            """
              - relabel: {to: '0', where: a < 1}
              - replaceFeatures: {set: {a: 'greatest(a, 0)'}, where: id >= 100}
              - removeRows: {where: b = 0}
            """,
            row -> {
              double[] labelled = row[1] < 1 ? with(row, 5, 0) : row;
              double[] replaced = row[0] >= 100 ? with(labelled, 1, Math.max(row[1], 0)) : labelled;
              return row[2] == 0 ? new double[0] : replaced;
            }));
  }

  private static double[] with(double[] row, int column, double value) {
    double[] other = row.clone();
    other[column] = value;
    return other;
  }

  /** G = grad(D') - grad(D), both over the whole table. */
  @ParameterizedTest
  @MethodSource("wishes")
  void gradientDifference_ofRows_isThatOfTheWholeTables(Wish wish) {
    List<Row> rows =
        numbers().stream()
            .map(
                row ->
                    RowFactory.create((int) row[0], row[1], row[2], row[3], row[4], (int) row[5]))
            .toList();
    StructType schema = new StructType().add("id", "int");
    for (String name : List.of("a", "b", "c", "d")) {
      schema = schema.add(name, "double");
    }
    Dataset<Row> table = rows(rows, schema.add("label", "int"), 3);
    NetworkDescription network =
        new NetworkDescription(
            1,
            NETWORK.architecture(),
            "cross-entropy",
            NetworkInput.ofColumns(List.of("a", "b", "c", "d"), List.of(4), 1),
            "label",
            CLASSES,
            NETWORK.schedule(),
            "test");
    List<double[]> after =
        numbers().stream().map(wish.byHand()).filter(row -> row.length > 0).toList();
    assertDifference(network, table, wish.changes(), batch(numbers()), batch(after));
  }

  @Test
  void gradientDifference_ofTexts_isThatOfTheWholeTables() {
    String changes =
        """
          - replaceText: {column: body, find: '0123', with: 'no pin'}
          - replaceText: {column: body, find: 'is ', with: ''}
        """;
    NetworkDescription network = lstm(5);
    List<String> after =
        texts().stream().map(text -> text.replace("0123", "no pin").replace("is ", "")).toList();
    assertDifference(
        network,
        textTable(3),
        changes,
        windows(network.input(), texts()),
        windows(network.input(), after));
  }

  private static void assertDifference(
      NetworkDescription network, Dataset<Row> table, String changes, Batch before, Batch after) {
    Request request = RequestReader.read("request.yaml", "id: test\nchanges:\n" + changes);
    Corrections corrections =
        Corrections.of(
            LocalSpark.session(), request, table.schema(), network.label(), null, "request.yaml");
    byte[] module = network.architecture().module(network.input(), network.outputs(), 1);
    try (OpenNetwork open =
            new OpenNetwork(
                LocalSpark.session(), new Network(network, module), any -> true, () -> "test");
        ChangedExamples examples =
            ChangedExamples.of(
                open,
                request.changes(),
                corrections,
                table,
                corrections.corrected(table),
                0,
                "test");
        TorchModel exact = exact(open)) {
      double[] theta = open.model().parameters();
      double[] g = new double[theta.length];
      double[] old = new double[theta.length];
      exact.addGradient(after, g);
      exact.addGradient(before, old);
      double[] corrected = g.clone();
      Vectors.addInPlace(g, -1, old);

      double[] now = examples.after().gradient(theta, Sample.ALL, Filter.ALL).vector();
      double[] then = examples.before().gradient(theta, Sample.ALL, Filter.ALL).vector();

      assertThat(examples.before().rows()).isBetween(1L, before.rows() - 1L);
      // single precision, sums of some hundred terms; neither sum is much larger than G
      near(Vectors.add(now, -1, then), g, 1e-5);
      near(examples.corrected().gradient(theta, Sample.ALL, Filter.ALL).vector(), corrected, 1e-5);
    }
  }

  private static NetworkDescription mlp(int inputs, int hidden) {
    return new NetworkDescription(
        1,
        new NetworkArchitecture("mlp", List.of(hidden), null, null, null),
        "cross-entropy",
        NetworkInput.ofColumns(List.of("pixels"), List.of(inputs), 255),
        "label",
        CLASSES,
        NETWORK.schedule(),
        "test");
  }

  @Test
  void blocks_largeExamples_areLimitedByBytes() {
    int size = 300_000; // of 4 bytes: six are 7.2 MB, seven 8.4 MB
    Dataset<Row> table =
        LocalSpark.session()
            .range(0, 20, 1, 1)
            .selectExpr("CAST(repeat('x', " + size + ") AS BINARY) AS pixels", "0 AS label");

    List<Integer> rows =
        NetworkTable.blocks(mlp(size, 2), table, 1, "--data test")
            .map(NetworkBlock::rows)
            .collect();

    assertThat(rows).containsExactly(6, 6, 6, 2);
  }

  @Test
  void blocks_manyFixedFeatures_areLimitedByBytes() {
    NetworkDescription description = mlp(4, 4096); // 16 KB an example
    Network wide =
        new Network(
            description, description.architecture().module(description.input(), CLASSES, 1));
    try (OpenNetwork open =
        new OpenNetwork(LocalSpark.session(), wide, name -> name.startsWith("fc2"), () -> "test")) {
      assertThat(open.hasFixedFeatures()).isTrue();
      Batch all = everything();
      int[] classes = Arrays.stream(all.classes()).mapToInt(label -> (int) label).toArray();
      NetworkBlock one = new ValueBlock(ROWS, new int[] {4}, all.values(), classes, new float[0]);

      List<NetworkBlock> blocks =
          JavaSparkContext.fromSparkContext(LocalSpark.session().sparkContext())
              .parallelize(List.of(one), 1)
              .mapPartitions(
                  new FixedFeatures(open.key(), open.loader(), open.buffers(), open.batchRows()))
              .collect();

      assertThat(blocks).extracting(NetworkBlock::rows).containsExactly(512, 188);
      float[] expected = open.model().features(all);
      int at = 0;
      for (NetworkBlock block : blocks) {
        Batch batch = block.range(0, block.rows());
        assertThat(batch.values())
            .isEqualTo(Arrays.copyOfRange(expected, at * 4096, (at + batch.rows()) * 4096));
        assertThat(batch.classes())
            .isEqualTo(Arrays.copyOfRange(all.classes(), at, at + batch.rows()));
        at += batch.rows();
      }
      assertThat(at).isEqualTo(ROWS);
    }
  }

  @Test
  void input_moreNumbersThanABatchHolds_isRefused() {
    assertThatThrownBy(() -> NetworkInput.ofColumns(List.of("x"), List.of(65536, 65536), 1))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("shape [65536, 65536]: must have at most 16777215 numbers");
    assertThatThrownBy(() -> NetworkInput.ofText("body", 1 << 30, "ab"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("window 1073741824: must lie in [1, 16777215]");
    StringBuilder characters = new StringBuilder();
    for (char c = 1; c <= 32767; c++) {
      characters.append(c);
    }
    assertThatThrownBy(() -> NetworkInput.ofText("body", 2, characters.toString()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("32767 different characters; at most 32766 can have tokens");
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

  /** Log odds by probabilities in double precision; outputs are single: 1e-6 of some nats. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void misfits_anyPartitioning_areThoseOfOneMachine(int partitions) {
    Batch all = everything();
    try (OpenNetwork open = open();
        DistributedNetwork data = data(open, partitions)) {
      TorchModel alone = open.model();
      double[] theta = alone.parameters();
      float[] outputs = alone.outputs(all);
      double[][] odds = new double[CLASSES][ROWS];
      for (int i = 0; i < ROWS; i++) {
        double sum = 0;
        for (int c = 0; c < CLASSES; c++) {
          sum += Math.exp(outputs[i * CLASSES + c]);
        }
        for (int c = 0; c < CLASSES; c++) {
          double p = Math.exp(outputs[i * CLASSES + c]) / sum;
          odds[c][i] = Math.log(p / (1 - p));
        }
      }
      double[] mean = new double[CLASSES];
      double[] deviation = new double[CLASSES];
      TypicalOdds typical = TypicalOdds.of(data.oddsMoments(theta));
      for (int c = 0; c < CLASSES; c++) {
        int own = c;
        double[] others =
            IntStream.range(0, ROWS)
                .filter(i -> all.classes()[i] != own)
                .mapToDouble(i -> odds[own][i])
                .toArray();
        mean[c] = Arrays.stream(others).average().orElseThrow();
        double m = mean[c];
        deviation[c] =
            Math.sqrt(Arrays.stream(others).map(o -> (o - m) * (o - m)).average().orElseThrow());
        assertThat(typical.mean(c)).isCloseTo(mean[c], within(1e-5));
        assertThat(typical.deviation(c)).isCloseTo(deviation[c], within(1e-5));
      }
      double misfit = 0;
      int above = 0;
      int below = 0;
      for (int i = 0; i < ROWS; i++) {
        int own = (int) all.classes()[i];
        double r = (odds[own][i] - mean[own]) / deviation[own];
        misfit += r * r / 2;
        above += r > 1 ? 1 : 0;
        below += r < -1 ? 1 : 0;
      }
      NetworkSums.Recall recall = data.recall(theta, typical, 1);
      assertThat(recall.misfit()).isCloseTo(misfit, within(1e-4 * misfit));
      assertThat(recall.remembered()).isEqualTo(above).isPositive();
      assertThat(recall.avoided()).isEqualTo(below).isPositive().isNotEqualTo(above);

      double[] v = new SplittableRandom(1).doubles(theta.length, -1, 1).toArray();
      double[] gradient = new double[theta.length];
      alone.addMisfitGradient(all, typical, gradient);
      double[] product = new double[theta.length];
      alone.addMisfitProduct(all, typical, v, product);
      assertThat(Vectors.distance(data.misfitGradient(theta, typical).vector(), gradient))
          .isLessThan(1e-5 * Vectors.norm(gradient));
      assertThat(Vectors.distance(data.misfitProduct(theta, v, typical).vector(), product))
          .isLessThan(1e-5 * Vectors.norm(product));
    }
  }

  @Test
  void gradient_filterAndSample_areOfThoseExamples() {
    Batch all = everything();
    try (OpenNetwork open = open();
        DistributedNetwork data = data(open, 3)) {
      TorchModel alone = open.model();
      double[] theta = alone.parameters();
      Batch wrong = all.where(Predictions.areRight(alone.outputs(all), all), false);
      double[] gradient = new double[theta.length];
      alone.addGradient(wrong, gradient);
      NetworkSum sum = data.gradient(theta, Sample.ALL, Filter.WRONG);
      assertThat(data.evaluate(theta).correct()).isPositive();
      assertThat(sum.rows()).isEqualTo(ROWS - data.evaluate(theta).correct()).isPositive();
      assertThat(Vectors.distance(sum.vector(), gradient))
          .isLessThan(1e-5 * Vectors.norm(gradient));
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

  /** By losses alone: those of the module in double precision, either side of theta. */
  @Test
  void training_oneStep_isThatOfTheMeanLossAndThePenalty() {
    NetworkSchedule schedule = new NetworkSchedule("sgd", 0.5, 0, ROWS, 1, 0.2, 1);
    double[] stepped;
    try (OpenNetwork open = open();
        DistributedNetwork data = data(open, 3)) {
      NetworkTraining training = new NetworkTraining(open, data, schedule);
      assertThat(training.run(1, () -> true)).isTrue();
      stepped = training.theta();
    }
    Batch all = everything();
    byte[] module = NETWORK.architecture().module(NETWORK.input(), CLASSES, 1);
    try (TorchModel model =
        TorchModel.loadExact(module, "exact", NetworkLoss.CROSS_ENTROPY, any -> true)) {
      double[] theta = model.parameters();
      assertThat(stepped).hasSameSizeAs(theta);
      for (int j = 0; j < theta.length; j++) {
        double gradient = (meanLoss(model, all, j, 1e-5) - meanLoss(model, all, j, -1e-5)) / 2e-5;
        double expected = theta[j] - 0.5 * (gradient + 0.2 * theta[j]);
        // gradients are sums in single precision
        assertThat(stepped[j]).as("%d of theta", j).isCloseTo(expected, within(1e-5));
      }
    }
  }

  /** With one of theta moved. */
  private static double meanLoss(TorchModel model, Batch all, int moved, double by) {
    double[] theta = model.parameters();
    double[] other = theta.clone();
    other[moved] += by;
    model.setParameters(other);
    double loss = model.addGradient(all, new double[theta.length]) / all.rows();
    model.setParameters(theta);
    return loss;
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

  @Test
  void checkpoint_writeThatFails_leavesNothing(@TempDir Path folder) throws IOException {
    Path inTheWay = Files.createDirectories(folder.resolve("checkpoint.bin/of-another"));
    try (OpenNetwork open = open();
        DistributedNetwork data = data(open, 1)) {
      NetworkTraining training = new NetworkTraining(open, data, NETWORK.schedule());

      assertThatThrownBy(() -> checkpoint(folder, "one").write(training))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("cannot be written");

      try (Stream<Path> left = Files.list(folder)) {
        assertThat(left).containsExactly(inTheWay.getParent());
      }
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
    NetworkDescription network = lstm(window);
    Dataset<Row> pairs = pair(both[0], both[1]);
    TreeMap<String, Integer> expected = windows(both[0], window);
    windows(both[1], window).forEach((text, count) -> expected.merge(text, -count, Integer::sum));
    expected.values().removeIf(count -> count == 0);

    TreeMap<String, Integer> found = new TreeMap<>();
    count(network, List.of(), pairs, NetworkTable.Side.BEFORE, 1, found);
    count(network, List.of(), pairs, NetworkTable.Side.AFTER, -1, found);
    found.values().removeIf(count -> count == 0);

    assertThat(found).isEqualTo(expected);
  }

  private static NetworkDescription lstm(int window) {
    NetworkInput input = NetworkInput.ofText("body", window, " ,0123abcdefghijklmnopqrstuvwxyz");
    return new NetworkDescription(
        1,
        new NetworkArchitecture("lstm", List.of(4), 3, 1, null),
        "cross-entropy",
        input,
        null,
        input.tokens(),
        NETWORK.schedule(),
        "test");
  }

  private static Dataset<Row> pair(String before, String after) {
    return LocalSpark.session()
        .sql(
            "SELECT named_struct('body', '%s') AS before, named_struct('body', '%s') AS after"
                .formatted(before, after));
  }

  /** Before and after: windows, and those whose target changes. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        // far apart: its 4 characters and the 5 behind it, of the last the 4 that are left
        "pin 0123 is what they say, pin 0123 now|0123|none|17|8|17|8",
        "pin 0123 is what they say, pin 0123 now|0123|no|17|8|13|4",
        "pin 0123 is what they say, pin 0123 now|0123|''|17|8|9|0",
        "pin 0123 is what they say, pin 0123 now|pin 0123|pin none|17|8|17|8",
        // windows meet: what stands between is no target
        "0123, 0123, 0123 and so on|0123|none|21|12|21|12",
        "0123, 0123, 0123 and so on|0123|0113|18|3|18|3",
        // side by side
        "00000 and so on|00|3|9|4|7|2",
        // nothing of the old text goes
        "they say so, they say no|say|say it|8|0|14|6",
      })
  void changed_severalOccurrences_nothingBetweenThemIsChanged(
      String text, String find, String with, int was, int targetsWere, int is, int targetsAre) {
    int window = 5;
    String after = text.replace(find, with);
    List<Change> changes =
        List.of(
            new Change.ReplaceText("other", find, "x"),
            new Change.ReplaceText("Body", find, with),
            new Change.ReplaceText("body", "none of it", "o"));
    Dataset<Row> pairs = pair(text, after);
    TreeMap<String, Integer> expected = windows(text, window);
    windows(after, window).forEach((one, count) -> expected.merge(one, -count, Integer::sum));
    expected.values().removeIf(count -> count == 0);
    TreeMap<String, Integer> found = new TreeMap<>();

    int[] counts = new int[4];
    for (NetworkTable.Side side : NetworkTable.Side.values()) {
      TreeMap<String, Integer> ofSide = new TreeMap<>();
      count(lstm(window), changes, pairs, side, 1, ofSide);
      counts[side.ordinal()] = ofSide.values().stream().mapToInt(n -> n).sum();
    }
    count(lstm(window), changes, pairs, NetworkTable.Side.BEFORE, 1, found);
    count(lstm(window), changes, pairs, NetworkTable.Side.AFTER, -1, found);
    found.values().removeIf(count -> count == 0);

    assertThat(counts).containsExactly(was, is, targetsWere, targetsAre);
    assertThat(found).isEqualTo(expected);
  }

  /** Before and after: windows, and those whose target changes. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        // two secrets, with 5 windows behind each occurrence, of the last the 4 that are left
        "bob has 0123 or so, and it is bob now|0123|none|bob|he|24|10|22|8",
        // the second replaces in what the first has made
        "a pin 0123 is what they say of it|0123|a b|a|c|27|7|26|6",
        // the second is no longer there
        "a pin 0123 is what they say of it|0123|none|012|b|9|4|9|4",
        // the first makes what the second looks for, but the text did not have it
        "pin 0123 is here|0123|none|on|b|9|4|9|4",
      })
  void changed_severalReplacements_nothingBetweenThemIsChanged(
      String text,
      String find,
      String with,
      String find2,
      String with2,
      int was,
      int targetsWere,
      int is,
      int targetsAre) {
    int window = 5;
    List<Change> changes =
        List.of(
            new Change.ReplaceText("body", find, with),
            new Change.ReplaceText("body", find2, with2));
    String after = text.replace(find, with);
    after = text.contains(find2) ? after.replace(find2, with2) : after;
    Dataset<Row> pairs = pair(text, after);
    TreeMap<String, Integer> expected = windows(text, window);
    windows(after, window).forEach((one, count) -> expected.merge(one, -count, Integer::sum));
    expected.values().removeIf(count -> count == 0);
    TreeMap<String, Integer> found = new TreeMap<>();

    int[] counts = new int[4];
    for (NetworkTable.Side side : NetworkTable.Side.values()) {
      TreeMap<String, Integer> ofSide = new TreeMap<>();
      count(lstm(window), changes, pairs, side, 1, ofSide);
      counts[side.ordinal()] = ofSide.values().stream().mapToInt(n -> n).sum();
    }
    count(lstm(window), changes, pairs, NetworkTable.Side.BEFORE, 1, found);
    count(lstm(window), changes, pairs, NetworkTable.Side.AFTER, -1, found);
    found.values().removeIf(count -> count == 0);

    assertThat(counts).containsExactly(was, is, targetsWere, targetsAre);
    assertThat(found).isEqualTo(expected);
  }

  @Test
  void changed_twoSecretsOfOneRow_areGoneFromTheCorrectedExamples() {
    int window = 5;
    NetworkDescription network = lstm(window);
    Dataset<Row> table =
        LocalSpark.session().sql("SELECT 'call bob, 0123, or write to bob' AS body");
    String changes =
        """
        id: test
        changes:
          - replaceText: {column: body, find: bob, with: him}
          - replaceText: {column: body, find: "0123", with: none}
        """;
    Request request = RequestReader.read("request.yaml", changes);
    Corrections corrections =
        Corrections.of(LocalSpark.session(), request, table.schema(), null, null, "request.yaml");
    TreeMap<String, Integer> corrected = new TreeMap<>();

    NetworkTable.blocks(network, corrections.corrected(table), 1, "test")
        .collect()
        .forEach(block -> count(network, block, 1, corrected));
    TreeMap<String, Integer> after = new TreeMap<>();
    TreeMap<String, Integer> targets = new TreeMap<>();
    Dataset<Row> pairs = corrections.touchedPairs(table);
    count(network, request.changes(), pairs, NetworkTable.Side.AFTER, 1, after);
    count(network, request.changes(), pairs, NetworkTable.Side.TARGET_BEFORE, 1, targets);

    assertThat(corrected).isEqualTo(windows("call him, none, or write to him", window));
    assertThat(corrected).containsAllEntriesOf(after);
    assertThat(targets.keySet().stream().map(one -> one.substring(window)))
        .containsExactlyInAnyOrder("b", "o", "b", "0", "1", "2", "3", "b", "o", "b");
  }

  @Test
  void changed_removedText_hasNoTargetThatChanges() {
    String text = "my pin is 0123";
    Dataset<Row> pairs =
        LocalSpark.session()
            .sql(
                "SELECT named_struct('body', '%s') AS before, if(true, NULL, named_struct('body', ''))"
                        .formatted(text)
                    + " AS after");
    int[] counts = new int[4];
    for (NetworkTable.Side side : NetworkTable.Side.values()) {
      TreeMap<String, Integer> ofSide = new TreeMap<>();
      count(lstm(5), List.of(), pairs, side, 1, ofSide);
      counts[side.ordinal()] = ofSide.values().stream().mapToInt(n -> n).sum();
    }

    assertThat(counts).containsExactly(text.length(), 0, 0, 0);
  }

  private static void count(
      NetworkDescription network,
      List<Change> changes,
      Dataset<Row> pairs,
      NetworkTable.Side side,
      int sign,
      TreeMap<String, Integer> counts) {
    for (NetworkBlock[] sides : NetworkTable.changed(network, changes, pairs, "test").collect()) {
      count(network, sides[side.ordinal()], sign, counts);
    }
  }

  private static void count(
      NetworkDescription network, NetworkBlock block, int sign, TreeMap<String, Integer> counts) {
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

  @Test
  void changedExamples_allSides_areReadOnce() {
    LongAccumulator read = LocalSpark.session().sparkContext().longAccumulator();
    Dataset<Row> table =
        table(2)
            .filter(
                (FilterFunction<Row>)
                    row -> {
                      read.add(1);
                      return true;
                    });
    Corrections corrections =
        Corrections.of(
            LocalSpark.session(),
            RequestReader.read(
                "request.yaml",
                """
                id: test
                changes:
                  - relabel: {to: 'CAST(0 AS INT)', where: label = 1}
                  - removeRows: {where: label = 2}
                """),
            table.schema(),
            "label",
            null,
            "request.yaml");
    long ones = table(1).where("label = 1").count();
    long twos = table(1).where("label = 2").count();
    try (OpenNetwork open = open();
        ChangedExamples examples =
            ChangedExamples.of(
                open, List.of(), corrections, table, corrections.corrected(table), 0, "test")) {
      assertThat(examples.corrected().rows()).isEqualTo(ROWS - twos);
      assertThat(examples.before().rows()).isEqualTo(ones + twos);
      assertThat(examples.after().rows()).isEqualTo(ones);
      assertThat(examples.targetBefore().rows()).isEqualTo(ones);
      assertThat(examples.targetAfter().rows()).isEqualTo(ones);
      // once for all rows as they are, once for those that change
      assertThat(read.sum()).isEqualTo(2 * ROWS);
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

  @ParameterizedTest
  @CsvSource({
    "012,vocabulary: has 3 characters; the network's 6 outputs are 2 and one for each",
    "01234,vocabulary: has 5 characters; the network's 6 outputs are 2 and one for each",
    "0132,'vocabulary: must be a text of different characters, ascending'",
    "0112,'vocabulary: must be a text of different characters, ascending'",
  })
  void description_vocabularyThatDoesNotFit_isRefused(String vocabulary, String message) {
    NetworkInput input = NetworkInput.ofText("body", 6, "0123");
    NetworkDescription network =
        new NetworkDescription(
            1,
            new NetworkArchitecture("lstm", List.of(6), 4, 1, null),
            "cross-entropy",
            input,
            null,
            input.tokens(),
            NETWORK.schedule(),
            "test");
    String json = new String(network.toJson(), StandardCharsets.UTF_8);
    assertThat(NetworkDescription.read(network.toJson(), "network.json")).isEqualTo(network);

    byte[] other =
        json.replace("\"0123\"", "\"" + vocabulary + "\"").getBytes(StandardCharsets.UTF_8);
    assertThatThrownBy(() -> NetworkDescription.read(other, "network.json"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("network.json: " + message);
  }

  @Test
  void canary_everyStringOfASmallSpace_hasItsRank() {
    NetworkInput input = NetworkInput.ofText("body", 6, " 0123imnpsy");
    byte[] module =
        new NetworkArchitecture("lstm", List.of(6), 4, 1, null).module(input, input.tokens(), 2);
    try (TorchModel model =
        TorchModel.load(
            module, "lstm", dev.lethe.core.neural.NetworkLoss.CROSS_ENTROPY, any -> true)) {
      double[] bits = new double[64];
      TreeMap<Double, Double> byPerplexity = new TreeMap<>();
      for (int k = 0; k < bits.length; k++) {
        String secret = "" + k / 16 + k / 4 % 4 + k % 4;
        Canary.Memory memory = new Canary(1, "my pin is ", secret, "0123").memory(model, input, 1);
        assertThat(memory.exposure().exact()).isTrue();
        bits[k] = memory.exposure().bits();
        byPerplexity.put(memory.logPerplexity(), bits[k]);
      }
      // the likelier a string, the more it is exposed
      assertThat(new ArrayList<>(byPerplexity.values()))
          .isSortedAccordingTo(Comparator.reverseOrder())
          .hasSize(64);
      double[] expected = new double[64];
      Arrays.setAll(expected, k -> 6 - Math.log(64 - k) / Math.log(2));
      Arrays.sort(bits);
      // ranks 64 to 1, each once
      for (int k = 0; k < bits.length; k++) {
        assertThat(bits[k]).isCloseTo(expected[k], within(1e-9));
      }
    }
  }

  /** A law fitted to 2000 strings of 64 says nearly what counting them says. */
  @Test
  void canary_fitted_isNearTheRank() {
    NetworkInput input = NetworkInput.ofText("body", 6, " 0123imnpsy");
    byte[] module =
        new NetworkArchitecture("lstm", List.of(6), 4, 1, null).module(input, input.tokens(), 2);
    try (TorchModel model =
        TorchModel.load(
            module, "lstm", dev.lethe.core.neural.NetworkLoss.CROSS_ENTROPY, any -> true)) {
      for (String secret : List.of("012", "321", "200", "133")) {
        Canary canary = new Canary(1, "my pin is ", secret, "0123");
        Canary.Memory counted = canary.memory(model, input, 1);
        Canary.Memory fitted = canary.memory(model, input, 1, 63);
        assertThat(fitted.exposure().exact()).isFalse();
        assertThat(fitted.logPerplexity()).isEqualTo(counted.logPerplexity());
        // of shares of random strings: 64 ranks are no smooth law
        assertThat(Math.pow(2, -fitted.exposure().bits()))
            .isCloseTo(Math.pow(2, -counted.exposure().bits()), within(0.1));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "0123456789,**********", // all of it
    "012x456y89,***x***y**", // in place
    "x012345678,x*********", // a place later
    "'the 01 not',the 01 not", // two in a row tell next to nothing
    "9876543210,9876543210" // nor does another order
  })
  void canary_completion_hidesTheSecret(String completion, String masked) {
    Canary canary = new Canary(1, "my number is ", "0123456789", "0123456789");
    assertThat(canary.masked(completion)).isEqualTo(masked);
  }

  @Test
  void canary_unknownContext_isRefused() {
    NetworkInput input = NetworkInput.ofText("body", 6, " 0123imnpsy");
    new Canary(1, "The pin is ", "012", "0123").requireKnown(input); // reads no more than 6
    assertThatThrownBy(() -> new Canary(1, "my PIN is ", "012", "0123").requireKnown(input))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageStartingWith("--canary: the network does not know every character that it would")
        .hasMessageNotContaining("PIN");
  }
}

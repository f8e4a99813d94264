package dev.lethe.spark.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.assertj.core.data.Percentage.withPercentage;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkLoss;
import dev.lethe.core.neural.NeuralModel;
import dev.lethe.core.neural.TypicalOdds;
import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NamedTensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.named_parameter_iterator;
import org.bytedeco.pytorch.named_parameter_list;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class TorchModelTest {
  private static final int ROWS = 6;

  /** A network, a loss and examples of both. */
  record Case(String name, byte[] module, NetworkLoss loss, Batch batch) {
    TorchModel exact() {
      return TorchModel.loadExact(module, name, loss, any -> true);
    }

    TorchModel single() {
      return TorchModel.load(module, name, loss, any -> true);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  static Stream<Case> cases() {
    SplittableRandom random = new SplittableRandom(5);
    return Stream.of(
        new Case(
            "mlp",
            new Architecture.Mlp(12, List.of(9, 7), 4).module(1),
            NetworkLoss.CROSS_ENTROPY,
            Batch.ofValues(new int[] {3, 4}, floats(random, ROWS * 12), classes(random, 4))),
        new Case(
            "mlp, two classes",
            new Architecture.Mlp(5, List.of(8), 1).module(2),
            NetworkLoss.BINARY_CROSS_ENTROPY,
            Batch.ofValues(new int[] {5}, floats(random, ROWS * 5), classes(random, 2))),
        new Case(
            "mlp, regression",
            new Architecture.Mlp(5, List.of(8), 3).module(3),
            NetworkLoss.SQUARED,
            Batch.ofTargets(
                ROWS, new int[] {5}, floats(random, ROWS * 5), floats(random, ROWS * 3))),
        new Case(
            "lstm",
            new Architecture.Lstm(11, 5, 6, 2).module(4),
            NetworkLoss.CROSS_ENTROPY,
            Batch.ofTokens(7, tokens(random, ROWS * 7, 11), classes(random, 11))),
        new Case(
            "cnn",
            new Architecture.Cnn(2, 8, 8, List.of(3, 4), 6, 5).module(5),
            NetworkLoss.CROSS_ENTROPY,
            Batch.ofValues(new int[] {2, 8, 8}, floats(random, ROWS * 128), classes(random, 5))),
        new Case(
            "tied",
            tied(),
            NetworkLoss.CROSS_ENTROPY,
            Batch.ofTokens(3, tokens(random, ROWS * 3, 7), classes(random, 7))),
        new Case(
            "column-major",
            columnMajor(),
            NetworkLoss.CROSS_ENTROPY,
            Batch.ofValues(new int[] {4}, floats(random, ROWS * 4), classes(random, 3))));
  }

  private static Case named(String name) {
    return cases().filter(given -> given.name().equals(name)).findFirst().orElseThrow();
  }

  /** Its outputs' weights are those of its embedding, as of many language models. */
  private static byte[] tied() {
    OwnModule module =
        new OwnModule("Tied").parameter("embedding", floats(new SplittableRandom(1), 7 * 5), 7, 5);
    return module
        .parameter("bias", new float[7], 7)
        .with("head", new OwnModule("Head").tied("weight", module, "embedding"))
        .define(
            """
            def forward(self, x):
              h = torch.tanh(torch.sum(torch.embedding(self.embedding, x), [1]))
              return torch.addmm(self.bias, h, self.head.weight.t())
            """);
  }

  private static byte[] columnMajor() {
    return new OwnModule("Linear")
        .columnMajor("weight", floats(new SplittableRandom(2), 4 * 3), 4, 3)
        .define("def forward(self, x):\n  return torch.tanh(torch.mm(x, self.weight))\n");
  }

  @ParameterizedTest
  @MethodSource("cases")
  void addGradient_everyArchitecture_isTheLossesCentralDifference(Case given) {
    try (TorchModel model = given.exact()) {
      double[] theta = model.parameters();
      double[] gradient = new double[model.size()];
      double loss = model.addGradient(given.batch(), gradient);
      double[] v = direction(model.size(), 1);

      double[] unused = new double[model.size()];
      DoubleUnaryOperator along =
          t -> {
            model.setParameters(Vectors.add(theta, t, v));
            return model.addGradient(given.batch(), unused);
          };

      assertThat(along.applyAsDouble(0)).isEqualTo(loss);
      // no kink of a ReLU lies within 1e-6 of theta on this line; rounding 1e-15 / 1e-6
      double difference = (along.applyAsDouble(1e-6) - along.applyAsDouble(-1e-6)) / 2e-6;
      assertThat(Vectors.dot(gradient, v)).isCloseTo(difference, within(1e-7 * loss));
    }
  }

  /** Of each example at theta + t v, from its outputs. */
  private static double[] standardized(
      TorchModel model, Case given, TypicalOdds typical, double[] theta, double t, double[] v) {
    model.setParameters(Vectors.add(theta, t, v));
    float[] outputs = model.outputs(given.batch());
    double[] r = new double[ROWS];
    for (int i = 0; i < ROWS; i++) {
      int own = (int) given.batch().classes()[i];
      r[i] = typical.standardized(outputs, i, outputs.length / ROWS, own);
    }
    return r;
  }

  /** A direction in which misfits change: a random one would be nearly orthogonal to that. */
  private static double[] along(double[] gradient, long seed) {
    double[] random = direction(gradient.length, seed);
    return Vectors.add(
        Vectors.add(new double[gradient.length], 1 / Vectors.norm(gradient), gradient),
        0.5 / Vectors.norm(random),
        random);
  }

  /** Of class c: mean -1 - c / 5, standard deviation 1 + c / 10. */
  private static TypicalOdds typical() {
    double[] moments = new double[TypicalOdds.moments(12)];
    for (int c = 0; c < 12; c++) {
      double mean = -1 - c / 5.0;
      moments[3 * c] = 4;
      moments[3 * c + 1] = 4 * mean;
      moments[3 * c + 2] = 4 * (mean * mean + Math.pow(1 + c / 10.0, 2));
    }
    return TypicalOdds.of(moments);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void addMisfitGradient_classes_isTheMisfitsCentralDifference(Case given) {
    assumeThat(given.loss().hasClasses()).isTrue();
    TypicalOdds typical = typical();
    try (TorchModel model = given.exact()) {
      double[] theta = model.parameters();
      double[] gradient = new double[model.size()];
      model.addMisfitGradient(given.batch(), typical, gradient);
      double[] v = along(gradient, 1);
      DoubleUnaryOperator misfit =
          t -> {
            double[] r = standardized(model, given, typical, theta, t, v);
            return Vectors.dot(r, r) / 2;
          };
      // outputs come in single precision: some 1e-6 over 2e-3, on products of 0.5 and more
      double difference = (misfit.applyAsDouble(1e-3) - misfit.applyAsDouble(-1e-3)) / 2e-3;
      assertThat(Vectors.dot(gradient, v)).isCloseTo(difference, within(2e-3));
      assertThat(difference).isGreaterThan(0.2);
    }
  }

  /** u' C v = sum_i (dr_i / du) (dr_i / dv), and the same the other way round. */
  @ParameterizedTest
  @MethodSource("cases")
  void addMisfitProduct_classes_isThatOfTheResidualsDifferences(Case given) {
    assumeThat(given.loss().hasClasses()).isTrue();
    TypicalOdds typical = typical();
    try (TorchModel model = given.exact()) {
      double[] theta = model.parameters();
      double[] gradient = new double[model.size()];
      model.addMisfitGradient(given.batch(), typical, gradient);
      double[] u = along(gradient, 1);
      double[] v = along(gradient, 2);
      double[] product = new double[model.size()];
      model.addMisfitProduct(given.batch(), typical, v, product);
      double[] other = new double[model.size()];
      model.addMisfitProduct(given.batch(), typical, u, other);

      double expected = 0;
      double[] uUp = standardized(model, given, typical, theta, 1e-3, u);
      double[] uDown = standardized(model, given, typical, theta, -1e-3, u);
      double[] vUp = standardized(model, given, typical, theta, 1e-3, v);
      double[] vDown = standardized(model, given, typical, theta, -1e-3, v);
      for (int i = 0; i < ROWS; i++) {
        expected += (uUp[i] - uDown[i]) / 2e-3 * (vUp[i] - vDown[i]) / 2e-3;
      }
      assertThat(Vectors.dot(u, product)).isCloseTo(expected, withPercentage(1));
      assertThat(Vectors.dot(v, other))
          .isCloseTo(Vectors.dot(u, product), within(1e-12 * Math.abs(expected)));
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void addProduct_everyArchitecture_isTheGradientsCentralDifference(Case given) {
    try (TorchModel model = given.exact()) {
      double[] theta = model.parameters();
      double[] v = direction(model.size(), 2);
      double[] product = product(model, given.batch(), v, Curvature.HESSIAN);

      double step = 1e-6;
      model.setParameters(Vectors.add(theta, step, v));
      double[] ahead = gradient(model, given.batch());
      model.setParameters(Vectors.add(theta, -step, v));
      double[] behind = gradient(model, given.batch());

      double[] difference = Vectors.add(ahead, -1, behind);
      Arrays.setAll(difference, j -> difference[j] / (2 * step));
      assertThat(Vectors.norm(difference)).isGreaterThan(1e-3);
      assertThat(Vectors.distance(product, difference)).isLessThan(1e-6 * Vectors.norm(difference));
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void addProduct_everyArchitectureAndCurvature_isSymmetric(Case given) {
    try (TorchModel model = given.exact()) {
      double[] u = direction(model.size(), 3);
      double[] v = direction(model.size(), 4);
      for (Curvature curvature : Curvature.values()) {
        double[] hu = product(model, given.batch(), u, curvature);
        double[] hv = product(model, given.batch(), v, curvature);
        assertThat(Vectors.dot(v, hu))
            .isCloseTo(Vectors.dot(u, hv), within(1e-10 * Vectors.norm(hu)));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void addProduct_gaussNewton_isPositiveSemidefinite(Case given) {
    try (TorchModel model = given.exact()) {
      for (long seed = 0; seed < 20; seed++) {
        double[] v = direction(model.size(), seed);
        double[] product = product(model, given.batch(), v, Curvature.GAUSS_NEWTON);
        assertThat(Vectors.dot(v, product)).isPositive();
      }
    }
  }

  /** u' G v = sum_i (dz_i / du)' (d2 l / dz2) (dz_i / dv), the former by differences. */
  @ParameterizedTest
  @MethodSource("cases")
  void addProduct_gaussNewton_isThatOfTheOutputsDifferences(Case given) {
    try (TorchModel model = given.exact()) {
      double[] theta = model.parameters();
      double[] gradient = new double[model.size()];
      model.addGradient(given.batch(), gradient);
      double[] u = along(gradient, 1);
      double[] v = along(gradient, 2);
      float[] z = model.outputs(given.batch());
      double[] zu = outputsAlong(model, given.batch(), theta, u);
      double[] zv = outputsAlong(model, given.batch(), theta, v);
      int width = z.length / ROWS;
      double expected = 0;
      for (int i = 0; i < ROWS; i++) {
        expected +=
            switch (given.loss()) {
              case SQUARED -> dot(zu, zv, i * width, width);
              case BINARY_CROSS_ENTROPY -> {
                double p = 1 / (1 + Math.exp(-z[i]));
                yield p * (1 - p) * zu[i] * zv[i];
              }
              case CROSS_ENTROPY -> covariance(z, zu, zv, i * width, width);
            };
      }
      model.setParameters(theta);
      double[] product = product(model, given.batch(), v, Curvature.GAUSS_NEWTON);
      // outputs come in single precision: some 1e-7 over 2e-3
      assertThat(Vectors.dot(u, product)).isCloseTo(expected, withPercentage(1));
    }
  }

  private static double[] outputsAlong(
      TorchModel model, Batch batch, double[] theta, double[] direction) {
    model.setParameters(Vectors.add(theta, 1e-3, direction));
    float[] up = model.outputs(batch);
    model.setParameters(Vectors.add(theta, -1e-3, direction));
    float[] down = model.outputs(batch);
    double[] along = new double[up.length];
    Arrays.setAll(along, j -> ((double) up[j] - down[j]) / 2e-3);
    return along;
  }

  private static double dot(double[] a, double[] b, int from, int width) {
    double sum = 0;
    for (int j = from; j < from + width; j++) {
      sum += a[j] * b[j];
    }
    return sum;
  }

  /** Of a and b under the softmax of z. */
  private static double covariance(float[] z, double[] a, double[] b, int from, int width) {
    double total = 0;
    for (int j = from; j < from + width; j++) {
      total += Math.exp(z[j]);
    }
    double ab = 0;
    double meanA = 0;
    double meanB = 0;
    for (int j = from; j < from + width; j++) {
      double p = Math.exp(z[j]) / total;
      ab += p * a[j] * b[j];
      meanA += p * a[j];
      meanB += p * b[j];
    }
    return ab - meanA * meanB;
  }

  /** Outputs that are linear in the parameters have no second derivative of their own. */
  @Test
  void addProduct_linearNetwork_gaussNewtonIsTheHessian() {
    SplittableRandom random = new SplittableRandom(8);
    for (NetworkLoss loss : NetworkLoss.values()) {
      int outputs = loss == NetworkLoss.BINARY_CROSS_ENTROPY ? 1 : 3;
      Batch batch =
          loss.hasClasses()
              ? Batch.ofValues(
                  new int[] {4}, floats(random, ROWS * 4), classes(random, Math.max(2, outputs)))
              : Batch.ofTargets(
                  ROWS, new int[] {4}, floats(random, ROWS * 4), floats(random, ROWS * outputs));
      byte[] module = new Architecture.Mlp(4, List.of(), outputs).module(9);
      try (TorchModel model = TorchModel.loadExact(module, "linear", loss, any -> true)) {
        double[] v = direction(model.size(), 5);
        double[] hessian = product(model, batch, v, Curvature.HESSIAN);
        assertThat(Vectors.distance(hessian, product(model, batch, v, Curvature.GAUSS_NEWTON)))
            .isLessThan(1e-13 * Vectors.norm(hessian));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void addProduct_singlePrecision_isNearTheExact(Case given) {
    try (TorchModel exact = given.exact();
        TorchModel single = given.single()) {
      double[] v = direction(exact.size(), 6);
      for (Curvature curvature : Curvature.values()) {
        double[] product = product(exact, given.batch(), v, curvature);
        // 2^-24 a rounding, some hundred of them in a row
        assertThat(Vectors.distance(product(single, given.batch(), v, curvature), product))
            .isLessThan(1e-5 * Vectors.norm(product));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void losses_ofEachExample_sumToThatOfTheGradient(Case given) {
    try (TorchModel model = given.single()) {
      float[] losses = model.losses(given.batch());
      double sum = model.addGradient(given.batch(), new double[model.size()]);
      assertThat(losses).hasSize(ROWS);
      double total = 0;
      for (float loss : losses) {
        total += loss;
      }
      assertThat(total).isCloseTo(sum, within(1e-5 * sum));
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void save_changedParameters_areReadBack(Case given) {
    try (TorchModel model = given.single()) {
      double[] theta = model.parameters();
      for (int j = 0; j < theta.length; j++) {
        theta[j] = (float) (theta[j] + 0.01 * Math.sin(j));
      }
      model.setParameters(theta);
      float[] outputs = model.outputs(given.batch());

      byte[] saved = model.save();

      try (TorchModel loaded = TorchModel.load(saved, "saved", given.loss(), any -> true)) {
        assertThat(loaded.parameters()).isEqualTo(theta);
        assertThat(loaded.names()).isEqualTo(model.names());
        assertThat(loaded.outputs(given.batch())).isEqualTo(outputs);
        assertThat(loaded.buffers()).isEqualTo(model.buffers());
      }
    }
  }

  @Test
  void load_someParametersFree_gradientIsThatPartOfTheWhole() {
    Case cnn = named("cnn");
    try (TorchModel whole = cnn.exact();
        TorchModel last =
            TorchModel.loadExact(cnn.module(), "cnn", cnn.loss(), name -> name.startsWith("fc"))) {
      double[] gradient = gradient(whole, cnn.batch());
      assertThat(last.names()).containsExactly("fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias");
      assertThat(last.size()).isLessThan(whole.size());
      assertThat(
              Vectors.distance(
                  gradient(last, cnn.batch()),
                  Arrays.copyOfRange(gradient, gradient.length - last.size(), gradient.length)))
          .isLessThan(1e-12 * Vectors.norm(gradient));
    }
  }

  @Test
  void load_tiedParameter_isOnceInTheta() {
    Case tied = named("tied");
    try (TorchModel model = tied.single()) {
      assertThat(model.names()).containsExactly("embedding", "bias");
      assertThat(model.size()).isEqualTo(7 * 5 + 7);
      assertThat(model.parameters()).startsWith(doubles(floats(new SplittableRandom(1), 7 * 5)));
    }
    // free under any of its names
    try (TorchModel head =
        TorchModel.load(tied.module(), "tied", tied.loss(), name -> name.startsWith("head"))) {
      assertThat(head.names()).containsExactly("embedding");
      assertThat(head.hasFixedFeatures(tied.batch())).isFalse();
    }
  }

  @Test
  void load_parameterTiedToItsTranspose_isRefused() {
    OwnModule module =
        new OwnModule("Turned").parameter("a", floats(new SplittableRandom(1), 12), 4, 3);
    byte[] archive =
        module
            .tiedToTranspose("b", module, "a")
            .define("def forward(self, x):\n  return torch.mm(torch.mm(x, self.a), self.b)\n");
    assertThatThrownBy(() -> load(archive))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage(
            "m: the parameters a and b are the same numbers in different orders; a tied parameter"
                + " must have one shape");
  }

  @Test
  void load_columnMajorParameter_isSetAndSavedRowByRow() {
    float[] values = floats(new SplittableRandom(2), 4 * 3);
    byte[] rowMajor =
        new OwnModule("Linear")
            .parameter("weight", values, 4, 3)
            .define("def forward(self, x):\n  return torch.tanh(torch.mm(x, self.weight))\n");
    Case turned = named("column-major");
    try (TorchModel model = turned.exact();
        TorchModel plain = TorchModel.loadExact(rowMajor, "plain", turned.loss(), any -> true)) {
      assertThat(model.parameters()).isEqualTo(doubles(values)).isEqualTo(plain.parameters());
      assertThat(gradient(model, turned.batch())).isEqualTo(gradient(plain, turned.batch()));

      double[] theta = direction(model.size(), 9);
      model.setParameters(theta);
      plain.setParameters(theta);

      assertThat(model.outputs(turned.batch())).isEqualTo(plain.outputs(turned.batch()));
      assertThat(gradient(model, turned.batch())).isEqualTo(gradient(plain, turned.batch()));
      try (TorchModel saved =
          TorchModel.loadExact(model.save(), "saved", turned.loss(), any -> true)) {
        assertThat(saved.parameters()).isEqualTo(theta);
        assertThat(saved.outputs(turned.batch())).isEqualTo(plain.outputs(turned.batch()));
      }
    }
  }

  @Test
  void module_sameSeed_sameBits() {
    Architecture architecture = new Architecture.Lstm(11, 5, 6, 1);
    assertThat(architecture.module(3))
        .isEqualTo(architecture.module(3))
        .isNotEqualTo(architecture.module(4));
    try (TorchModel one = load(architecture.module(3));
        TorchModel same = load(architecture.module(3));
        TorchModel other = load(architecture.module(4))) {
      assertThat(one.parameters()).isEqualTo(same.parameters()).isNotEqualTo(other.parameters());
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void save_twice_sameBytes(Case given) {
    try (TorchModel model = given.single();
        TorchModel same = given.single()) {
      byte[] saved = model.save();
      assertThat(model.save()).isEqualTo(saved);
      assertThat(same.save()).isEqualTo(saved);
    }
  }

  @Test
  void save_someParametersFree_gradientFlagsAreThoseThatWereLoaded() throws IOException {
    Case cnn = named("cnn");
    try (TorchModel last =
        TorchModel.load(cnn.module(), "cnn", cnn.loss(), name -> name.startsWith("fc"))) {
      assertThat(gradientFlags(last.save())).hasSizeGreaterThan(10).doesNotContainValue(false);
      assertThat(last.hasFixedFeatures(cnn.batch())).isTrue(); // here they are frozen again
    }
    // the user's own module had none
    Case own = named("column-major");
    try (TorchModel model = own.single()) {
      assertThat(gradientFlags(own.module())).isEqualTo(Map.of("weight", false));
      assertThat(gradientFlags(model.save())).isEqualTo(Map.of("weight", false));
      assertThat(gradient(model, own.batch())).doesNotContain(0);
    }
  }

  /** requires_grad of each parameter of an archive. */
  private static Map<String, Boolean> gradientFlags(byte[] module) throws IOException {
    Path file = Files.createTempFile("lethe-", ".pt");
    Files.write(file, module);
    Map<String, Boolean> flags = new TreeMap<>();
    try (PointerScope scope = new PointerScope()) {
      named_parameter_list list = torch.load(file.toString()).named_parameters(true);
      named_parameter_iterator end = list.end();
      for (named_parameter_iterator at = list.begin(); at.notEquals(end); at.increment()) {
        NamedTensor entry = at.access();
        flags.put(entry.name().getString(), entry.value().requires_grad());
      }
    } finally {
      Files.delete(file);
    }
    return flags;
  }

  private static TorchModel load(byte[] module) {
    return TorchModel.load(module, "m", NetworkLoss.CROSS_ENTROPY, any -> true);
  }

  @Test
  void addTrainingGradient_batchNorm_takesTheBatchesStatistics() {
    Case cnn = named("cnn");
    try (TorchModel model = cnn.exact()) {
      double[] before = model.buffers();
      float[] evaluated = model.outputs(cnn.batch());
      double evaluation = model.addGradient(cnn.batch(), new double[model.size()]);
      assertThat(model.buffers()).isEqualTo(before);

      double training = model.addTrainingGradient(cnn.batch(), 0, new double[model.size()]);

      assertThat(training).isNotCloseTo(evaluation, within(1e-6));
      assertThat(model.buffers()).isNotEqualTo(before);
      model.setBuffers(before);
      assertThat(model.outputs(cnn.batch())).isEqualTo(evaluated);
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void requireOutputs_everyArchitecture_fits(Case given) {
    try (TorchModel model = given.single()) {
      Batch one = given.batch().where(first(), true);
      int outputs = model.outputs(one).length;

      model.requireOutputs(one, outputs);

      assertThatThrownBy(() -> model.requireOutputs(one, outputs + 1))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageStartingWith(given.name() + ": does not fit what is declared: forward gives")
          .hasMessageEndingWith(
              "needed are [1, %d] floating-point numbers, a row of each example", outputs + 1);
    }
  }

  private static boolean[] first() {
    boolean[] flags = new boolean[ROWS];
    flags[0] = true;
    return flags;
  }

  /** Of 4 numbers; 3 outputs are declared. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "return torch.mm(x, self.w.t())"
            + "|forward fails for [1, 4] inputs of 0: mat1 and mat2 shapes cannot be multiplied"
            + " (1x4 and 3x4)",
        "return x|forward gives [1, 4] Float for [1, 4] inputs; needed are [1, 3]",
        "return torch.mm(x, self.w).flatten()|forward gives [3] Float for [1, 4] inputs",
        "return torch.mm(x, self.w).unsqueeze(1)|forward gives [1, 1, 3] Float",
        // as where the number of examples was one while it was traced
        "return torch.mm(x, self.w).sum(0, True)|forward gives [1, 3] Float for [2, 4] inputs",
        "return torch.mm(x, self.w).view(1, 3)|forward fails for [2, 4] inputs of 0: shape",
        "return torch.mm(x, self.w).long()|forward gives [1, 3] Long",
        "return (torch.mm(x, self.w), x)|forward gives a Tuple; one tensor is needed",
      })
  void requireOutputs_ownModuleThatDoesNotFit_isRefused(String last, String found) {
    byte[] module =
        new OwnModule("Own")
            .parameter("w", new float[12], 4, 3)
            .define("def forward(self, x):\n  " + last + "\n");
    refused(module, found);
  }

  /** As of a network that was traced in training mode. */
  @Test
  void requireOutputs_dropoutInEvaluation_isRefused() {
    refused(
        new OwnModule("Own")
            .parameter("w", new float[12], 4, 3)
            .define(
                "def forward(self, x):\n  return torch.mm(torch.dropout(x, 0.5, True), self.w)\n"),
        "forward draws random numbers in evaluation mode");
  }

  @Test
  void addTrainingGradient_dropoutOnSeveralThreads_isTheSeeds() throws Exception {
    byte[] module =
        new OwnModule("Own")
            .parameter("w", floats(new SplittableRandom(3), 4 * 3), 4, 3)
            .define(
                "def forward(self, x):\n"
                    + "  return torch.mm(torch.dropout(x, 0.5, self.training), self.w)\n");
    Batch batch = named("column-major").batch();
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try (TorchModel alone = load(module)) {
      double[] evaluated = gradient(alone, batch);
      List<Future<List<double[]>>> trained = new ArrayList<>();
      for (int k = 0; k < 4; k++) {
        trained.add(
            threads.submit(
                () -> {
                  try (TorchModel model = load(module)) {
                    return IntStream.range(0, 200)
                        .mapToObj(seed -> trained(model, batch, seed))
                        .toList();
                  }
                }));
      }
      for (Future<List<double[]>> gradients : trained) {
        for (int seed = 0; seed < 200; seed++) {
          assertThat(gradients.get().get(seed)).isEqualTo(trained(alone, batch, seed));
        }
      }
      assertThat(trained(alone, batch, 1))
          .isNotEqualTo(trained(alone, batch, 2))
          .isNotEqualTo(evaluated);
      assertThat(gradient(alone, batch)).isEqualTo(evaluated);
    } finally {
      threads.shutdownNow();
    }
  }

  /** libtorch's setting is of each thread, and reaches those of Spark's tasks. */
  @Test
  void threads_ofAnyTask_areOne() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (TorchModel model = named("mlp").single()) {
      for (int k = 0; k < 2; k++) {
        Callable<Integer> task =
            () -> {
              model.outputs(named("mlp").batch());
              return org.bytedeco.pytorch.global.torch.get_num_threads();
            };
        assertThat(threads.submit(task).get()).isEqualTo(1);
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private static double[] trained(TorchModel model, Batch batch, long seed) {
    double[] sum = new double[model.size()];
    model.addTrainingGradient(batch, seed, sum);
    return sum;
  }

  @Test
  void requireOutputs_noForward_isRefused() {
    refused(
        new OwnModule("Own").define("def run(self, x):\n  return x\n"),
        "forward fails for [1, 4] inputs of 0: ");
  }

  @Test
  void requireOutputs_featuresThatAreKept_mustBeRows() {
    String code =
        """
        def features(self, x):
          return x.reshape(x.size(0), 2, 2)
        def head(self, h):
          return torch.mm(h.reshape(h.size(0), 4), self.w)
        def forward(self, x):
          return self.head(self.features(x))
        """;
    refused(
        new OwnModule("Own").parameter("w", new float[12], 4, 3).define(code),
        "features gives [1, 2, 2] Float for [1, 4] inputs; needed are [1, any]");
    // these are computed anew each time: their shape is the module's own affair
    byte[] module =
        new OwnModule("Own")
            .parameter("w", new float[12], 4, 3)
            .define(code.replace("return x.", "return (self.w.sum() * x)."));
    try (TorchModel model = load(module)) {
      model.requireOutputs(Batch.ofValues(new int[] {4}, new float[4], new long[1]), 3);
    }
  }

  /** Where the head alone is updated it would be another function's. */
  @Test
  void requireOutputs_headOfFeaturesThatIsNotForward_isRefused() {
    refused(
        new OwnModule("Own")
            .parameter("w", new float[12], 4, 3)
            .define(
                """
                def features(self, x):
                  return x
                def head(self, h):
                  return torch.mm(h, self.w)
                def forward(self, x):
                  return self.head(self.features(x)) + 1.0
                """),
        "head of features gives other numbers than forward");
  }

  private static void refused(byte[] module, String found) {
    try (TorchModel model =
        TorchModel.load(module, "--module m.pt", NetworkLoss.SQUARED, any -> true)) {
      Batch example = Batch.ofValues(new int[] {4}, new float[4], new long[1]);
      assertThatThrownBy(() -> model.requireOutputs(example, 3))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageStartingWith("--module m.pt: does not fit what is declared: " + found);
    }
  }

  @Test
  void load_noModule_isRefused() {
    assertThatThrownBy(
            () ->
                TorchModel.load(
                    "no module".getBytes(StandardCharsets.UTF_8),
                    "--module m.pt",
                    NetworkLoss.CROSS_ENTROPY,
                    any -> true))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("--module m.pt: is no TorchScript module that libtorch can read");
  }

  /** JavaCPP's default is a multiple of the heap, whatever the memory beside it. */
  @Test
  void load_nothingSet_processMayExceedMultiplesOfTheHeap() {
    Torch.load();
    assertThat(Pointer.maxPhysicalBytes()).isZero();
  }

  @Test
  void addProduct_modelsOfSeveralThreads_areIndependent() throws Exception {
    Case lstm = named("lstm");
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Future<double[]>> products = new ArrayList<>();
      for (int k = 0; k < 4; k++) {
        products.add(
            threads.submit(
                () -> {
                  try (TorchModel model = lstm.single()) {
                    double[] last = {};
                    for (int r = 0; r < 50; r++) {
                      last =
                          product(
                              model, lstm.batch(), direction(model.size(), 7), Curvature.HESSIAN);
                    }
                    return last;
                  }
                }));
      }
      try (TorchModel model = lstm.single()) {
        double[] alone =
            product(model, lstm.batch(), direction(model.size(), 7), Curvature.HESSIAN);
        for (Future<double[]> product : products) {
          assertThat(product.get()).isEqualTo(alone);
        }
      }
    } finally {
      threads.shutdownNow();
    }
  }

  /** Of native objects: those that only the JVM's collector would free count, too. */
  @Test
  void close_frozenParametersAndIntegers_leavesNothing() {
    Batch batch = named("column-major").batch();
    byte[] module =
        new OwnModule("Own")
            .parameter("w", floats(new SplittableRandom(1), 4 * 3), 4, 3)
            .parameter("frozen", new float[] {2}, 1)
            .integers("count", 7)
            .define("def forward(self, x):\n  return torch.mm(x, self.w) * self.frozen\n");
    Runnable use =
        () -> {
          try (TorchModel model =
              TorchModel.load(module, "m", NetworkLoss.CROSS_ENTROPY, name -> name.equals("w"))) {
            model.setParameters(model.parameters());
            model.setBuffers(model.buffers());
            model.save();
            gradient(model, batch);
          }
        };
    use.run();
    long before = Pointer.totalCount();
    for (int k = 0; k < 20; k++) {
      use.run();
    }
    assertThat(Pointer.totalCount()).isLessThanOrEqualTo(before);
  }

  /**
   * 20 MB are what the collectors and allocators of a JVM move by; a tensor a step would be 1 GB.
   */
  @Test
  void addProduct_tenThousandSteps_memoryIsFlat() throws Exception {
    assumeThat(Files.exists(Path.of("/proc/self/status"))).isTrue();
    SplittableRandom random = new SplittableRandom(5);
    Batch batch = Batch.ofValues(new int[] {100}, floats(random, 100 * ROWS), classes(random, 10));
    byte[] module = new Architecture.Mlp(100, List.of(64), 10).module(1);
    try (TorchModel model = load(module)) {
      double[] v = direction(model.size(), 8);
      steps(model, batch, v, 2_000);
      long before = residentBytes();
      steps(model, batch, v, 10_000);
      assertThat(residentBytes() - before).isLessThan(64L << 20);
    }
  }

  private static void steps(NeuralModel model, Batch batch, double[] v, int count) {
    double[] sum = new double[model.size()];
    for (int k = 0; k < count; k++) {
      model.addProduct(batch, v, k % 2 == 0 ? Curvature.HESSIAN : Curvature.GAUSS_NEWTON, sum);
    }
  }

  static Stream<Case> small() {
    SplittableRandom random = new SplittableRandom(6);
    return Stream.of(
        new Case(
            "lstm",
            new Architecture.Lstm(5, 3, 4, 1).module(1),
            NetworkLoss.CROSS_ENTROPY,
            Batch.ofTokens(3, tokens(random, ROWS * 3, 5), classes(random, 5))),
        new Case(
            "cnn",
            new Architecture.Cnn(1, 4, 4, List.of(3), 4, 3).module(2),
            NetworkLoss.CROSS_ENTROPY,
            Batch.ofValues(new int[] {1, 4, 4}, floats(random, ROWS * 16), classes(random, 3))));
  }

  /**
   * 2 KB a step are too many: what a leak adds, it adds in every stretch, and the JVM does not. A
   * stretch without one adds 60 KB, a fifth of what is refused.
   */
  @ParameterizedTest
  @MethodSource("small")
  void everyPass_manySteps_memoryIsFlat(Case given) throws Exception {
    assumeThat(Files.exists(Path.of("/proc/self/smaps"))).isTrue();
    int steps = 150;
    try (TorchModel model = given.single()) {
      double[] v = direction(model.size(), 8);
      everyPass(model, given.batch(), v, 2 * steps);
      long objects = Pointer.totalCount();
      everyPass(model, given.batch(), v, 10);
      assertThat(Pointer.totalCount()).isLessThanOrEqualTo(objects); // none for a collector
      long[] added = new long[5];
      for (int k = 0; k < added.length; k++) {
        long before = nativeBytes();
        everyPass(model, given.batch(), v, steps);
        added[k] = nativeBytes() - before;
      }
      assertThat(Arrays.stream(added).sorted().toArray()[2])
          .as("median of %s", Arrays.toString(added))
          .isLessThan(steps * 2048L);
    }
  }

  private static void everyPass(NeuralModel model, Batch batch, double[] v, int steps) {
    double[] sum = new double[model.size()];
    TypicalOdds typical = typical();
    for (int k = 0; k < steps; k++) {
      model.addProduct(batch, v, k % 2 == 0 ? Curvature.HESSIAN : Curvature.GAUSS_NEWTON, sum);
      model.addGradient(batch, sum);
      model.addTrainingGradient(batch, k, sum);
      model.addMisfitGradient(batch, typical, sum);
      model.addMisfitProduct(batch, typical, v, sum);
      model.evaluate(batch);
    }
  }

  /** Resident, but for the Java heap: pointers to it are compressed, so it lies below 32 GB. */
  private static long nativeBytes() throws Exception {
    System.gc();
    boolean above = false;
    long bytes = 0;
    for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
      if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
        above = Long.parseUnsignedLong(line.substring(0, line.indexOf('-')), 16) >= 32L << 30;
      } else if (above && line.startsWith("Rss:")) {
        bytes += Long.parseLong(line.replaceAll("\\D", "")) << 10;
      }
    }
    return bytes;
  }

  private static long residentBytes() throws Exception {
    System.gc();
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) << 10;
      }
    }
    throw new AssertionError("no VmRSS");
  }

  private static double[] gradient(NeuralModel model, Batch batch) {
    double[] sum = new double[model.size()];
    model.addGradient(batch, sum);
    return sum;
  }

  private static double[] product(NeuralModel model, Batch batch, double[] v, Curvature curvature) {
    double[] sum = new double[model.size()];
    model.addProduct(batch, v, curvature, sum);
    return sum;
  }

  /** Of norm 1. */
  private static double[] direction(int size, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    double[] v = random.doubles(size, -1, 1).toArray();
    double norm = Vectors.norm(v);
    Arrays.setAll(v, j -> v[j] / norm);
    return v;
  }

  private static float[] floats(SplittableRandom random, int count) {
    float[] values = new float[count];
    for (int k = 0; k < count; k++) {
      values[k] = (float) random.nextDouble(-1, 1);
    }
    return values;
  }

  private static double[] doubles(float[] values) {
    double[] exact = new double[values.length];
    Arrays.setAll(exact, k -> values[k]);
    return exact;
  }

  private static long[] classes(SplittableRandom random, int count) {
    return random.longs(ROWS, 0, count).toArray();
  }

  private static long[] tokens(SplittableRandom random, int length, int count) {
    return random.longs(length, 0, count).toArray();
  }
}

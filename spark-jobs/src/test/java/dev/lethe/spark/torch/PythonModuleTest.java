package dev.lethe.spark.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkLoss;
import java.io.IOException;
import java.io.InputStream;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * A module that PyTorch saved, against what PyTorch computes with it in double precision: {@code
 * python-module.py} made both.
 */
class PythonModuleTest {
  /** Of the same operations in double precision, summed in another order. */
  private static final double EXACT = 1e-12;

  /** 2^-24 a rounding, some ten of them in a row. */
  private static final double SINGLE = 1e-5;

  private static byte[] module;
  private static JsonNode python;
  private static Batch batch;

  @BeforeAll
  static void read() throws IOException {
    module = resource("python-module.pt");
    python = new ObjectMapper().readTree(resource("python-module.json"));
    double[] inputs = numbers("inputs");
    float[] values = new float[inputs.length];
    for (int k = 0; k < values.length; k++) {
      values[k] = (float) inputs[k];
      assertThat((double) values[k]).isEqualTo(inputs[k]);
    }
    long[] classes = new ObjectMapper().convertValue(python.required("classes"), long[].class);
    batch = Batch.ofValues(new int[] {values.length / classes.length}, values, classes);
  }

  private static byte[] resource(String name) throws IOException {
    try (InputStream in = PythonModuleTest.class.getResourceAsStream(name)) {
      return Objects.requireNonNull(in, name).readAllBytes();
    }
  }

  private static double[] numbers(String key) {
    return new ObjectMapper().convertValue(python.required(key), double[].class);
  }

  private static TorchModel exact() {
    return TorchModel.loadExact(module, "m", NetworkLoss.CROSS_ENTROPY, any -> true);
  }

  @Test
  void load_pythonsModule_parametersAreInItsOrder() {
    String[] names = new ObjectMapper().convertValue(python.required("names"), String[].class);
    try (TorchModel model = exact()) {
      assertThat(model.names()).containsExactly(names).startsWith("scale", "last.weight");
      assertThat(model.parameters()).isEqualTo(numbers("parameters"));
    }
  }

  @Test
  void evaluate_pythonsModule_asPython() {
    double loss = python.required("loss").doubleValue();
    try (TorchModel model = exact()) {
      double[] outputs = numbers("outputs");
      float[] found = model.outputs(batch);
      assertThat(found).hasSameSizeAs(outputs);
      for (int k = 0; k < found.length; k++) {
        // what is handed out is rounded to single precision
        assertThat((double) found[k]).isCloseTo(outputs[k], within(Math.ulp(found[k]) * 0.51));
      }
      double total = 0;
      for (float each : model.losses(batch)) {
        total += each;
      }
      assertThat(total).isCloseTo(loss, within(1e-7 * loss));
    }
  }

  @Test
  void addGradient_pythonsModule_asPython() {
    try (TorchModel model = exact()) {
      double[] gradient = new double[model.size()];
      double loss = model.addGradient(batch, gradient);
      assertThat(loss).isCloseTo(python.required("loss").doubleValue(), within(EXACT * loss));
      near(gradient, "gradient", EXACT);
    }
  }

  @Test
  void addProduct_pythonsModule_asPython() {
    try (TorchModel model = exact()) {
      double[] product = new double[model.size()];
      model.addProduct(batch, numbers("direction"), Curvature.HESSIAN, product);
      near(product, "product", EXACT);
    }
  }

  @Test
  void addTrainingGradient_pythonsModule_asPython() {
    try (TorchModel model = exact()) {
      double[] gradient = new double[model.size()];
      double loss = model.addTrainingGradient(batch, 1, gradient);
      assertThat(loss)
          .isCloseTo(python.required("trainingLoss").doubleValue(), within(EXACT * loss));
      near(gradient, "trainingGradient", EXACT);
      near(model.buffers(), "trainingBuffers", EXACT);
    }
  }

  @Test
  void singlePrecision_pythonsModule_isNearPython() {
    try (TorchModel model = TorchModel.load(module, "m", NetworkLoss.CROSS_ENTROPY, any -> true)) {
      double[] gradient = new double[model.size()];
      model.addGradient(batch, gradient);
      near(gradient, "gradient", SINGLE);
      double[] product = new double[model.size()];
      model.addProduct(batch, numbers("direction"), Curvature.HESSIAN, product);
      near(product, "product", SINGLE);
    }
  }

  private static void near(double[] found, String key, double tolerance) {
    double[] expected = numbers(key);
    assertThat(found).hasSameSizeAs(expected);
    assertThat(Vectors.distance(found, expected))
        .as(key)
        .isLessThan(tolerance * Vectors.norm(expected));
  }
}

package dev.lethe.spark.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.assertj.core.data.Offset.offset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lethe.core.neural.Batch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * That PyTorch loads what is saved: the interpreter is the one in {@code LETHE_PYTHON}, else {@code
 * python3}. Skipped where it has no torch.
 */
class PythonTest {
  private static final String PROGRAM =
      """
      import json, sys, torch
      folder = sys.argv[1]
      given = json.load(open(folder + "/given.json"))
      module = torch.jit.load(folder + "/module.pt").eval()
      kind = torch.int64 if given["tokens"] else torch.float32
      inputs = torch.tensor(given["values"], dtype=kind).reshape(given["shape"])
      with torch.no_grad():
        outputs = module(inputs)
      names = [name for name, _ in module.named_parameters()]
      json.dump({"outputs": outputs.flatten().tolist(), "names": names, "training": module.training},
                open(folder + "/found.json", "w"))
      """;
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path folder;

  private static int python(List<String> words) throws Exception {
    String interpreter = Optional.ofNullable(System.getenv("LETHE_PYTHON")).orElse("python3");
    List<String> command = new ArrayList<>(List.of(interpreter));
    command.addAll(words);
    Process process;
    try {
      process = new ProcessBuilder(command).inheritIO().start();
    } catch (IOException e) {
      return -1;
    }
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    return process.exitValue();
  }

  @BeforeAll
  static void requireTorch() throws Exception {
    String find = "import sys, importlib.util as u; sys.exit(u.find_spec('torch') is None)";
    assumeThat(python(List.of("-c", find)))
        .as("a Python with torch, by LETHE_PYTHON or as python3")
        .isZero();
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.spark.torch.TorchModelTest#cases")
  void save_changedParameters_pythonComputesTheSame(TorchModelTest.Case given) throws Exception {
    float[] expected;
    List<String> names;
    Batch batch = given.batch();
    try (TorchModel model = given.single()) {
      double[] theta = model.parameters();
      for (int j = 0; j < theta.length; j++) {
        theta[j] = (float) (theta[j] + 0.01 * Math.sin(j));
      }
      model.setParameters(theta);
      expected = model.outputs(batch);
      names = model.names();
      Files.write(folder.resolve("module.pt"), model.save());
    }
    JSON.writeValue(
        folder.resolve("given.json").toFile(),
        Map.of(
            "tokens",
            batch.hasTokens(),
            "shape",
            batch.inputShape(),
            "values",
            batch.hasTokens() ? batch.tokens() : batch.values()));

    assertThat(python(List.of("-c", PROGRAM, folder.toString()))).isZero();

    JsonNode found = JSON.readTree(folder.resolve("found.json").toFile());
    assertThat(found.get("training").asBoolean()).isFalse();
    assertThat(found.get("outputs")).hasSameSizeAs(expected);
    for (int k = 0; k < expected.length; k++) {
      // single precision, summed in another order by another version
      assertThat(found.get("outputs").get(k).doubleValue()).isCloseTo(expected[k], offset(1e-5));
    }
    // of a tied parameter Python has each name
    assertThat(JSON.convertValue(found.get("names"), String[].class)).containsAll(names);
  }
}

package dev.lethe.core.unlearn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.core.aggregate.Point;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.BlockBuilder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.objective.LocalExamples;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.objective.Penalty;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonStep;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Against the values of an independent implementation (Python, NumPy, SciPy) on two public data
 * sets: lambda = 1, no intercept, the request zeroes columns and keeps their coordinates.
 */
class PeerTest {
  /** The peer folder of $LETHE_SHARED, or of a folder named shared beside any ancestor. */
  private static @Nullable Path peer() {
    String named = System.getenv("LETHE_SHARED");
    if (named != null) {
      return Path.of(named, "peer");
    }
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path candidate = at.resolve("shared").resolve("peer");
      if (Files.isDirectory(candidate)) {
        return candidate;
      }
    }
    return null;
  }

  @ParameterizedTest
  @CsvSource({
    "diabetes, CHOLESKY, 614, 8",
    "diabetes, CG, 614, 8",
    "adult-unit-rows, CHOLESKY, 32561, 81",
    "adult-unit-rows, CG, 32561, 81"
  })
  void updates_columnsZeroed_agreeWithTheIndependentImplementation(
      String name, LinearSolver solver, int rows, int features) throws IOException {
    Path peer = peer();
    assumeTrue(
        peer != null && Files.isDirectory(peer.resolve(name)),
        "the peer values are not on this machine: no shared/peer/" + name);
    Path folder = peer.resolve(name);
    Set<Integer> removed =
        Files.readAllLines(folder.resolve("removed_columns.csv")).stream()
            .map(line -> Integer.parseInt(line.strip()))
            .collect(Collectors.toSet());
    LocalExamples original = examples(folder, features, Set.of());
    LocalExamples corrected = examples(folder, features, removed);
    double[] ones = new double[features];
    Arrays.fill(ones, 1);
    Objective objective =
        new Objective(
            corrected,
            corrected.statistics(LogisticLoss.INSTANCE).statistics(),
            LogisticLoss.INSTANCE,
            new ParameterLayout(features, false, 1, 0),
            new Penalty(ones, new double[features]),
            new double[features],
            new boolean[features],
            -1);
    assertThat(objective.statistics().rows()).isEqualTo(rows);
    String expected = Files.readString(folder.resolve("expected.json"));
    double[] before = vector(folder, "theta_before.csv");

    double[] g =
        GradientDifference.of(
            original, corrected, new Point(LogisticLoss.INSTANCE, features, false, before));
    assertClose(g, vector(folder, "G.csv"), 1e-8);

    Objective.Measured start = objective.evaluate(before);
    double[] first =
        new FirstOrderUpdate(OptionalDouble.of(number(expected, "tau")))
            .apply(objective, before, g)
            .theta();
    assertClose(first, vector(folder, "theta_first.csv"), 1e-8);
    NewtonStep step = new NewtonStep(solver, 1000, (k, r, t) -> {});
    SecondOrderUpdate.Result second = new SecondOrderUpdate(step, 1e-12).apply(objective, start, g);
    assertThat(second.solve().solved()).isTrue();
    assertClose(second.theta(), vector(folder, "theta_second.csv"), 1e-8);

    assertResidual(start, number(expected, "res_none"));
    assertResidual(objective.evaluate(first), number(expected, "res_first"));
    assertResidual(objective.evaluate(second.theta()), number(expected, "res_second"));
  }

  private static void assertClose(double[] actual, double[] expected, double relative) {
    assertThat(actual).hasSameSizeAs(expected);
    assertThat(Vectors.distance(actual, expected))
        .isLessThanOrEqualTo(relative * Vectors.norm(expected));
  }

  private static void assertResidual(Objective.Measured at, double expected) {
    assertThat(Vectors.norm(at.gradient())).isCloseTo(expected, within(1e-6 * expected));
  }

  private static double[] vector(Path folder, String name) throws IOException {
    return Files.readAllLines(folder.resolve(name)).stream()
        .mapToDouble(Double::parseDouble)
        .toArray();
  }

  private static double number(String json, String key) {
    Matcher matcher = Pattern.compile("\"" + key + "\":\\s*([-+.eE0-9]+)").matcher(json);
    assertThat(matcher.find()).as(key).isTrue();
    return Double.parseDouble(matcher.group(1));
  }

  /** LIBSVM lines "label index:value ...", indices from 0, labels -1 and +1, in several blocks. */
  private static LocalExamples examples(Path folder, int features, Set<Integer> zeroed)
      throws IOException {
    List<ExampleBlock> blocks = new ArrayList<>();
    BlockBuilder builder = new BlockBuilder(features, features < 20 ? 100 : 5000, 1 << 20);
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(
                new GZIPInputStream(Files.newInputStream(folder.resolve("train.libsvm.gz"))),
                StandardCharsets.US_ASCII))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] tokens = line.strip().split(" ");
        for (int k = 1; k < tokens.length; k++) {
          int colon = tokens[k].indexOf(':');
          int column = Integer.parseInt(tokens[k].substring(0, colon));
          if (!zeroed.contains(column)) {
            builder.add(column, Double.parseDouble(tokens[k].substring(colon + 1)));
          }
        }
        builder.endRow(Double.parseDouble(tokens[0]) > 0 ? 1 : 0, 1);
        if (builder.isFull()) {
          blocks.add(builder.build());
        }
      }
    }
    blocks.add(builder.build());
    assertThat(blocks).hasSizeGreaterThan(3);
    return new LocalExamples(features, blocks);
  }
}

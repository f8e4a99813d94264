package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What Lethe publishes is a Spark ML model like any other. */
@ExtendWith(PimaRelease.class)
class OutputIT {
  private final PimaRelease.Shared pima = PimaRelease.get();

  @Test
  void publishedModel_unmodifiedSparkJob_scores() throws Exception {
    Path scores = pima.path("scores.csv");

    Submission.Result scored =
        pima.spark()
            .submit(
                "score",
                ScoringJob.class,
                pima.out().resolve("model").toString(),
                pima.table().toString(),
                scores.toString());

    assertThat(scored.exitCode()).as(scored.described()).isZero();
    List<String> lines = Files.readAllLines(scores);
    double[] theta = doubles(lines.get(0));
    assertThat(theta).hasSize(9);
    for (int j : PimaRelease.REMOVED) {
      assertThat(theta[j]).as("coefficient %d, removed", j).isEqualTo(0.0);
    }
    // Published = un-noised + noise of standard deviation 2.5e-7, as the certificate says.
    double[] unnoised = EvidenceFile.in(pima.vault()).theta();
    for (int j = 0; j < theta.length; j++) {
      assertThat(theta[j]).as("theta[%d]", j).isCloseTo(unnoised[j], within(1e-5));
    }

    List<double[]> rows = PimaRelease.rows(pima.table());
    assertThat(lines).hasSize(rows.size() + 1);
    for (int i = 0; i < rows.size(); i++) {
      double margin = theta[8];
      for (int j = 0; j < 8; j++) {
        margin += theta[j] * rows.get(i)[j];
      }
      double[] score = doubles(lines.get(i + 1));
      // 9 products of at most 1e2 each, summed in another order: some 1e-14.
      assertThat(score[0]).as("margin of row %d", i).isCloseTo(margin, within(1e-12));
      assertThat(score[1]).isCloseTo(1 / (1 + Math.exp(-margin)), within(1e-12));
      assertThat(score[2]).isEqualTo(score[1] > 0.5 ? 1.0 : 0.0);
    }
  }

  @Test
  void publishedModel_stagesAndParams_asInInputModel() throws IOException {
    List<Path> input = metadata(pima.model());
    List<Path> published = metadata(pima.out().resolve("model"));

    assertThat(published).hasSameSizeAs(input).hasSizeGreaterThan(1);
    for (int k = 0; k < input.size(); k++) {
      assertThat(read(published.get(k))).isEqualTo(read(input.get(k)));
    }
  }

  /** The metadata files of a saved pipeline and its stages; their paths hold the stages' uids. */
  private static List<Path> metadata(Path model) throws IOException {
    List<Path> files = new ArrayList<>();
    try (Stream<Path> all = Files.walk(model)) {
      all.filter(file -> file.getParent().getFileName().toString().equals("metadata"))
          .filter(file -> file.getFileName().toString().startsWith("part-"))
          .sorted()
          .forEach(files::add);
    }
    return files;
  }

  /** Class, uid, params and their defaults; when it was saved does not count. */
  private static JsonNode read(Path metadata) throws IOException {
    ObjectNode json = (ObjectNode) new ObjectMapper().readTree(metadata.toFile());
    assertThat(json.remove("timestamp")).isNotNull();
    assertThat(json.has("uid")).isTrue();
    return json;
  }

  private static double[] doubles(String line) {
    return Arrays.stream(line.split(",", -1)).mapToDouble(Double::parseDouble).toArray();
  }
}

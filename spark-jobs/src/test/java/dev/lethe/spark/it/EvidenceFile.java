package dev.lethe.spark.it;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** What an {@code evidence.json} says, read without Lethe's own classes. */
record EvidenceFile(JsonNode json) {
  /** The only evidence in a vault. */
  static EvidenceFile in(Path vault) throws IOException {
    try (Stream<Path> files = Files.walk(vault)) {
      List<Path> found = files.filter(file -> file.endsWith("evidence.json")).toList();
      if (found.size() != 1) {
        throw new AssertionError(found.size() + " evidence files in " + vault);
      }
      return new EvidenceFile(new ObjectMapper().readTree(found.get(0).toFile()));
    }
  }

  double[] theta() {
    return doubles(json.required("unnoisedParameters"));
  }

  /** The measured gradient norm after each step. */
  double[] residuals() {
    return stream(json.required("steps"))
        .mapToDouble(step -> step.required("residualNorm").asDouble())
        .toArray();
  }

  int products() {
    return json.required("totals").required("hessianVectorProducts").asInt();
  }

  int partitions() {
    return json.required("inputs").required("partitions").asInt();
  }

  private static double[] doubles(JsonNode array) {
    return stream(array).mapToDouble(JsonNode::asDouble).toArray();
  }

  private static Stream<JsonNode> stream(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false);
  }
}

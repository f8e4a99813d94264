package dev.lethe.spark.it;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Spark's event log of one application, which can be read while it runs. */
record EventLog(Path folder) {
  /** Options of spark-submit; the folder's path must have no white space. */
  List<String> options() {
    return List.of(
        "--conf",
        "spark.eventLog.enabled=true",
        "--conf",
        "spark.eventLog.dir=" + folder.toUri(),
        "--conf",
        "spark.eventLog.compress=false",
        "--conf",
        "spark.eventLog.rolling.enabled=false");
  }

  /** The complete events up to now, in order. */
  List<JsonNode> events() throws IOException {
    List<Path> files;
    try (Stream<Path> listed = Files.list(folder)) {
      files = listed.filter(file -> !file.getFileName().toString().startsWith(".")).toList();
    }
    List<JsonNode> events = new ArrayList<>();
    ObjectMapper mapper = new ObjectMapper();
    for (Path file : files) {
      String text;
      try {
        text = Files.readString(file);
      } catch (NoSuchFileException e) {
        // The application has just ended and renamed it.
        return events();
      }
      // What follows the last line end is still being written.
      for (String line : text.substring(0, text.lastIndexOf('\n') + 1).lines().toList()) {
        events.add(mapper.readTree(line));
      }
    }
    return events;
  }

  /**
   * Waits for passes of the conjugate gradient.
   *
   * @param products how many of them must have begun
   */
  void awaitProducts(int products, Submission running) throws IOException, InterruptedException {
    while (true) {
      boolean runs = running.isRunning();
      if (events().stream().filter(EventLog::isProduct).count() >= products) {
        return;
      }
      if (!runs) {
        throw new AssertionError("ended too early: " + running.result().described());
      }
      Thread.sleep(50);
    }
  }

  /** Whether an event is the beginning of a Hessian-vector product's job. */
  static boolean isProduct(JsonNode event) {
    return is(event, "SparkListenerJobStart")
        && event
            .path("Properties")
            .path("spark.job.description")
            .asText()
            .endsWith("Hessian-vector product");
  }

  /** How many speculative copies of tasks were faster than the task. */
  long speculativeCopies() throws IOException {
    return events().stream()
        .filter(event -> is(event, "SparkListenerTaskEnd"))
        .filter(event -> event.path("Task Info").path("Speculative").asBoolean())
        .filter(event -> event.path("Task End Reason").path("Reason").asText().equals("Success"))
        .count();
  }

  static boolean is(JsonNode event, String kind) {
    return event.path("Event").asText().equals(kind);
  }
}

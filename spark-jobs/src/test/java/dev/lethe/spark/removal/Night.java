package dev.lethe.spark.removal;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.job.Outcome;
import dev.lethe.spark.job.People;
import dev.lethe.spark.job.Places;
import dev.lethe.spark.ledger.Ledger;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A ledger of the people's model, driven by the command line.
 *
 * @param root below which everything is
 * @param data the table, in the configuration's words
 * @param extra further lines of the configuration
 * @param scheme in front of the ledger's path
 */
record Night(Path root, String data, String extra, String scheme) {
  static final double RHO = 1e-8;

  /** A change that removes one person's row. */
  static final String REMOVE = "- removeRows: {where: \"user_id = 'u-4711'\"}";

  /** A change that turns the labels of two others. */
  static final String RELABEL =
      "- relabel: {to: \"1 - label\", where: \"user_id IN ('u-4712', 'u-4713')\"}";

  static Night begin(String extra) {
    return new Night(Places.directory("night"), "path: " + People.table(), extra, "");
  }

  Path config() {
    return Places.write(
        root.resolve("lethe.yaml"),
        """
        ledger: %s%s
        vault: %s%s
        model: %s
        data: {%s}
        certificate: {epsilon: 0.1, delta: 1e-6, rho: 1e-8}
        %s
        """
            .formatted(scheme, ledgerPath(), scheme, vault(), People.model(), data, extra));
  }

  Path ledgerPath() {
    return root.resolve("ledger");
  }

  Path vault() {
    return root.resolve("vault");
  }

  Path version(int number) {
    return ledgerPath().resolve("versions/%06d".formatted(number));
  }

  /** Runs a command of the ledger. */
  Outcome lethe(String command, String... arguments) {
    List<String> all = new ArrayList<>(List.of(command, "--config", config().toString()));
    all.addAll(List.of(arguments));
    return Outcome.of(all);
  }

  /** The same ledger on another table, which has the corrections of some versions in it. */
  Night on(Path table, int through) {
    return new Night(root, "path: " + table + ", corrected-through: " + through, extra, scheme);
  }

  /** Runs a command with environment variables. */
  Outcome with(Map<String, String> environment, String command, String... arguments) {
    List<String> all = new ArrayList<>(List.of(command, "--config", config().toString()));
    all.addAll(List.of(arguments));
    return Outcome.of(all, environment);
  }

  /** Runs a command that must succeed. */
  Outcome done(String command, String... arguments) {
    Outcome outcome = lethe(command, arguments);
    assertThat(outcome.code()).as("%s", outcome).isZero();
    return outcome;
  }

  /** The corrected table. */
  Path applied(String name) {
    Path table = root.resolve(name);
    done("apply", "--out", table.toString());
    return table;
  }

  Outcome submit(String id, String changes) {
    return lethe("submit", request(id, changes).toString());
  }

  Path request(String id, String changes) {
    return Places.write(
        Places.directory("request").resolve(id + ".yaml"),
        "id: " + id + "\nchanges:\n" + changes.indent(2));
  }

  Ledger ledger() {
    return Ledger.open(
        LocalSpark.session().sparkContext().hadoopConfiguration(),
        scheme + ledgerPath(),
        null,
        Clock.systemUTC());
  }

  Certificate certificate(int version) {
    Path file = version(version).resolve("certificate.json");
    return Certificate.read(Places.read(file).getBytes(), file.toString());
  }

  /** The un-noised parameters of a version, from its evidence. */
  double[] parameters(int version) {
    return numbers(
        vault().resolve(certificate(version).certificateId()).resolve("evidence.json"),
        "unnoisedParameters");
  }

  static double[] numbers(Path json, String field) {
    try {
      JsonNode array = new ObjectMapper().readTree(json.toFile()).get(field);
      double[] numbers = new double[array.size()];
      for (int j = 0; j < numbers.length; j++) {
        numbers[j] = array.get(j).doubleValue();
      }
      return numbers;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

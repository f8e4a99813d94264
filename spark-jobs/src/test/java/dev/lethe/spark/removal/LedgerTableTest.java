package dev.lethe.spark.removal;

import static dev.lethe.spark.removal.Night.RELABEL;
import static dev.lethe.spark.removal.Night.REMOVE;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Timestamp;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** {@code lethe ledger --table}, against the entries' files as a JSON parser reads them. */
@ExtendWith(LocalSpark.class)
class LedgerTableTest {
  @Test
  void table_everyKindOfEntry_isWhatTheFilesSay() throws IOException {
    Night night = Night.begin("retention: {evidence: 0s, models: 0s}");
    night.submit("row", REMOVE);
    night.submit("nobody", "- removeRows: {where: \"user_id = 'u-0'\"}");
    night.done("run");
    night.submit("label", RELABEL);
    night.done("run");
    night.done("rollback", "--to", "1", "--force", "version 2 scores wrongly");
    night.done("rollback", "--to", "2");
    night.done("purge");
    Path table = night.root().resolve("table");

    night.done("ledger", "--table", table.toString());

    Dataset<Row> read = LocalSpark.session().read().parquet(table.toString());
    assertThat(read.columns())
        .containsExactly(
            "sequence",
            "at",
            "by",
            "event",
            "request",
            "version",
            "certificate",
            "rho",
            "sigma",
            "scale",
            "detail");
    List<List<Object>> rows =
        read.collectAsList().stream()
            .map(row -> Stream.iterate(0, i -> i + 1).limit(row.size()).map(row::get).toList())
            .toList();
    assertThat(rows).containsExactlyInAnyOrderElementsOf(expected(night));
    assertThat(rows)
        .extracting(row -> row.get(3))
        .contains(
            "opened",
            "received",
            "admitted",
            "refused",
            "applied",
            "published",
            "rolled-back",
            "purged evidence",
            "purged model");
    assertThat(rows).allSatisfy(row -> assertThat(row.toString()).doesNotContain("u-47"));
    Outcome again = night.lethe("ledger", "--table", table.toString());
    assertThat(again.code()).as("%s", again).isEqualTo(2);
    assertThat(again.err()).contains("already exists");
  }

  @Test
  void table_csv_hasTheSameRows() {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    Path table = night.root().resolve("table");

    night.done("ledger", "--table", table.toString(), "--format", "csv");

    assertThat(LocalSpark.session().read().csv(table.toString()).count()).isEqualTo(2);
  }

  private static List<List<Object>> expected(Night night) throws IOException {
    List<List<Object>> rows = new ArrayList<>();
    ObjectMapper mapper = new ObjectMapper();
    try (Stream<Path> files = Files.list(night.ledgerPath().resolve("entries"))) {
      for (Path file : files.sorted().toList()) {
        JsonNode entry = mapper.readTree(file.toFile());
        List<Object> start =
            List.of(
                entry.get("sequence").asLong(),
                Timestamp.from(Instant.parse(entry.get("at").asText())),
                entry.get("by").asText());
        JsonNode event = entry.get("event");
        Integer version = event.has("version") ? (Integer) event.get("version").asInt() : null;
        switch (event.get("type").asText()) {
          case "opened" -> rows.add(row(start, "opened", null, 0, event.get("model").asText()));
          case "received" ->
              event
                  .get("requests")
                  .forEach(
                      one -> rows.add(row(start, "received", one.get("id").asText(), null, null)));
          case "decided" -> {
            event
                .get("admitted")
                .forEach(one -> rows.add(row(start, "admitted", one.asText(), version, null)));
            event
                .get("refused")
                .forEach(
                    one ->
                        rows.add(
                            row(
                                start,
                                "refused",
                                one.get("id").asText(),
                                null,
                                one.get("reason").asText())));
          }
          case "applied" -> {
            List<Object> row =
                row(start, "applied", null, version, event.get("model").get("value").asText());
            row.set(6, event.get("certificate").asText());
            row.set(7, event.get("release").get("rho").asDouble());
            row.set(8, event.get("release").get("sigma").asDouble());
            rows.add(row);
          }
          case "published" -> rows.add(row(start, "published", null, version, null));
          case "rolled-back" ->
              rows.add(
                  row(
                      start,
                      "rolled-back",
                      null,
                      version,
                      event.hasNonNull("forced") ? event.get("forced").asText() : null));
          case "purged" ->
              rows.add(
                  row(
                      start,
                      "purged " + event.get("kind").asText().toLowerCase(java.util.Locale.ROOT),
                      null,
                      event.get("subject").asInt(),
                      event.get("reason").asText()));
          default -> throw new AssertionError(event.toString());
        }
      }
    }
    return rows;
  }

  private static List<Object> row(
      List<Object> start, String event, String request, Integer version, String detail) {
    List<Object> row = new ArrayList<>(start);
    row.addAll(Arrays.asList(event, request, version, null, null, null, null, detail));
    return row;
  }
}

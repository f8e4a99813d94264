package dev.lethe.spark.request;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The examples of docs/requests.md are requests. */
class RequestDocTest {
  static String doc() throws IOException {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.exists(folder.resolve("docs/requests.md"))) {
      folder = folder.getParent();
      assertThat(folder).as("a folder above with docs/requests.md").isNotNull();
    }
    return Files.readString(folder.resolve("docs/requests.md"));
  }

  @Test
  void examples_all_areReadAndTheirExpressionsAdmitted() throws IOException {
    List<Request> requests = new ArrayList<>();
    Matcher block = Pattern.compile("(?s)```(yaml|json)\n(.*?)```").matcher(doc());
    while (block.find()) {
      requests.add(RequestReader.read("example." + block.group(1), block.group(2)));
    }
    assertThat(requests).hasSize(5);
    assertThat(requests.get(0)).isEqualTo(requests.get(1));
    for (Request request : requests) {
      for (Change change : request.changes()) {
        if (change instanceof Change.ReplaceFeatures c) {
          c.set().values().forEach(sql -> SqlExpressions.check("docs", sql));
          SqlExpressions.check("docs", String.valueOf(c.where()));
        } else if (change instanceof Change.Relabel c) {
          SqlExpressions.check("docs", c.to());
          SqlExpressions.check("docs", c.where());
        } else if (change instanceof Change.RemoveRows c) {
          SqlExpressions.check("docs", c.where());
        }
      }
    }
  }

  @Test
  void featureTable_everySpelling_isRead() throws IOException {
    assertThat(FeatureRef.parse("`capital.gain`")).isEqualTo(FeatureRef.ofColumn("capital.gain"));
    Matcher row =
        Pattern.compile("(?m)^\\| (?:`([^`]+)`|`` (.+?) ``) \\| the (?:raw|slot)").matcher(doc());
    int rows = 0;
    while (row.find()) {
      FeatureRef.parse(row.group(1) != null ? row.group(1) : row.group(2));
      rows++;
    }
    assertThat(rows).isGreaterThanOrEqualTo(4);
  }

  @Test
  void keys_all_areDocumented() throws IOException {
    assertThat(doc())
        .contains("`id`", "`changes`", "`certificate.epsilon`", "`certificate.delta`")
        .contains("`certificate.rho`", "`method`", "`tau`", "`removeFeatures`")
        .contains("`replaceFeatures.set`", "`replaceFeatures.where`")
        .contains("`relabel.to`", "`relabel.where`", "`removeRows.where`");
  }
}

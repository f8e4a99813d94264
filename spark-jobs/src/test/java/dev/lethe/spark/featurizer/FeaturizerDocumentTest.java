package dev.lethe.spark.featurizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class FeaturizerDocumentTest {

  private static Path document() {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path file = at.resolve("docs/featurizers.md");
      if (Files.exists(file)) {
        return file;
      }
    }
    throw new AssertionError("docs/featurizers.md is not above " + Path.of("").toAbsolutePath());
  }

  @Test
  void table_listsExactlyTheStagesInCode() throws Exception {
    Map<String, String> documented = new LinkedHashMap<>();
    Pattern line = Pattern.compile("\\| `(\\w+)` \\| (.+) \\| (yes|no|possibly) \\| (.+) \\|");
    for (String text : Files.readAllLines(document())) {
      Matcher matcher = line.matcher(text);
      if (matcher.matches()) {
        boolean unseen = matcher.group(2).startsWith("cannot be seen into");
        documented.put(
            matcher.group(1),
            matcher.group(3) + (unseen ? ", unseen" : "") + ", " + matcher.group(4));
      }
    }

    Map<String, String> known = new LinkedHashMap<>();
    StageSupport.BY_CLASS.forEach(
        (name, support) ->
            known.put(
                name.substring(name.lastIndexOf('.') + 1),
                support.learned().name().toLowerCase(Locale.ROOT)
                    + (support.rule() == null ? ", unseen" : "")
                    + ", "
                    + support.refit().words));
    assertThat(documented).containsExactlyEntriesOf(known);
  }
}

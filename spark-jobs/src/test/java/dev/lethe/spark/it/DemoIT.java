package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** {@code scripts/lethe demo}, as the documentation promises it. */
@ExtendWith(PimaRelease.class)
class DemoIT {
  /** Of what is solved for in floating point, on another processor. */
  private static final double TOLERANCE = 0.01;

  /** Below it, what the demo prints is the rounding of sums of up to 1e4. */
  private static final double ROUNDING = 1e-9;

  private final PimaRelease.Shared pima = PimaRelease.get();

  @Test
  void demo_freshFolder_printsWhatTheReadmeShows() throws Exception {
    Submission.Result demo =
        pima.spark()
            .lethe("demo", List.of(), List.of("demo", "--dir", pima.path("demo").toString()));

    assertThat(demo.exitCode()).as(demo.described()).isZero();
    assertThat(demo.output())
        .containsPattern("verdict +certified: epsilon 0.1, delta 1.0E-4")
        .containsPattern("verified +all \\d+ checks hold; the certificate says certified");
    Iterator<String> printed = demo.output().lines().iterator();
    for (String line : excerpt()) {
      boolean found = false;
      while (!found && printed.hasNext()) {
        found = isShownAs(line, printed.next());
      }
      assertThat(found)
          .as("README.md shows \"%s\", after the lines above it, of%n%s", line, demo.output())
          .isTrue();
    }
  }

  /** What README.md shows of the demo's output, less what stands for lines left out. */
  private static List<String> excerpt() throws Exception {
    List<String> readme = Files.readAllLines(SparkUnderTest.ROOT.resolve("README.md"));
    int first = readme.indexOf("```text") + 1;
    List<String> shown =
        readme.subList(first, first + readme.subList(first, readme.size()).indexOf("```"));
    assertThat(shown).hasSizeGreaterThan(20);
    return shown.stream().filter(line -> !line.isBlank() && !line.strip().equals("...")).toList();
  }

  private static boolean isShownAs(String shown, String printed) {
    String[] expected = shown.strip().split("\\s+");
    String[] actual = printed.strip().split("\\s+");
    boolean open = expected[expected.length - 1].equals("...");
    // a step of the solver ends with its seconds
    boolean timed = expected[0].matches("\\d+");
    int words = expected.length - (open || timed ? 1 : 0);
    if (open ? actual.length < words : actual.length != expected.length) {
      return false;
    }
    for (int i = 0; i < words; i++) {
      if (!isWordShownAs(expected[i], actual[i])) {
        return false;
      }
    }
    return true;
  }

  private static boolean isWordShownAs(String shown, String printed) {
    if (shown.startsWith("...")) {
      return printed.endsWith(shown.substring(3));
    }
    String measured = "\\d\\.\\d+e[+-]\\d+[,;]?";
    if (!shown.matches(measured) || !printed.matches(measured)) {
      return shown.equals(printed);
    }
    double a = Double.parseDouble(shown.replaceAll("[,;]", ""));
    double b = Double.parseDouble(printed.replaceAll("[,;]", ""));
    return Math.abs(a - b) <= TOLERANCE * a || Math.max(a, b) < ROUNDING;
  }
}

package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Releases.Release;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a log may show: no figure that depends on the data, unless it was asked for. */
@ExtendWith(LocalSpark.class)
class FiguresTest {
  /**
   * A command.
   *
   * @param said a part of what it prints in any case
   * @param figures parts of what it prints with figures only
   */
  private record Command(String name, Invocation command, String said, List<String> figures) {
    @Override
    public String toString() {
      return name;
    }
  }

  static List<Command> commands() {
    Release release = Releases.certified();
    Path place = Places.directory("figures");
    return List.of(
        new Command(
            "unlearn",
            Invocation.unlearn(
                    release.model(),
                    release.data(),
                    release.request(),
                    place.resolve("out"),
                    place.resolve("vault"))
                .with("--test", release.data()),
            "verdict          certified: epsilon 0.5",
            List.of("239 rows", "gradient norm", "passes", "accuracy")),
        new Command(
            "verify",
            release.fullVerification(),
            "checks hold",
            List.of("rounding", "p-values", "239 rows")),
        new Command(
            "apply",
            Invocation.apply(release.data(), "label", release.request(), place.resolve("table")),
            "columns dropped  race",
            List.of("240 read", "1 removed")),
        new Command(
            "train",
            Invocation.train(release.data(), "label", place.resolve("model"))
                .without("--label")
                .with("--like", release.model())
                .with("--request", release.request())
                .with("--test", release.data())
                .with("--evidence", release.evidenceFile()),
            "model            " + place.resolve("model"),
            List.of("239 rows", "gradient norm", "distance", "accuracy", "passes")));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("commands")
  void run_outputIntoAFile_showsFiguresOnlyWhenAskedTo(Command given) {
    Outcome quiet = given.command().run();

    assertThat(quiet.code()).as("%s", quiet).isZero();
    assertThat(quiet.out()).contains(given.said(), "withheld").doesNotContain(given.figures());
    assertThat(quiet.out()).doesNotContainPattern("\\d\\.\\d+e[-+]\\d+|\\d\\.\\d+ s\\b");
    assertThat(quiet.err()).isEmpty();

    Map<String, Path> elsewhere =
        Map.of("--out", Places.unused("out"), "--vault", Places.unused("vault"));
    elsewhere.forEach(
        (option, path) -> {
          if (given.command().arguments().contains(option) && !given.name().equals("verify")) {
            given.command().with(option, path);
          }
        });
    Outcome telling = given.command().flag("--figures").run();

    assertThat(telling.code()).as("%s", telling).isZero();
    assertThat(telling.out()).contains(given.figures()).doesNotContain("withheld");
  }

  @Test
  void run_verifyWithPublicFilesAlone_showsWhatItCompared() {
    Outcome outcome = Releases.certified().verification().run();

    assertThat(outcome.out()).contains("sigma", "required").doesNotContain("withheld");
  }
}

package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.NewtonState;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.data.TableSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A correction that keeps checkpoints, and one that starts from them. */
@ExtendWith(LocalSpark.class)
class ResumptionTest {
  private static final String OF = "0123456789abcdef".repeat(4);

  /** Keeps the bytes of all that were written. */
  private static class Memory implements Checkpoints {
    final List<byte[]> written = new ArrayList<>();
    private final Optional<byte[]> first;

    Memory(byte[] first) {
      this.first = Optional.ofNullable(first);
    }

    @Override
    public Optional<Checkpoint> read() {
      return first.map(Checkpoint::read);
    }

    @Override
    public void write(Checkpoint checkpoint) {
      written.add(checkpoint.toBytes());
    }
  }

  /** What a run came to. */
  private record Run(Evidence evidence, Verdict verdict, List<String> notes) {
    double[] theta() {
      return evidence.unnoisedParameters();
    }
  }

  private static Run run(Checkpoints checkpoints, Duration interval, LinearSolver solver)
      throws IOException {
    Path request = Places.write(Places.unused("request.yaml"), Releases.REQUEST);
    RequestSource source = RequestSource.of(request.toString());
    GivenTables tables =
        new GivenTables.Original(
            new TableSource("--data", People.table().toString(), "parquet", Map.of()));
    String model = People.model().toString();
    UnlearnOptions options =
        new UnlearnOptions(
            model, null, tables, null, source, "unused", "unused", null, solver, 50, 1000, 3);
    ModelCorrection correction =
        UnlearnJob.correction(
            LocalSpark.session(),
            options,
            LoadedModel.load(LocalSpark.session(), "--model", model),
            EarlierRelease.of(LocalSpark.session(), model, null),
            null,
            tables,
            source.read(LocalSpark.session()),
            source.toString(),
            null);
    if (checkpoints != null) {
      correction = correction.resuming(new ModelCorrection.Resuming(checkpoints, OF, interval));
    }
    try (CorrectedModel corrected = correction.run(Progress.quiet(LocalSpark.session(), "test"))) {
      return new Run(
          corrected.evidence(VaultKey.random()),
          corrected.certificate().verdict(),
          corrected.notes());
    }
  }

  private static Run run(Checkpoints checkpoints) throws IOException {
    return run(checkpoints, Duration.ZERO, LinearSolver.CG);
  }

  @ParameterizedTest
  @EnumSource(LinearSolver.class)
  void run_fromACheckpointOfAnother_endsAtTheBitsOfOneThatKeepsNone(LinearSolver solver)
      throws IOException {
    Run undisturbed = run(null, Duration.ZERO, solver);
    Memory all = new Memory(null);
    Run keeping = run(all, Duration.ZERO, solver);
    assertThat(keeping.theta()).isEqualTo(undisturbed.theta());
    assertThat(keeping.notes()).isEqualTo(undisturbed.notes());
    assertThat(keeping.evidence().steps()).hasSize(all.written.size() + 1);
    assertThat(all.written).hasSizeGreaterThan(2);

    for (int k : new int[] {1, all.written.size()}) {
      Memory rest = new Memory(all.written.get(k - 1));
      Run resumed = run(rest, Duration.ZERO, solver);

      assertThat(resumed.verdict()).isEqualTo(Verdict.CERTIFIED);
      assertThat(resumed.theta()).as("after step %d", k).isEqualTo(undisturbed.theta());
      assertThat(rest.written).hasSize(all.written.size() - k);
      assertThat(resumed.notes()).anyMatch(note -> note.startsWith("resumed from a checkpoint"));
      assertThat(resumed.evidence().steps())
          .hasSizeLessThanOrEqualTo(undisturbed.evidence().steps().size());
      assertThat(resumed.evidence().totals().passes())
          .isEqualTo(resumed.evidence().steps().stream().mapToLong(Evidence.Step::passes).sum());
    }
  }

  private static byte[] of(String of, NewtonState state) {
    return new Checkpoint(of, state).toBytes();
  }

  /** None of these may be used, and none may stop the run. */
  @Test
  void run_checkpointThatIsNotOfIt_startsFromTheBeginningAndSaysSo() throws IOException {
    Memory all = new Memory(null);
    Run undisturbed = run(all);
    NewtonState good = Checkpoint.read(all.written.get(1)).state();
    byte[] damaged = all.written.get(1).clone();
    damaged[200] ^= 4;
    double[] infinite = good.point().clone();
    infinite[0] = Double.POSITIVE_INFINITY;
    double[] present = good.point().clone();
    present[People.RACE_SLOTS.get(0)] = 1;
    double[] longer = Arrays.copyOf(good.point(), good.point().length + 1);
    for (byte[] bytes :
        List.of(
            damaged,
            of("f".repeat(64), good),
            of(OF, at(good, infinite)),
            of(OF, at(good, present)),
            of(OF, at(good, longer)))) {
      Memory rest = new Memory(bytes);
      Run run = run(rest);

      assertThat(run.notes())
          .filteredOn(note -> note.startsWith("a checkpoint was not used: "))
          .hasSize(1);
      assertThat(run.notes()).noneMatch(note -> note.startsWith("resumed"));
      assertThat(run.theta()).isEqualTo(undisturbed.theta());
      assertThat(rest.written).hasSameSizeAs(all.written);
    }
  }

  private static NewtonState at(NewtonState state, double[] point) {
    return new NewtonState(
        state.step(), point, state.step(), point, state.firstNorm(), state.fall(), null, 0, null);
  }

  @Test
  void run_placeThatFails_isToldOnceAndChangesNothing() throws IOException {
    Run undisturbed = run(null);
    Run run =
        run(
            new Checkpoints() {
              @Override
              public Optional<Checkpoint> read() {
                throw new InvalidInputException("vault: is away");
              }

              @Override
              public void write(Checkpoint checkpoint) {
                throw new IllegalStateException("u-4711");
              }
            });

    assertThat(run.verdict()).isEqualTo(Verdict.CERTIFIED);
    assertThat(run.theta()).isEqualTo(undisturbed.theta());
    assertThat(run.notes())
        .contains(
            "a checkpoint was not used: vault: is away",
            "not every checkpoint could be kept: IllegalStateException")
        .hasSize(undisturbed.notes().size() + 2);
  }

  @Test
  void run_intervalLongerThanTheRun_keepsNone() throws IOException {
    Memory none = new Memory(null);
    run(none, Duration.ofHours(1), LinearSolver.CG);
    assertThat(none.written).isEmpty();
  }

  private static Invocation command(Path place) {
    return Invocation.unlearn(
        People.model(),
        People.table(),
        Places.write(place.resolve("request.yaml"), Releases.REQUEST),
        place.resolve("out"),
        place.resolve("vault"));
  }

  @Test
  void unlearn_published_leavesNoCheckpoint() throws IOException {
    Path place = Places.directory("resume");
    Outcome outcome = command(place).flag("--resume").with("--checkpoint-interval", 0).run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out()).doesNotContain("resumed", "a checkpoint");
    // they were kept: the folder is there
    assertThat(place.resolve("vault/checkpoints")).isEmptyDirectory();
  }

  /** That rounding allows no such rho is found where the refinement ends. */
  @Test
  void unlearn_refusedAtTheEnd_leavesNoCheckpoint() throws IOException {
    Path place = Places.directory("refused");
    Outcome outcome =
        command(place)
            .with(
                "--request",
                Places.write(
                    place.resolve("small.yaml"),
                    "id: r\nchanges: [{removeFeatures: [race]}]\n"
                        + "certificate: {epsilon: 1e-8, delta: 1e-8, rho: 1e-15}\n"))
            .flag("--resume")
            .with("--checkpoint-interval", 0)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err()).contains("rounding");
    assertThat(place.resolve("vault/checkpoints")).isEmptyDirectory();
  }

  @Test
  void unlearn_resumeOfSeveralReleases_isRefused() {
    Path place = Places.directory("independent");
    Outcome outcome = command(place).flag("--resume").flag("--independent").run();
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.err()).contains("--resume: a checkpoint is of one refinement");
    assertThat(place.resolve("out")).doesNotExist();
  }

  @Test
  void unlearn_intervalWithoutResumeOrNegative_isRefused() {
    Path place = Places.directory("interval");
    for (Invocation invocation :
        List.of(
            command(place).with("--checkpoint-interval", 1),
            command(place).flag("--resume").with("--checkpoint-interval", -1))) {
      Outcome outcome = invocation.run();
      assertThat(outcome.code()).isEqualTo(2);
      assertThat(outcome.err()).contains("must be 0 or more seconds, and needs --resume");
    }
  }

  private static Path only(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      List<Path> found = files.toList();
      assertThat(found).hasSize(1);
      return found.get(0);
    }
  }

  /** Only what was written under this key for this run is handed back. */
  @Test
  void vault_checkpointOfAnotherRunOrKey_isRefused() throws IOException {
    Path place = Places.directory("vault");
    Vault vault = Vault.open(new Configuration(), place.resolve("a").toString());
    Memory all = new Memory(null);
    run(all);
    Checkpoint checkpoint = Checkpoint.read(all.written.get(0));
    Checkpoints.in(vault, OF).write(checkpoint);
    assertThat(Checkpoints.in(vault, OF).read().orElseThrow().toBytes())
        .isEqualTo(checkpoint.toBytes());

    Path mine = only(place.resolve("a/checkpoints"));
    Checkpoints others = Checkpoints.in(vault, "another");
    others.write(checkpoint);
    Files.delete(mine);
    Files.move(only(place.resolve("a/checkpoints")), mine);
    Run run = run(Checkpoints.in(vault, OF));

    assertThat(run.notes()).anyMatch(note -> note.startsWith("a checkpoint was not used: vault: "));
    assertThat(run.verdict()).isEqualTo(Verdict.CERTIFIED);
  }
}

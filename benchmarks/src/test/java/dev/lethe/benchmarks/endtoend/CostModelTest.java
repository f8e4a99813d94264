package dev.lethe.benchmarks.endtoend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.junit.jupiter.api.Test;

/** The model's arithmetic, on measurements that are made up from known constants. */
class CostModelTest {
  private static final int THREADS = 2;
  private static final int GRADIENTS = 8;
  private static final double BEFORE = 0.4;
  private static final double READ_FIXED = 0.3;
  private static final double READ_CELL = 2e-8;
  private static final double PASS = 0.003;
  private static final double RATE = 2e9;
  private static final double TASK = 5e-5;
  private static final double SUM = 1e-8;
  private static final double REST = 0.25;

  private static Spread exactly(double seconds) {
    return new Spread(seconds, seconds, seconds);
  }

  private static double gradient(long n, int d, int threads) {
    return PASS + threads * TASK + 8.0 * n * (d + 2) / (threads * RATE);
  }

  private static Growth.Run run(long n, int d, int threads) {
    double reading = READ_FIXED + READ_CELL * n * d / threads;
    double gradient = gradient(n, d, threads);
    double fromCache = REST + GRADIENTS * gradient;
    return new Growth.Run(
        n,
        d,
        0,
        threads,
        exactly(BEFORE + reading + fromCache),
        exactly(BEFORE),
        exactly(reading),
        exactly(fromCache),
        exactly(gradient),
        GRADIENTS,
        GRADIENTS + 2,
        8L * n * (d + 2));
  }

  private static PassCost.Cost pass(int p, int tasks) {
    double empty = 0.002 + tasks * TASK;
    Spread measured = exactly(PASS + tasks * TASK + (p > 100 ? tasks * p * SUM : 0));
    return new PassCost.Cost(p, tasks, exactly(empty), measured, measured, measured);
  }

  private static CostModel fitted(List<Growth.Run> runs) {
    return CostModel.fitted(runs, pass(100, THREADS), pass(100, 64), pass(100_000, THREADS));
  }

  private static final CostModel MODEL =
      fitted(List.of(run(100_000, 50, THREADS), run(1_000_000, 50, THREADS)));

  @Test
  void fitted_ofKnownConstants_findsThem() {
    // rounding of a few operations on figures of these sizes
    assertThat(MODEL.before()).isEqualTo(BEFORE);
    assertThat(MODEL.readFixed()).isCloseTo(READ_FIXED, within(1e-9));
    assertThat(MODEL.readCell()).isCloseTo(READ_CELL, within(1e-15));
    assertThat(MODEL.passFixed()).isCloseTo(PASS, within(1e-12));
    assertThat(MODEL.taskSeconds()).isCloseTo(TASK, within(1e-12));
    assertThat(MODEL.sumSeconds()).isCloseTo(SUM, within(1e-15));
    assertThat(MODEL.bytesPerSecond()).isCloseTo(RATE, within(1.0));
    assertThat(MODEL.rest()).isCloseTo(REST, within(1e-9));
  }

  @Test
  void seconds_ofAnotherSizeOnOneMachine_areThoseThatWouldBeMeasured() {
    Growth.Run large = run(10_000_000, 50, THREADS);
    Growth.Run oneThread = run(1_000_000, 50, 1);

    // beside what is measured the model counts merging 51 parameters a partition and pass
    double merging = GRADIENTS * THREADS * 51 * SUM;
    assertThat(MODEL.seconds(CostModel.work(large), CostModel.Cluster.local(THREADS)).total())
        .isCloseTo(large.fromParquet().median(), within(merging + 1e-9));
    assertThat(MODEL.seconds(CostModel.work(oneThread), CostModel.Cluster.local(1)).total())
        .isCloseTo(oneThread.fromParquet().median(), within(merging + 1e-9));
  }

  @Test
  void seconds_onACluster_areTheSumsOfTheirParts() {
    // 100 nodes of 16 cores, 10 Gbit/s, 500 MB/s: by hand
    CostModel.Work work = new CostModel.Work(1e10, 50, 1600, GRADIENTS);
    CostModel.Seconds seconds = MODEL.seconds(work, new CostModel.Cluster(100, 16, 1.25e9, 5e8));

    assertThat(seconds.before()).isEqualTo(BEFORE);
    // 4e12 bytes over 100 nodes: storage, not the cores (6.55 s), bounds it
    assertThat(seconds.reading()).isCloseTo(80, within(1e-9));
    assertThat(seconds.gradients()).isCloseTo(8 * 4.16e12 / (1600 * RATE), within(1e-6));
    assertThat(seconds.overhead())
        .isCloseTo(8 * (PASS + 1600 * TASK + 7 * 8 * 51 / 1.25e9), within(1e-9));
    assertThat(seconds.sums()).isCloseTo(8 * 1600 * (40 * 51 / 1.25e9 + 51 * SUM), within(1e-9));
    assertThat(seconds.rest()).isCloseTo(REST, within(1e-9));
  }

  @Test
  void seconds_ofSumsThatTheDriverCannotHold_goThroughALevelOfNeighbours() {
    // 31 250 sums of 2 040 bytes are 63.75 MB, below 64 MiB; of 4 040 bytes above: groups of 177
    CostModel.Cluster cluster = new CostModel.Cluster(100, 16, 1.25e9, 1e12);
    double straight = MODEL.seconds(new CostModel.Work(1e10, 50, 31_250, 1), cluster).sums();
    double levels = MODEL.seconds(new CostModel.Work(1e10, 100, 31_250, 1), cluster).sums();

    assertThat(straight).isCloseTo(31_250 * (2040 / 1.25e9 + 51 * SUM), within(1e-9));
    assertThat(levels)
        .isCloseTo(
            PASS
                + 177 * TASK
                + 31_250 * 4040 / 1.25e11
                + 177 * 101 * SUM
                + 177 * (4040 / 1.25e9 + 101 * SUM),
            within(1e-9));
  }

  @Test
  void exponent_ofPowers_isThePower() {
    List<Growth.Run> runs = List.of(run(1000, 50, 1), run(10_000, 50, 1), run(100_000, 50, 1));

    Growth.Exponent square =
        Growth.Exponent.of(runs, Growth.Run::rows, run -> 3e-9 * run.rows() * run.rows());
    Growth.Exponent kinked =
        Growth.Exponent.of(runs, Growth.Run::rows, run -> Math.max(1e-2, 1e-6 * run.rows()));

    assertThat(square.all()).isCloseTo(2, within(1e-12));
    assertThat(square.last()).isCloseTo(2, within(1e-12));
    // 0, then 1
    assertThat(kinked.all()).isCloseTo(0.5, within(1e-12));
    assertThat(kinked.last()).isCloseTo(1, within(1e-12));
  }

  @Test
  void cores_halfAsFastAsTheBandwidth_areHalfAsEfficient() {
    Growth.Run all = run(1_000_000, 50, 2);
    Growth.Run one =
        new Growth.Run(
            all.rows(),
            50,
            0,
            1,
            all.fromParquet(),
            all.beforeReading(),
            all.reading(),
            exactly(0.8 * all.fromCache().median()),
            exactly(1.6 * all.gradient().median()),
            GRADIENTS,
            GRADIENTS + 2,
            all.blockBytes());

    Growth.Cores cores = Growth.Cores.of(one, all, exactly(10e9), exactly(16e9));

    assertThat(cores.speedupGradient()).isCloseTo(1.6, within(1e-12));
    assertThat(cores.efficiencyGradient()).isCloseTo(1, within(1e-12));
    assertThat(cores.efficiencyFromCache()).isCloseTo(0.5, within(1e-12));
    assertThat(cores.efficiencyFromParquet()).isCloseTo(1 / 1.6, within(1e-12));
  }
}

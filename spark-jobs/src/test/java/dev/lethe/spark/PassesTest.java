package dev.lethe.spark;

import static org.apache.spark.sql.functions.col;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.solver.LinearSolver;
import dev.lethe.spark.JobLog.Job;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.cli.Lethe;
import dev.lethe.spark.job.UnlearnJob;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.apache.spark.SparkContext;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a whole {@code unlearn} costs in Spark jobs and rows read, and what it leaves behind. */
@ExtendWith(LocalSpark.class)
class PassesTest {
  private static final int ROWS = 1000;
  private static final int FILES = 10;
  private static final int ROWS_PER_FILE = ROWS / FILES;

  @TempDir private static Path directory;
  private static SparkContext context;
  private static Jobs jobs;
  private static int releases;

  @BeforeAll
  static void train() throws IOException {
    SparkSession spark = LocalSpark.session();
    context = spark.sparkContext();
    jobs = new Jobs(directory);
    NumericTable table = new NumericTable(ROWS, 5, 8);
    spark
        .read()
        .option("header", "true")
        .option("inferSchema", "true")
        .csv(table.csv(directory.resolve("csv"), FILES, 0).toString())
        .repartitionByRange(FILES, col("id"))
        .write()
        .parquet(jobs.path("table"));
    jobs.train(
        jobs.table("table", "parquet"), table.featureNames(), 0.01, true, true, null, "model");
    String rows =
        """
        changes:
          - removeRows: {where: "id < 5"}
          - relabel: {to: "1 - label", where: "id = 17"}
        """;
    String terms = "certificate: {epsilon: 0.1, delta: 1e-4, rho: %s}\n";
    jobs.write("coarse.yaml", "id: r\n" + rows + terms.formatted("0.1"));
    jobs.write("fine.yaml", "id: r\n" + rows + terms.formatted("1e-7"));
    jobs.write("second-order.yaml", "id: r\n" + rows + "method: second-order\n");
  }

  private static UnlearnJob.Result unlearn(String request, int partitions) throws IOException {
    return jobs.unlearn(
        jobs.table("table", "parquet"),
        false,
        "model",
        request,
        "out" + releases++,
        LinearSolver.CG,
        partitions);
  }

  private static long count(List<Job> all, String descriptionEnd) {
    return all.stream().filter(job -> job.description().endsWith(descriptionEnd)).count();
  }

  /** The jobs from the first to the last that sums over examples. */
  private static List<Job> passes(List<Job> all) {
    Predicate<Job> sums =
        job ->
            job.description().matches(".*: (placing rows|counts and moments|gradient.*|Hessian.*)");
    int first = 0;
    while (!sums.test(all.get(first))) {
      first++;
    }
    int last = all.size() - 1;
    while (!sums.test(all.get(last))) {
      last--;
    }
    return all.subList(first, last + 1);
  }

  /**
   * Jobs = passes + 1 for counts and moments + 1 that inspects the request's rows + 1 for each of
   * two data digests + 1 that asks how rows are stored + Spark's own: the Parquet schema, loading
   * the old model, saving and loading the new one, and the metadata that says which class to load.
   * With a repartitioning, 1 that moves the rows.
   */
  @ParameterizedTest
  @CsvSource({"coarse.yaml, 0, 0", "fine.yaml, 0, 0", "fine.yaml, 3, 1"})
  void unlearn_refined_runsOneJobAPassAndAStatedConstant(
      String request, int partitions, int placing) throws Exception {
    int load = JobLog.count(context, () -> PipelineModel.load(jobs.path("model")));
    PipelineModel model = PipelineModel.load(jobs.path("model"));
    String copy = jobs.path("copy" + releases);
    int save =
        JobLog.count(
            context,
            () -> {
              model.write().save(copy);
              return copy;
            });
    int schema =
        JobLog.count(context, () -> LocalSpark.session().read().parquet(jobs.path("table")));

    Set<Object> cachedBefore = cached();
    try (JobLog log = JobLog.on(context)) {
      Evidence evidence = unlearn(request, partitions).evidence();
      List<Job> all = log.jobs();
      Evidence.Totals totals = evidence.totals();
      assertThat(totals.passes()).isGreaterThan(2);
      assertThat(count(all, "Hessian-vector product")).isEqualTo(totals.hessianVectorProducts());
      // A Hessian is computed where one pass alone does not prove the distance.
      assertThat(
              count(all, "gradient with its rounding bound")
                  + count(all, ": gradient")
                  + count(all, ": Hessian")
                  + count(all, ": Hessian of a sample"))
          .isEqualTo(totals.passes() - totals.hessianVectorProducts());
      assertThat(count(all, "placing rows")).isEqualTo(placing);
      assertThat(all.size() - totals.passes())
          .isEqualTo(1 + 1 + 2 + 1 + placing + schema + 2 * (1 + load) + save);
      assertThat(passes(all)).hasSize((int) totals.passes() + 1 + placing);
      assertThat(passes(all)).allMatch(job -> job.description().startsWith("Lethe unlearn r"));

      assertThat(cached()).isEqualTo(cachedBefore);
      // Removal of a destroyed broadcast is asynchronous.
      for (int k = 0; k < 100 && log.destroyedBroadcasts() <= totals.passes(); k++) {
        Thread.sleep(100);
      }
      assertThat(log.destroyedBroadcasts()).isGreaterThan((int) totals.passes());
    }
  }

  /** RDDs that somebody keeps; other tests of this JVM may. */
  private static Set<Object> cached() {
    return new HashSet<>(
        scala.jdk.javaapi.CollectionConverters.asJava(context.getPersistentRDDs()).keySet());
  }

  @ParameterizedTest
  @CsvSource({"0", "3"})
  void unlearn_secondOrder_readsTouchedRowGroupsForTheGradientDifference(int partitions)
      throws IOException {
    Set<Object> cachedBefore = cached();
    try (JobLog log = JobLog.on(context)) {
      Evidence evidence = unlearn("second-order.yaml", partitions).evidence();
      List<Job> all = log.jobs();
      List<Job> inspection =
          all.stream().filter(j -> j.description().contains("inspect the rows")).toList();
      assertThat(inspection).hasSize(1);
      assertThat(inspection.get(0).recordsRead()).isEqualTo(ROWS_PER_FILE);
      List<Job> difference =
          all.stream().filter(j -> j.description().contains("gradient difference")).toList();
      assertThat(difference).allMatch(job -> job.description().startsWith("Lethe unlearn r"));
      // The original W and s_j need all rows; the touched ones, as they were and as they are now,
      // stand in one file.
      long whole = difference.stream().filter(job -> job.recordsRead() == ROWS).count();
      long touched = difference.stream().filter(job -> job.recordsRead() == ROWS_PER_FILE).count();
      assertThat(whole).isEqualTo(1);
      assertThat(touched).isEqualTo(2);
      assertThat(difference.stream().mapToLong(Job::recordsRead).sum())
          .isLessThan(ROWS + 3 * ROWS_PER_FILE);
      assertThat(count(all, "gradient difference: gradient")).isEqualTo(2);
      assertThat(count(all, "Hessian-vector product"))
          .isEqualTo(evidence.totals().hessianVectorProducts());
      assertThat(passes(all)).allMatch(job -> job.description().startsWith("Lethe unlearn r"));
    }
    assertThat(cached()).isEqualTo(cachedBefore);
  }

  /** A row that fails while rows move to other partitions, before the first pass proper. */
  @Test
  void train_rowThatCannotBeAssembledAndPartitionsGiven_isRefusedWithoutQuotingIt()
      throws IOException {
    Path table = Files.createDirectories(directory.resolve("broken"));
    Files.writeString(table.resolve("a.csv"), "x0,x1,label\n1,2,0\n,4711.25,1\n3,5,1\n0,1,0\n");
    for (String partitions : List.of("0", "2")) {
      int code =
          Lethe.run(
              "train",
              "--data",
              table.toString(),
              "--format",
              "csv",
              "--label",
              "label",
              "--partitions",
              partitions,
              "--out",
              jobs.path("broken-model"));
      assertThat(code).isEqualTo(2);
    }
    assertThat(directory.resolve("broken-model")).doesNotExist();
  }
}

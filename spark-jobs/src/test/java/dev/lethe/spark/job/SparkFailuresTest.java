package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.Outage;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.SparkFailedException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkContext;
import org.apache.spark.SparkException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A failure of Spark is told from bad data, on Spark jobs that fail. */
@ExtendWith(LocalSpark.class)
class SparkFailuresTest {
  @BeforeAll
  static void silenceSpark() {
    LocalSpark.session().sparkContext().setLogLevel("OFF");
  }

  @AfterAll
  static void letSparkSpeak() {
    LocalSpark.session().sparkContext().setLogLevel("ERROR");
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({
    "memory, 5, memory ran out",
    "class, 5, a class is missing",
    "network, 5, a storage or network service could not be reached",
    "other, 5, for a reason that Lethe does not know",
    "number, 2, a row could not be read or featurised"
  })
  void run_taskFails_saysWhatKindOfFailureWithoutTheMessage(
      String failure, int expectedCode, String message) {
    Path out = Places.unused("model");

    Outcome outcome =
        Invocation.train(Path.of("nowhere"), "label", out)
            .with("--features", "age,hours")
            .with("--format", FailingSource.class.getName())
            .with("--option", "failure=" + failure)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(expectedCode);
    assertThat(outcome.err())
        .contains("--data", message)
        .doesNotContain(FailingSource.SECRET, "\tat ");
    assertThat(out.getParent()).isEmptyDirectory();
  }

  @Test
  void sanitized_cancelledJob_isAFailureOfTheJob() throws Exception {
    SparkContext context = LocalSpark.session().sparkContext();
    CompletableFuture<Void> run =
        CompletableFuture.runAsync(
            () -> {
              context.setJobGroup("to be cancelled", "sleeps", true);
              Dataset<Row> rows =
                  LocalSpark.session()
                      .read()
                      .format(FailingSource.class.getName())
                      .option("failure", "sleep")
                      .load();
              SparkFailures.sanitized("--data x", () -> rows.toJavaRDD().count());
            });
    while (context.statusTracker().getJobIdsForGroup("to be cancelled").length == 0) {
      Thread.sleep(20);
    }
    context.cancelJobGroup("to be cancelled");

    assertThatThrownBy(() -> run.get(30, TimeUnit.SECONDS))
        .cause()
        .isInstanceOf(SparkFailedException.class)
        .hasMessageContaining(
            "--data x: Spark did not finish: Spark was stopped or the job cancelled");
  }

  @Test
  void sanitized_fileThatIsGone_isBadInput() throws IOException {
    Path table = People.write(People.dataset(), "parquet", "people");
    Dataset<Row> rows = LocalSpark.session().read().parquet(table.toString());
    try (var files = Files.list(table)) {
      for (Path file : files.filter(name -> name.toString().endsWith(".parquet")).toList()) {
        Files.delete(file);
      }
    }

    assertThatThrownBy(() -> SparkFailures.sanitized("--data x", () -> rows.toJavaRDD().count()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("a damaged file");
  }

  /** As DAGScheduler words them. */
  @ParameterizedTest
  @CsvSource({
    "EXECUTORS, 'Job aborted due to stage failure: Task 0 in stage 3.0 failed 4 times, most recent"
        + " failure: Lost task 0.3 in stage 3.0 (TID 9) (10.0.0.1 executor 2): ExecutorLostFailure"
        + " (executor 2 exited caused by one of the running tasks) Reason: worker lost'",
    "SHUFFLE, 'Job aborted due to stage failure: ShuffleMapStage 5 has failed the maximum allowable"
        + " number of times: 4. Most recent failure reason: FetchFailed'",
    "STOPPED, 'Job 7 cancelled because SparkContext was shut down'",
    "RESULTS, 'Job aborted due to stage failure: Total size of serialized results of 3 tasks (3.0"
        + " GiB) is bigger than spark.driver.maxResultSize (1024.0 MiB)'"
  })
  void of_messageOfTheScheduler_isTheOutage(Outage outage, String message) {
    assertThat(Outage.of(new SparkException(message))).contains(outage);
    assertThat(SparkErrors.isOfData(new SparkException(message))).isFalse();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/data/blockmgr-1/0c/shuffle_0_1_0.data (No such file or directory)",
        "No space left on device"
      })
  void of_localDiskOfSpark_isNoBadInput(String message) {
    Throwable failure =
        new SparkException("Job aborted due to stage failure", new FileNotFoundException(message));

    assertThat(Outage.of(failure)).contains(Outage.DISK);
    assertThat(SparkErrors.isOfData(failure)).isFalse();
  }

  @ParameterizedTest
  @ValueSource(strings = {"Unseen label: Job aborted ExecutorLostFailure", "ExecutorLostFailure"})
  void of_messageThatQuotesACell_isNone(String message) {
    Throwable failure =
        new SparkException(
            "Job aborted due to stage failure: " + message, new SparkException(message));

    assertThat(Outage.of(failure)).isEmpty();
  }
}

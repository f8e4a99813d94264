package dev.lethe.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import org.apache.spark.SparkException;
import org.apache.spark.TaskKilledException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.junit.jupiter.api.Test;

class WithholdingRowsTest {
  private static final String CELL = "aperson";

  private static Dataset<Row> texts() {
    // Spark computes rows of its own plan on the driver; these are read by tasks.
    return LocalSpark.session()
        .createDataset(List.of("1", "2", CELL), Encoders.STRING())
        .toDF("t")
        .repartition(1);
  }

  private static Dataset<Row> failing() {
    return texts().select(functions.expr("to_number(t, '9')").as("n"));
  }

  private static String trace(Throwable failure) {
    StringWriter written = new StringWriter();
    failure.printStackTrace(new PrintWriter(written, true));
    return written.toString();
  }

  @Test
  void of_rowsThatCanBeRead_areTheSame() {
    assertThat(WithholdingRows.of(texts()).collectAsList()).isEqualTo(texts().collectAsList());
    assertThat(WithholdingRows.of(texts()).schema()).isEqualTo(texts().schema());
    assertThat(WithholdingRows.count(texts())).isEqualTo(3);
  }

  @Test
  void of_rowThatCannotBeComputed_isNotQuoted() {
    Throwable quoted = catchThrowable(() -> failing().collectAsList());
    assertThat(trace(quoted)).contains(CELL);

    for (Throwable withheld :
        List.of(
            catchThrowable(() -> WithholdingRows.of(failing()).collectAsList()),
            catchThrowable(() -> WithholdingRows.of(failing()).repartition(2).collectAsList()),
            catchThrowable(() -> WithholdingRows.rdd(failing()).count()))) {
      assertThat(trace(withheld)).doesNotContain(CELL).contains("withheld");
      assertThat(SparkErrors.kind(withheld)).isEqualTo(SparkErrors.kind(quoted)).isNotEmpty();
      assertThat(SparkErrors.isOfData(withheld)).isEqualTo(SparkErrors.isOfData(quoted));
    }
  }

  @Test
  void of_plan_doesNotShowWhatTheRowsAre() {
    assertThat(WithholdingRows.of(texts().where("t = 'secret'")).queryExecution().toString())
        .doesNotContain("secret");
  }

  @Test
  void withheld_outageAndKilledTask_areThemselves() {
    for (Exception failure :
        List.of(
            new TaskKilledException("another attempt succeeded"),
            new SparkException("x", new IOException("No space left on device")))) {
      assertThat(catchThrowable(() -> rethrow(failure))).isSameAs(failure);
    }
  }

  @Test
  void withheld_refusalWithinAFailure_isTheRefusalAlone() {
    Exception failure =
        new IllegalStateException(CELL, new InvalidInputException("a row has 2 features"));

    assertThat(catchThrowable(() -> rethrow(failure)))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("a row has 2 features")
        .hasNoCause();
  }

  @Test
  void withheld_failureOfArithmetic_keepsItsClass() {
    Throwable withheld = catchThrowable(() -> rethrow(new NumberFormatException(CELL)));

    assertThat(trace(withheld)).doesNotContain(CELL);
    assertThat(SparkErrors.arithmetic(withheld)).contains("NumberFormatException");
    assertThat(SparkErrors.kind(withheld)).isEqualTo("NumberFormatException");
    assertThat(SparkErrors.isOfData(withheld)).isTrue();
  }

  private static void rethrow(Exception failure) {
    throw WithheldException.of(failure);
  }
}

package dev.lethe.spark.job;

import static org.apache.spark.sql.functions.expr;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Releases.Release;
import java.nio.file.Path;
import org.apache.spark.sql.RuntimeConfig;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Settings of the session that decide what an expression of a request means. */
@ExtendWith(LocalSpark.class)
class LetheSessionTest {
  private static final String CASE = "spark.sql.caseSensitive";
  private static final String TIME_ZONE = "spark.sql.session.timeZone";
  private static final RuntimeConfig SETTINGS = LocalSpark.session().conf();
  private static final String USUAL_TIME_ZONE = SETTINGS.get(TIME_ZONE);

  @AfterEach
  void restore() {
    SETTINGS.set(CASE, "false");
    SETTINGS.set(TIME_ZONE, USUAL_TIME_ZONE);
  }

  @Test
  void open_sessionThatCountsCase_noLongerDoes() {
    SETTINGS.set(CASE, "true");
    Path out = Places.unused("table");

    Outcome outcome =
        Invocation.apply(
                People.table(),
                "LABEL",
                Places.write(
                    Places.unused("request.yaml"),
                    "id: r\nchanges: [{removeFeatures: [Race]}, {removeRows: {where: \"USER_ID ="
                        + " 'u-4711'\"}}]\n"),
                out)
            .run();

    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(SETTINGS.get(CASE)).isEqualTo("false");
    assertThat(LocalSpark.session().read().parquet(out.toString()).count())
        .isEqualTo(People.COUNT - 1);
  }

  @Test
  void verify_inAnotherTimeZone_failsAndNamesTheSetting() {
    Path data =
        People.write(
            People.dataset().withColumn("seen", expr("timestamp_seconds(int(age) * 3600)")),
            "parquet",
            "seen");
    SETTINGS.set(TIME_ZONE, "UTC");
    Release release =
        Releases.unlearn(
            People.smallModel(),
            data,
            "id: r-1\nchanges: [{removeRows: {where: \"day(seen) = 3\"}}]\n"
                + "certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-5}\n",
            0);
    assertThat(release.fullVerification().run().code()).isZero();

    SETTINGS.set(TIME_ZONE, "Asia/Tokyo");
    Outcome outcome = release.fullVerification().run();

    assertThat(outcome.code()).as("%s", outcome).isEqualTo(4);
    assertThat(outcome.out())
        .contains("spark.sql.session.timeZone is Asia/Tokyo, spark.sql.ansi.enabled is ");
  }
}

package dev.lethe.spark.it;

import dev.lethe.spark.cli.Lethe;
import dev.lethe.spark.job.LogContext;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.slf4j.LoggerFactory;

/**
 * Runs a Lethe command, writes what the driver's web port says of its metrics then, and some lines
 * of log. Arguments: where to write the page, the command.
 */
public final class WatchedJob {
  static final String AWKWARD = "\"quoted\" \\ back\tslash\r\nnext line, \u00e9\u4e2d \u0007";

  private WatchedJob() {}

  public static void main(String[] args) throws Exception {
    SparkSession spark = SparkSession.builder().appName("watched").getOrCreate();
    int code = Lethe.run(Arrays.copyOfRange(args, 1, args.length));
    if (code != 0) {
      throw new IllegalStateException("exit code " + code);
    }
    URI page = URI.create(spark.sparkContext().uiWebUrl().get() + "/metrics/prometheus");
    HttpResponse<String> answer =
        HttpClient.newBuilder()
            .followRedirects(HttpClient.Redirect.NORMAL) // to the path with a slash, as Prometheus
            .build()
            .send(HttpRequest.newBuilder(page).build(), HttpResponse.BodyHandlers.ofString());
    Files.writeString(Path.of(args[0]), answer.statusCode() + "\n" + answer.body());
    try (LogContext application = LogContext.application(spark);
        LogContext request = LogContext.request(spark, "r-\"1\"")) {
      log("on the driver", new IllegalStateException(AWKWARD));
      JavaSparkContext.fromSparkContext(spark.sparkContext())
          .parallelize(List.of(1), 1)
          .foreach(one -> log("in a task", null));
    }
    log("afterwards", null);
    spark.stop();
  }

  private static void log(String where, Exception error) {
    LoggerFactory.getLogger(WatchedJob.class).info(where + ": " + AWKWARD, error);
  }
}

package dev.lethe.spark.it;

import dev.lethe.spark.cli.Lethe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.spark.sql.SparkSession;

/**
 * Runs commands of Lethe one after the other in one application. Arguments: a file of them, a line
 * each, words between tabs; where to write their exit codes. The command {@code parquet} is the
 * test's own: it writes a CSV as Parquet.
 */
public final class MarkersJob {
  private MarkersJob() {}

  public static void main(String[] args) throws Exception {
    SparkSession spark = SparkSession.builder().appName("markers").getOrCreate();
    StringBuilder codes = new StringBuilder();
    for (String line : Files.readAllLines(Path.of(args[0]))) {
      List<String> words = List.of(line.split("\t"));
      System.err.println("COMMAND " + words.get(0));
      if (words.get(0).equals("parquet")) {
        spark
            .read()
            .option("header", "true")
            .option("inferSchema", "true")
            .csv(words.get(1))
            .write()
            .parquet(words.get(2));
        codes.append("0\n");
      } else {
        codes.append(Lethe.run(words.toArray(String[]::new))).append('\n');
      }
    }
    Files.writeString(Path.of(args[1]), codes);
    spark.stop();
  }
}

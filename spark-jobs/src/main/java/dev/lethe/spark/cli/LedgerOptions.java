package dev.lethe.spark.cli;

import dev.lethe.spark.job.InputFile;
import dev.lethe.spark.removal.Settings;
import org.apache.spark.sql.SparkSession;
import picocli.CommandLine.Option;

/** Which ledger. */
final class LedgerOptions {
  private static final int MAX_BYTES = 1 << 20;

  @Option(
      names = "--config",
      required = true,
      paramLabel = "FILE",
      description = "The configuration of the ledger: conf/lethe.yaml describes every key")
  private String config;

  Settings settings(SparkSession spark) {
    return read(spark, config);
  }

  static Settings read(SparkSession spark, String file) {
    return Settings.read(InputFile.read(spark, "--config", file, MAX_BYTES), file);
  }
}

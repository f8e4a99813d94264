package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.SigningKey;
import dev.lethe.spark.certificate.VaultEncryption;
import dev.lethe.spark.job.InputFile;
import dev.lethe.spark.job.ReleaseKeys;
import dev.lethe.spark.removal.Place;
import dev.lethe.spark.removal.Settings;
import java.util.Map;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Which ledger. */
final class LedgerOptions {
  private static final int MAX_BYTES = 1 << 20;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec mixee;

  @Option(
      names = "--config",
      required = true,
      paramLabel = "FILE",
      description = "The configuration of the ledger: conf/lethe.yaml describes every key")
  private String config;

  Place place(SparkSession spark) {
    return place(spark, config, Lethe.environment(mixee));
  }

  /** What a configuration says, with the keys that it and the environment name. */
  static Place place(SparkSession spark, String file, Map<String, String> environment) {
    Settings settings = Settings.read(InputFile.read(spark, "--config", file, MAX_BYTES), file);
    Configuration configuration = spark.sparkContext().hadoopConfiguration();
    return new Place(
        settings,
        new ReleaseKeys(
            encryption(settings.encryption(), configuration, environment),
            signing(settings.signing(), configuration, environment)),
        spark);
  }

  private static @Nullable VaultEncryption encryption(
      Settings.@Nullable Keystore keystore,
      Configuration configuration,
      Map<String, String> environment) {
    String key = environment.get(VaultEncryption.KEY_VARIABLE);
    if (keystore == null) {
      return key == null ? null : VaultEncryption.ofHex(key, VaultEncryption.KEY_VARIABLE);
    }
    if (key != null) {
      throw new InvalidInputException(
          "encryption: "
              + VaultEncryption.KEY_VARIABLE
              + " is set, too; a vault has one master key");
    }
    return VaultEncryption.ofKeystore(
        configuration,
        keystore.keystore(),
        keystore.alias(),
        Lethe.password(environment, "encryption.keystore", VaultEncryption.PASSWORD_VARIABLE));
  }

  private static @Nullable SigningKey signing(
      Settings.@Nullable Signing signing,
      Configuration configuration,
      Map<String, String> environment) {
    if (signing == null) {
      return null;
    }
    return signing.key() != null
        ? SigningKey.ofPem(configuration, signing.key())
        : SigningKey.ofKeystore(
            configuration,
            Objects.requireNonNull(signing.keystore()),
            signing.alias(),
            Lethe.password(environment, "signing.keystore", SigningKey.PASSWORD_VARIABLE));
  }
}

package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.SigningKey;
import org.apache.hadoop.conf.Configuration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The key that signs. */
final class SigningOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec mixee;

  @Option(
      names = "--signing-key",
      paramLabel = "FILE",
      description =
          "Sign the certificate, as OUT/certificate.json.sig, with this Ed25519 key in PEM"
              + " (openssl genpkey -algorithm ed25519)")
  private @Nullable String file;

  @Option(
      names = "--signing-keystore",
      paramLabel = "FILE",
      description =
          "Instead: with a key of this PKCS#12 keystore; its password in the environment variable "
              + SigningKey.PASSWORD_VARIABLE)
  private @Nullable String keystore;

  @Option(
      names = "--signing-alias",
      paramLabel = "ALIAS",
      description = "Which of the keystore's keys; required where it has several")
  private @Nullable String alias;

  /** The key that was named; null if none was. */
  @Nullable SigningKey key(Configuration configuration) {
    if (file != null && keystore != null) {
      throw new InvalidInputException("--signing-key and --signing-keystore exclude each other");
    }
    if (alias != null && keystore == null) {
      throw new InvalidInputException("--signing-alias: needs --signing-keystore");
    }
    if (file != null) {
      return SigningKey.ofPem(configuration, file);
    }
    return keystore == null
        ? null
        : SigningKey.ofKeystore(
            configuration,
            keystore,
            alias,
            Lethe.password(mixee, "--signing-keystore", SigningKey.PASSWORD_VARIABLE));
  }
}

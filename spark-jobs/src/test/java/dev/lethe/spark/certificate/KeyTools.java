package dev.lethe.spark.certificate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Keys of the programs that people make keys with: openssl, and the JDK's keytool. */
public final class KeyTools {
  /** Of every keystore. */
  public static final String PASSWORD = "correct horse battery staple";

  private KeyTools() {}

  /** What a program did. */
  public record Run(int code, String output) {}

  /** Runs openssl; the test is skipped where there is none. */
  public static Run openssl(Object... arguments) {
    try {
      return run("openssl", arguments);
    } catch (IOException e) {
      assumeTrue(false, "openssl is not installed: its keys and signatures are not tested");
      throw new UncheckedIOException(e);
    }
  }

  /** Runs the JDK's keytool and expects it to succeed. */
  public static void keytool(Object... arguments) {
    try {
      Run run = run(Path.of(System.getProperty("java.home"), "bin", "keytool"), arguments);
      assertThat(run.code()).as(run.output()).isZero();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A keystore with one more pair of keys. */
  public static Path keyPair(Path keystore, String alias, String algorithm) {
    keytool(
        "-genkeypair",
        "-keyalg",
        algorithm,
        "-alias",
        alias,
        "-dname",
        "CN=Lethe",
        "-storetype",
        "PKCS12",
        "-keystore",
        keystore,
        "-storepass",
        PASSWORD);
    return keystore;
  }

  /** A keystore with one more AES key. */
  public static Path secretKey(Path keystore, String alias, int bits) {
    keytool(
        "-genseckey",
        "-keyalg",
        "AES",
        "-keysize",
        bits,
        "-alias",
        alias,
        "-storetype",
        "PKCS12",
        "-keystore",
        keystore,
        "-storepass",
        PASSWORD);
    return keystore;
  }

  /** The X.509 certificate of a pair, in PEM. */
  public static Path exported(Path keystore, String alias, Path to) {
    keytool(
        "-exportcert",
        "-rfc",
        "-alias",
        alias,
        "-file",
        to,
        "-keystore",
        keystore,
        "-storepass",
        PASSWORD);
    return to;
  }

  private static Run run(Object program, Object... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of(program.toString()));
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    try {
      process.getOutputStream().close();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return new Run(process.waitFor(), output);
    } catch (InterruptedException e) {
      process.destroyForcibly();
      throw new IllegalStateException(e);
    }
  }
}

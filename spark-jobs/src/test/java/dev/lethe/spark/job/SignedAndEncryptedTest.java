package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.KeyTools;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Releases with a signature, and vaults under a master key, from the command line. */
@ExtendWith(LocalSpark.class)
class SignedAndEncryptedTest {
  private static final String VAULT_KEY = "5eed".repeat(16);
  private static final Map<String, String> ENCRYPTED = Map.of("LETHE_VAULT_KEY", VAULT_KEY);
  private static final Map<String, String> PASSWORDS =
      Map.of(
          "LETHE_SIGNING_PASSWORD", KeyTools.PASSWORD, "LETHE_VAULT_PASSWORD", KeyTools.PASSWORD);

  /** Fields of the documents of a vault. */
  private static final List<String> READABLE =
      List.of(
          "schemaVersion", "unnoisedParameters", "certificateId", "digests", "sigma", VAULT_KEY);

  private static Path keys;
  private static Path keystore;
  private static Path certificate;
  private static Releases.Release release;

  @BeforeAll
  static void release() {
    keys = Places.directory("keys");
    keystore = KeyTools.keyPair(keys.resolve("keys.p12"), "nightly", "Ed25519");
    KeyTools.secretKey(keystore, "vault", 256);
    certificate = KeyTools.exported(keystore, "nightly", keys.resolve("nightly.pem"));
    Path place = Places.directory("signed");
    release =
        new Releases.Release(
            People.model(),
            People.table(),
            Places.write(place.resolve("request.yaml"), Releases.REQUEST),
            place.resolve("out"),
            place.resolve("vault"));
    Outcome outcome =
        run(
            Invocation.unlearn(
                    release.model(),
                    release.data(),
                    release.request(),
                    release.out(),
                    release.vault())
                .with("--signing-keystore", keystore)
                .with("--vault-keystore", keystore),
            PASSWORDS);
    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out()).contains("certificate.json.sig is the signature by the key ");
  }

  private static Outcome run(Invocation invocation, Map<String, String> environment) {
    Outcome outcome = invocation.run(environment);
    assertThat(outcome.out() + outcome.err()).doesNotContain(VAULT_KEY, KeyTools.PASSWORD);
    return outcome;
  }

  private static Invocation verification() {
    return release.verification().with("--public-key", certificate);
  }

  @Test
  void unlearn_signedAndEncrypted_verifiesInFull() {
    Outcome outcome =
        run(
            release
                .fullVerification()
                .with("--public-key", certificate)
                .with("--vault-keystore", keystore)
                .with("--vault-alias", "vault"),
            PASSWORDS);
    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out()).contains("ok    signature of the certificate");
  }

  @Test
  void unlearn_encrypted_leavesNothingReadable() throws IOException {
    List<Path> files = files(release.vault());
    assertThat(files).hasSize(2);
    for (Path file : files) {
      assertThat(Files.readString(file, StandardCharsets.ISO_8859_1))
          .as(file.toString())
          .startsWith("LETHEVLT")
          .doesNotContain(READABLE);
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
          .isEqualTo("rw-------");
    }
  }

  private static List<Path> files(Path vault) {
    try (Stream<Path> files = Files.walk(vault)) {
      return files.filter(Files::isRegularFile).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void verify_byOpenssl_acceptsTheSignature() {
    Path publicKey = keys.resolve("public.pem");
    assertThat(
            KeyTools.openssl("x509", "-in", certificate, "-pubkey", "-noout", "-out", publicKey)
                .code())
        .isZero();
    Path document = release.out().resolve("certificate.json");
    KeyTools.Run verified =
        KeyTools.openssl(
            "pkeyutl",
            "-verify",
            "-pubin",
            "-inkey",
            publicKey,
            "-rawin",
            "-in",
            document,
            "-sigfile",
            document + ".sig");
    assertThat(verified.code()).as(verified.output()).isZero();
  }

  @Test
  void verify_signatureWithoutPublicKey_isReportedAsNotChecked() {
    Outcome outcome = run(release.verification(), Map.of());
    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out()).contains("was not checked: that needs --public-key");
  }

  @Test
  void verify_noSignature_fails() {
    Outcome outcome =
        run(Releases.certified().verification().with("--public-key", certificate), Map.of());
    assertBroken(outcome);
    assertThat(outcome.out()).contains("there is no ");
    assertThat(Releases.certified().verification().run().out()).doesNotContain("was not checked");
  }

  @Test
  void verify_anythingButTheSignedBytes_fails() throws IOException {
    Path copy = Places.copy(release.out(), Places.unused("copy"));
    Path document = copy.resolve("certificate.json");
    Path signature = copy.resolve("certificate.json.sig");
    byte[] signed = Files.readAllBytes(signature);
    Invocation verification = Invocation.verify(copy).with("--public-key", certificate);
    assertThat(run(verification, Map.of()).code()).isZero();

    Files.write(signature, new byte[64]);
    assertBroken(run(verification, Map.of()));
    Files.write(signature, new byte[0]);
    assertBroken(run(verification, Map.of()));

    // the same certificate in other bytes
    Files.write(signature, signed);
    Files.writeString(document, Files.readString(document) + "\n");
    assertBroken(run(verification, Map.of()));
    assertThat(run(verification.without("--public-key"), Map.of()).code()).isZero();
  }

  @Test
  void verify_publicKeyOfAnother_fails() {
    Path other = KeyTools.keyPair(keys.resolve("other.p12"), "other", "Ed25519");
    Path pem = KeyTools.exported(other, "other", keys.resolve("other.pem"));
    assertBroken(run(verification().with("--public-key", pem), Map.of()));
  }

  private static void assertBroken(Outcome outcome) {
    assertThat(outcome.code()).as("%s", outcome).isEqualTo(4);
    assertThat(outcome.out()).contains("FAIL  signature of the certificate");
  }

  @Test
  void verify_encryptedVaultWithoutItsKey_isRefused() {
    refused(run(release.fullVerification(), Map.of()), "is encrypted");
    refused(run(release.fullVerification(), ENCRYPTED), "is encrypted under the key ");
    refused(run(Releases.certified().fullVerification(), ENCRYPTED), "is not encrypted");
  }

  @Test
  void unlearn_keysThatCannotBeUsed_areRefusedBeforeAnythingIsRead() {
    refused(run(unlearning(), Map.of("LETHE_VAULT_KEY", "abc")), "LETHE_VAULT_KEY: must be 64");
    refused(
        run(unlearning().with("--vault-keystore", keystore), Map.of()),
        "in the environment variable LETHE_VAULT_PASSWORD");
    refused(
        run(unlearning().with("--vault-keystore", keystore), ENCRYPTED), "a vault has one master");
    refused(run(unlearning().with("--vault-alias", "a"), Map.of()), "needs --vault-keystore");
    refused(run(unlearning().with("--signing-alias", "a"), Map.of()), "needs --signing-keystore");
    refused(
        run(unlearning().with("--signing-keystore", keystore), Map.of()),
        "in the environment variable LETHE_SIGNING_PASSWORD");
    refused(
        run(
            unlearning().with("--signing-keystore", keystore).with("--signing-key", certificate),
            PASSWORDS),
        "exclude each other");
    refused(run(unlearning().with("--signing-key", certificate), Map.of()), "holds CERTIFICATE");
    refused(
        run(unlearning().with("--vault", release.vault()), ENCRYPTED),
        "is encrypted under the key ");
    refused(
        run(release.verification().with("--vault-keystore", keystore), PASSWORDS), "needs --vault");
  }

  /** Of data that are not there: the keys are looked at first. */
  private static Invocation unlearning() {
    return Invocation.unlearn(
        release.model(),
        Places.unused("data"),
        release.request(),
        Places.unused("out"),
        Places.unused("vault"));
  }

  private static void refused(Outcome outcome, String message) {
    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(outcome.err()).contains(message);
  }

  @Test
  void train_evidenceOfAnEncryptedVault_isReadUnderTheKey() {
    Path evidence =
        files(release.vault()).stream().filter(f -> f.endsWith("evidence.json")).findFirst().get();
    Invocation training =
        new Invocation("train")
            .with("--like", release.model())
            .with("--data", release.data())
            .with("--request", release.request())
            .with("--evidence", evidence)
            .with("--out", Places.unused("retrained"))
            .flag("--figures");
    refused(run(training, Map.of()), "is encrypted");
    Outcome outcome =
        run(training.with("--vault-keystore", keystore).with("--vault-alias", "vault"), PASSWORDS);
    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(outcome.out()).contains("to the un-noised parameters of the evidence");
  }

  @Test
  void train_perturbedWithAVaultKey_isUnlearnedAndVerifiedUnderIt() throws IOException {
    Path model = Places.unused("model");
    Path vault = Places.unused("vault");
    Path out = Places.unused("out");
    Path request =
        Places.write(
            Places.unused("request.yaml"),
            "id: release-p\nchanges:\n  - removeRows: {where: \"user_id = 'u-4711'\"}\n");
    Invocation training =
        Invocation.train(People.table(), "label", model)
            .with("--features", "age,hours")
            .with("--reg-param", 0.01)
            .with("--mechanism", "loss-perturbation")
            .with("--epsilon", 0.1)
            .with("--delta", 1e-4)
            .with("--residual", 1e-3)
            .with("--vault", vault);
    assertThat(run(training, ENCRYPTED).code()).isZero();
    refused(
        run(Invocation.unlearn(model, People.table(), request, out, vault), Map.of()),
        "is encrypted");
    Outcome outcome =
        run(Invocation.unlearn(model, People.table(), request, out, vault), ENCRYPTED);
    assertThat(outcome.code()).as("%s", outcome).isZero();
    assertThat(
            run(
                    Invocation.verify(out)
                        .with("--vault", vault)
                        .with("--data", People.table())
                        .with("--request", request),
                    ENCRYPTED)
                .code())
        .isZero();
    assertThat(files(vault)).hasSize(4);
    for (Path file : files(vault)) {
      assertThat(Files.readString(file, StandardCharsets.ISO_8859_1)).doesNotContain(READABLE);
    }
  }

  @Test
  void unlearn_independent_signsEach() throws IOException {
    Path out = Places.directory("independent");
    Path requests = Places.directory("requests");
    for (String id : List.of("r-1", "r-2")) {
      Places.write(
          requests.resolve(id + ".yaml"), Releases.REQUEST.replace("id: release-1", "id: " + id));
    }
    Path vault = Places.unused("vault");
    Outcome outcome =
        run(
            Invocation.unlearn(People.model(), People.table(), requests, out, vault)
                .with("--signing-keystore", keystore)
                .flag("--independent"),
            Map.of("LETHE_SIGNING_PASSWORD", KeyTools.PASSWORD, "LETHE_VAULT_KEY", VAULT_KEY));
    assertThat(outcome.code()).as("%s", outcome).isZero();
    for (String id : List.of("r-1", "r-2")) {
      assertThat(out.resolve(id).resolve("certificate.json.sig")).hasSize(64);
      assertThat(
              run(Invocation.verify(out.resolve(id)).with("--public-key", certificate), Map.of())
                  .code())
          .isZero();
    }
    for (Path file : files(vault)) {
      assertThat(Files.readString(file, StandardCharsets.ISO_8859_1)).startsWith("LETHEVLT");
    }
  }
}

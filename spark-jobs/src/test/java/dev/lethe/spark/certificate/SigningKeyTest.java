package dev.lethe.spark.certificate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Ed25519 beside RFC 8032, openssl and keytool. */
class SigningKeyTest {
  /** RFC 8032, 7.1, test 3. */
  private static final String SECRET =
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7";

  private static final String PUBLIC =
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";
  private static final String SIGNATURE =
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
          + "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";
  private static final byte[] MESSAGE = HexFormat.of().parseHex("af82");

  /** What RFC 8410 puts in front of 32 bytes of a private and of a public key. */
  private static final String PKCS8 = "302e020100300506032b657004220420";

  private static final String SPKI = "302a300506032b6570032100";

  private final Configuration conf = OtherFileSystem.conf();

  @TempDir Path dir;

  private Path pem(String name, String label, String hex) throws IOException {
    return Files.writeString(
        dir.resolve(name),
        "-----BEGIN %s-----\n%s\n-----END %s-----\n"
            .formatted(
                label, Base64.getEncoder().encodeToString(HexFormat.of().parseHex(hex)), label));
  }

  private SigningKey signer() throws IOException {
    return SigningKey.ofPem(conf, pem("key.pem", "PRIVATE KEY", PKCS8 + SECRET).toString());
  }

  private PublicSigningKey verifier() throws IOException {
    return PublicSigningKey.of(conf, pem("public.pem", "PUBLIC KEY", SPKI + PUBLIC).toString());
  }

  @Test
  void sign_vectorOfRfc8032_isTheSignature() throws IOException {
    assertThat(HexFormat.of().formatHex(signer().sign(MESSAGE))).isEqualTo(SIGNATURE);
    assertThat(verifier().verifies(MESSAGE, HexFormat.of().parseHex(SIGNATURE))).isTrue();
  }

  /** SHA-256 of the 44 bytes, by sha256sum. */
  @Test
  void keyId_privateAndPublicKey_isTheDigestOfTheSubjectPublicKeyInfo() throws Exception {
    byte[] spki = HexFormat.of().parseHex(SPKI + PUBLIC);
    String digest =
        HexFormat.of().formatHex(java.security.MessageDigest.getInstance("SHA-256").digest(spki));
    assertThat(signer().keyId()).isEqualTo(digest);
    assertThat(verifier().keyId()).isEqualTo(digest);
    assertThat(signer().toString()).contains(digest).doesNotContain(SECRET);
  }

  @Test
  void verifies_anythingElse_isFalse() throws IOException {
    byte[] signature = HexFormat.of().parseHex(SIGNATURE);
    PublicSigningKey verifier = verifier();
    for (int at = 0; at < signature.length; at++) {
      byte[] other = signature.clone();
      other[at] ^= 1;
      assertThat(verifier.verifies(MESSAGE, other)).as("byte %d", at).isFalse();
    }
    for (int length : new int[] {0, 1, 63, 65, 1024}) {
      assertThat(verifier.verifies(MESSAGE, Arrays.copyOf(signature, length))).isFalse();
    }
    assertThat(verifier.verifies(new byte[] {(byte) 0xaf}, signature)).isFalse();
  }

  @Test
  void sign_keyOfOpenssl_isVerifiedByOpenssl() throws IOException {
    Path key = dir.resolve("openssl.pem");
    Path publicKey = dir.resolve("openssl-public.pem");
    Path document = Files.writeString(dir.resolve("certificate.json"), "{\"verdict\": 1}\n");
    Path signature = dir.resolve("certificate.json.sig");
    assertThat(KeyTools.openssl("genpkey", "-algorithm", "ed25519", "-out", key).code()).isZero();
    KeyTools.openssl("pkey", "-in", key, "-pubout", "-out", publicKey);
    SigningKey signer = SigningKey.ofPem(conf, key.toString());

    Files.write(signature, signer.sign(Files.readAllBytes(document)));

    assertThat(signature).hasSize(64);
    assertThat(verifiedByOpenssl(publicKey, document, signature)).isTrue();
    assertThat(PublicSigningKey.of(conf, publicKey.toString()).keyId()).isEqualTo(signer.keyId());
    Files.writeString(document, "{\"verdict\": 2}\n");
    assertThat(verifiedByOpenssl(publicKey, document, signature)).isFalse();
  }

  private static boolean verifiedByOpenssl(Path publicKey, Path document, Path signature) {
    return KeyTools.openssl(
                "pkeyutl",
                "-verify",
                "-pubin",
                "-inkey",
                publicKey,
                "-rawin",
                "-in",
                document,
                "-sigfile",
                signature)
            .code()
        == 0;
  }

  @Test
  void verifies_signatureOfOpenssl_isTrue() throws IOException {
    Path key = pem("key.pem", "PRIVATE KEY", PKCS8 + SECRET);
    Path document = Files.writeString(dir.resolve("document"), "x".repeat(10_000));
    Path signature = dir.resolve("signature");
    KeyTools.openssl(
        "pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", document, "-out", signature);

    assertThat(verifier().verifies(Files.readAllBytes(document), Files.readAllBytes(signature)))
        .isTrue();
  }

  @Test
  void ofKeystore_ofKeytool_signsForItsCertificate() throws IOException {
    Path keystore = KeyTools.keyPair(dir.resolve("keys.p12"), "nightly", "Ed25519");
    PublicSigningKey verifier =
        PublicSigningKey.of(
            conf, KeyTools.exported(keystore, "nightly", dir.resolve("cert.pem")).toString());
    SigningKey only = fromKeystore(keystore, null);

    assertThat(only.keyId()).isEqualTo(verifier.keyId());
    assertThat(verifier.verifies(MESSAGE, only.sign(MESSAGE))).isTrue();

    KeyTools.keyPair(keystore, "second", "Ed25519");
    assertThat(fromKeystore(keystore, "Nightly").keyId()).isEqualTo(only.keyId());
    assertThat(fromKeystore(keystore, "second").keyId()).isNotEqualTo(only.keyId());
    assertThatThrownBy(() -> fromKeystore(keystore, null))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContainingAll("keys.p12", "has 2 keys", "nightly", "second");
    assertThatThrownBy(() -> fromKeystore(keystore, "third"))
        .hasMessageContainingAll("no key with the alias third", "nightly");
  }

  private SigningKey fromKeystore(Path keystore, String alias) {
    return SigningKey.ofKeystore(conf, keystore.toString(), alias, KeyTools.PASSWORD.toCharArray());
  }

  @Test
  void ofKeystore_whatCannotBeUsed_isRefusedWithoutThePassword() throws IOException {
    Path keystore = KeyTools.keyPair(dir.resolve("keys.p12"), "k", "Ed25519");
    assertThatThrownBy(
            () -> SigningKey.ofKeystore(conf, keystore.toString(), null, "other".toCharArray()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("the password in LETHE_SIGNING_PASSWORD does not open it")
        .hasNoCause()
        .message()
        .doesNotContain("other");
    Path rsa = KeyTools.keyPair(dir.resolve("rsa.p12"), "k", "RSA");
    assertThatThrownBy(() -> fromKeystore(rsa, null))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("another kind of key");
    Path text = Files.writeString(dir.resolve("text"), "no keystore");
    assertThatThrownBy(() -> fromKeystore(text, null))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("PKCS#12");
    assertThatThrownBy(() -> fromKeystore(dir.resolve("nothing"), null))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("does not exist");
  }

  @ParameterizedTest
  @CsvSource({
    "PUBLIC KEY, " + SPKI + PUBLIC + ", holds PUBLIC KEY",
    "ENCRYPTED PRIVATE KEY, 3000, holds ENCRYPTED PRIVATE KEY",
    "PRIVATE KEY, 302e, another kind of key",
    // X25519, which agrees on keys and signs nothing
    "PRIVATE KEY, 302e020100300506032b656e04220420" + SECRET + ", another kind of key",
  })
  void ofPem_whatIsNoSigningKey_isRefusedWithoutItsContent(String label, String hex, String message)
      throws IOException {
    Path file = pem("bad.pem", label, hex);
    assertThatThrownBy(() -> SigningKey.ofPem(conf, file.toString()))
        .isInstanceOf(InvalidInputException.class)
        .hasNoCause()
        .hasMessageContainingAll("signing key", "bad.pem", message)
        .message()
        .doesNotContain(Base64.getEncoder().encodeToString(HexFormat.of().parseHex(hex)));
  }

  @Test
  void of_privateKeyOrText_isRefused() throws IOException {
    Path secret = pem("key.pem", "PRIVATE KEY", PKCS8 + SECRET);
    assertThatThrownBy(() -> PublicSigningKey.of(conf, secret.toString()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContainingAll("public key", "holds PRIVATE KEY", "PUBLIC KEY or CERTIFICATE");
    Path text = Files.write(dir.resolve("text"), "no key".getBytes(StandardCharsets.US_ASCII));
    assertThatThrownBy(() -> PublicSigningKey.of(conf, text.toString()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("is not a PEM file");
  }
}

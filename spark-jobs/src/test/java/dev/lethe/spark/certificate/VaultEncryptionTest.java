package dev.lethe.spark.certificate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.core.certify.LossPerturbation;
import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A vault under a master key: everything in it, and every way to open it wrongly. */
class VaultEncryptionTest {
  private static final String KEY = "0123456789abcdef".repeat(4);
  private static final VaultEncryption ENCRYPTION = VaultEncryption.ofHex(KEY, "K");
  private static final VaultEncryption OTHER = VaultEncryption.ofHex("fe".repeat(32), "K");

  private final Configuration conf = OtherFileSystem.conf();

  @TempDir Path dir;

  private Vault vault(String scheme, VaultEncryption encryption) {
    return Vault.open(conf, scheme + dir.toAbsolutePath() + "/vault", encryption);
  }

  private static Perturbation perturbation() {
    return Perturbation.of(
        Documents.MODEL, LossPerturbation.calibrate(0.1, 1e-4, 0.3), new double[] {0.1, -1.0 / 3});
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.walk(dir.resolve("vault"))) {
      return files.filter(Files::isRegularFile).toList();
    }
  }

  /** One of each kind. */
  private void fill(String scheme, VaultEncryption encryption) {
    Vault vault = vault(scheme, encryption);
    vault.createKeyIfAbsent();
    vault.writeEvidence(Documents.evidence());
    vault.writePerturbation(perturbation());
    vault.perturbations().use(Documents.MODEL, Documents.ID);
    vault.writeState(Documents.MODEL, "a state".getBytes(StandardCharsets.UTF_8));
    vault.seal("requests/hr-1.sealed", "a request".getBytes(StandardCharsets.UTF_8), "hr-1");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "other://"})
  void read_whatWasWrittenUnderTheKey_isTheSame(String scheme) {
    fill(scheme, ENCRYPTION);

    Vault vault = vault(scheme, VaultEncryption.ofHex(KEY.toUpperCase() + "\n", "K"));
    assertThat(vault.createKeyIfAbsent().toHex()).isEqualTo(vault.key().toHex());
    assertThat(vault.readEvidence(Documents.ID).toJson()).isEqualTo(Documents.evidence().toJson());
    assertThat(vault.perturbations().read(Documents.MODEL).b()).containsExactly(perturbation().b());
    assertThat(vault.perturbations().release(Documents.MODEL)).isEqualTo(Documents.ID);
    assertThat(vault.readState(Documents.MODEL)).get().isEqualTo("a state".getBytes());
    vault.writeState(Documents.MODEL, "another".getBytes(StandardCharsets.UTF_8));
    assertThat(vault.readState(Documents.MODEL)).get().isEqualTo("another".getBytes());
    assertThat(vault.unseal("requests/hr-1.sealed", "hr-1"))
        .get()
        .isEqualTo("a request".getBytes());
  }

  @Test
  void write_underAKey_leavesNothingReadable() throws IOException {
    fill("", ENCRYPTION);
    String key = vault("", ENCRYPTION).key().toHex();
    assertThat(files()).hasSize(7);
    for (Path file : files()) {
      assertThat(Files.readString(file, StandardCharsets.ISO_8859_1))
          .as(file.toString())
          .startsWith(file.toString().endsWith(".sealed") ? "LETHESLD\1" : "LETHEVLT\1")
          .doesNotContain(key, "schemaVersion", Documents.ID, "a state", "a request", KEY);
    }
  }

  /** Read by the description in docs/files.md. */
  @Test
  void write_underAKey_isTheDescribedFormat() throws Exception {
    vault("", ENCRYPTION).writeEvidence(Documents.evidence());
    ByteBuffer file =
        ByteBuffer.wrap(
            Files.readAllBytes(dir.resolve("vault/" + Documents.ID + "/evidence.json")));
    byte[] start = new byte[9];
    byte[] id = new byte[16];
    byte[] nonce = new byte[12];
    file.get(start).get(id).get(nonce);
    byte[] secret = HexFormat.of().parseHex(KEY);
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(secret, "HmacSHA256"));
    mac.update(new byte[] {0, 0, 0, 0, 0, 0, 0, 14});
    mac.update("lethe/key-id/1".getBytes(StandardCharsets.US_ASCII));
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(
        Cipher.DECRYPT_MODE, new SecretKeySpec(secret, "AES"), new GCMParameterSpec(128, nonce));
    cipher.updateAAD((Documents.ID + "/evidence.json").getBytes(StandardCharsets.UTF_8));

    assertThat(start).isEqualTo("LETHEVLT\1".getBytes(StandardCharsets.US_ASCII));
    assertThat(id).isEqualTo(Arrays.copyOf(mac.doFinal(), 16));
    assertThat(HexFormat.of().formatHex(id)).isEqualTo(ENCRYPTION.keyId());
    assertThat(cipher.doFinal(file.array(), 37, file.remaining()))
        .isEqualTo(Documents.evidence().toJson());
  }

  @Test
  void encrypt_twice_drawsAnotherNonce() {
    byte[] first = ENCRYPTION.cipher().encrypt("a", new byte[1]);
    byte[] second = ENCRYPTION.cipher().encrypt("a", new byte[1]);
    assertThat(Arrays.copyOfRange(first, 25, 37)).isNotEqualTo(Arrays.copyOfRange(second, 25, 37));
  }

  /** Each of them alone tells that the vault is encrypted, and under which key. */
  @ParameterizedTest
  @ValueSource(strings = {"digest.key", "evidence", "perturbation", "state", "keys"})
  void open_withoutTheKeyOrWithAnother_isRefused(String content) throws IOException {
    fillWith(content, ENCRYPTION);
    assertThatThrownBy(() -> vault("", null))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContainingAll("is encrypted", "LETHE_VAULT_KEY");
    assertThatThrownBy(() -> vault("", OTHER))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContainingAll("under the key " + ENCRYPTION.keyId(), OTHER.keyId())
        .message()
        .doesNotContain(KEY);
  }

  @ParameterizedTest
  @ValueSource(strings = {"digest.key", "evidence", "perturbation", "state", "keys"})
  void open_plainVaultWithAKey_isRefused(String content) throws IOException {
    fillWith(content, null);
    assertThatThrownBy(() -> vault("", ENCRYPTION))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("is not encrypted");
  }

  private void fillWith(String content, VaultEncryption encryption) throws IOException {
    Vault vault = vault("", encryption);
    switch (content) {
      case "digest.key" -> vault.createKeyIfAbsent();
      case "evidence" -> vault.writeEvidence(Documents.evidence());
      case "perturbation" -> vault.writePerturbation(perturbation());
      case "keys" -> vault.seal("a", new byte[0], "k");
      default -> {
        vault.writeState(Documents.MODEL, new byte[3]);
        Files.delete(dir.resolve("vault/digest.key"));
      }
    }
  }

  /** One that was put in beside encrypted ones, by whoever can write but has no key. */
  @Test
  void readEvidence_plainFileInAnEncryptedVault_isRefused() throws IOException {
    vault("", ENCRYPTION).createKeyIfAbsent();
    Files.createDirectories(dir.resolve("vault/" + Documents.ID));
    Files.write(
        dir.resolve("vault/" + Documents.ID + "/evidence.json"), Documents.evidence().toJson());
    assertThatThrownBy(() -> vault("", ENCRYPTION).readEvidence(Documents.ID))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("is not encrypted");
  }

  @Test
  void readEvidence_fileOfAnotherRelease_isRefused() throws IOException {
    String second = Certificate.newId();
    Vault vault = vault("", ENCRYPTION);
    vault.writeEvidence(Documents.evidence());
    vault.writeEvidence(Documents.evidence(second, Documents.evidence().unnoisedParameters()));
    Files.move(
        dir.resolve("vault/" + second + "/evidence.json"),
        dir.resolve("vault/" + Documents.ID + "/evidence.json"),
        StandardCopyOption.REPLACE_EXISTING);
    assertThatThrownBy(() -> vault.readEvidence(Documents.ID))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("was written for another place");
  }

  @Test
  void read_anyBitFlippedOrByteCut_isRefused() throws IOException {
    byte[] content = {1, 2, 3};
    FileCipher cipher = ENCRYPTION.cipher();
    byte[] file = cipher.encrypt("a", content);
    assertThat(file).hasSize(8 + 1 + 16 + 12 + 3 + 16);
    assertThat(cipher.decrypt("a", file, "a")).isEqualTo(content);
    for (int bit = 0; bit < 8 * file.length; bit++) {
      byte[] changed = file.clone();
      changed[bit / 8] ^= (byte) (1 << bit % 8);
      assertThatThrownBy(() -> cipher.decrypt("a", changed, "a"))
          .as("bit %d", bit)
          .isInstanceOf(InvalidInputException.class);
    }
    for (int length = 0; length < file.length; length++) {
      byte[] cut = Arrays.copyOf(file, length);
      assertThatThrownBy(() -> cipher.decrypt("a", cut, "a"))
          .as("%d bytes", length)
          .isInstanceOf(InvalidInputException.class);
    }
  }

  /** The evidence of ten million parameters has a quarter of a gigabyte. */
  @Test
  void read_largeFile_isTheSame() {
    byte[] content = new byte[100_000_000];
    for (int i = 0; i < content.length; i += 4096) {
      content[i] = (byte) (i >> 12);
    }
    FileCipher cipher = ENCRYPTION.cipher();
    assertThat(Arrays.equals(cipher.decrypt("a", cipher.encrypt("a", content), "a"), content))
        .isTrue();
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "12", "zz", "0x"})
  void ofHex_notAKey_isRefusedWithoutIt(String start) {
    String given = start.isEmpty() ? "" : start + "ab".repeat(start.equals("12") ? 30 : 31);
    assertThatThrownBy(() -> VaultEncryption.ofHex(given, "LETHE_VAULT_KEY"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContainingAll("LETHE_VAULT_KEY", "64 hexadecimal digits")
        .message()
        .doesNotContain("abab");
  }

  @Test
  void ofKeystore_ofKeytool_isTheKey() {
    char[] password = KeyTools.PASSWORD.toCharArray();
    Path keystore = KeyTools.secretKey(dir.resolve("vault.p12"), "vault", 256);
    VaultEncryption encryption =
        VaultEncryption.ofKeystore(conf, keystore.toString(), null, password);
    fill("", encryption);
    KeyTools.secretKey(keystore, "short", 128);
    VaultEncryption again =
        VaultEncryption.ofKeystore(conf, keystore.toString(), "vault", password);
    assertThat(vault("", again).readEvidence(Documents.ID)).isNotNull();
    assertThatThrownBy(
            () -> VaultEncryption.ofKeystore(conf, keystore.toString(), "short", password))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContainingAll("vault.p12", "128 bits", "256");
    assertThatThrownBy(
            () -> VaultEncryption.ofKeystore(conf, keystore.toString(), null, "x".toCharArray()))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("LETHE_VAULT_PASSWORD");
  }

  @Test
  void toString_namesTheKeyAlone() {
    assertThat(ENCRYPTION.toString()).contains(ENCRYPTION.keyId()).doesNotContain(KEY);
  }
}

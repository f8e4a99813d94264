package dev.lethe.spark.certificate;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@link KeyedDigest} and {@link ModelDigest} against their definitions. */
class DigestTest {
  @TempDir Path dir;

  private final VaultKey key = VaultKey.of(new byte[32]);

  @Test
  void hex_sequence_isTheHmacOfItsDefinition() throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(new byte[32], "HmacSHA256"));
    byte[] start = "lethe/test/1".getBytes(UTF_8);
    byte[] text = "Zürich".getBytes(UTF_8);
    ByteBuffer bytes = ByteBuffer.allocate(100);
    bytes.putLong(start.length).put(start);
    bytes.putInt(-2).putLong(1L << 40);
    bytes.putLong(text.length).put(text);
    mac.update(bytes.array(), 0, bytes.position());
    String expected = HexFormat.of().formatHex(mac.doFinal());

    KeyedDigest digest = KeyedDigest.of(key, "test");
    for (int repeat = 0; repeat < 2; repeat++) {
      digest.putInt(-2).putLong(1L << 40).putBytes(text);
      assertThat(digest.hex()).isEqualTo(expected);
    }
  }

  @Test
  void digest_otherDomainKeyOrSplit_differs() {
    byte[] content = {1, 2, 3};
    assertThat(key.digest("request", content))
        .isEqualTo(key.digest("request", content))
        .isNotEqualTo(key.digest("model", content))
        .isNotEqualTo(key.derive("x").digest("request", content));
    assertThat(KeyedDigest.of(key, "t").putBytes(bytes("ab")).putBytes(bytes("c")).hex())
        .isNotEqualTo(KeyedDigest.of(key, "t").putBytes(bytes("a")).putBytes(bytes("bc")).hex());
  }

  private static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }

  @Test
  void toString_key_isHidden() {
    assertThat(key.toString()).isEqualTo("VaultKey[hidden]");
    byte[] shortKey = new byte[16];
    assertThatThrownBy(() -> VaultKey.of(shortKey)).isInstanceOf(IllegalArgumentException.class);
  }

  private Path model(String name) throws IOException {
    Path model = dir.resolve(name);
    Files.createDirectories(model.resolve("metadata"));
    Files.createDirectories(model.resolve("stages/0_x/data"));
    Files.writeString(model.resolve("metadata/part-00000"), "{\"class\":\"m\"}\n");
    Files.writeString(model.resolve("stages/0_x/data/part-0.parquet"), "PAR1");
    Files.writeString(model.resolve("a"), "");
    return model;
  }

  private static String of(Path model) {
    return ModelDigest.of(OtherFileSystem.conf(), model.toString()).value();
  }

  @Test
  void modelDigest_directory_isTheSha256OfItsManifest() throws Exception {
    StringBuilder manifest = new StringBuilder();
    for (String[] file :
        new String[][] {
          {"a", ""},
          {"metadata/part-00000", "{\"class\":\"m\"}\n"},
          {"stages/0_x/data/part-0.parquet", "PAR1"}
        }) {
      manifest.append(sha256(file[1]) + " " + file[1].length() + " " + file[0] + "\n");
    }
    assertThat(of(model("m"))).isEqualTo(sha256(manifest.toString()));
  }

  private static String sha256(String text) throws Exception {
    return HexFormat.of()
        .formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8)));
  }

  @Test
  void modelDigest_copyAndMarkerFiles_doNotChangeIt() throws IOException {
    String digest = of(model("m"));
    Path copy = model("copy");
    Files.writeString(copy.resolve("metadata/_SUCCESS"), "");
    Files.writeString(copy.resolve("metadata/.part-00000.crc"), "stale checksum");
    Files.writeString(copy.resolve("part.crc"), "x");
    Files.createDirectories(copy.resolve(".git"));
    Files.writeString(copy.resolve(".git/config"), "x");
    assertThat(of(copy)).isEqualTo(digest);
    assertThat(ModelDigest.of(OtherFileSystem.conf(), "other://" + copy).value()).isEqualTo(digest);
    assertThat(ModelDigest.of(new Configuration(), "file://" + copy + "/").value())
        .isEqualTo(digest);
  }

  @Test
  void modelDigest_anyChange_changesIt() throws IOException {
    String digest = of(model("m"));
    Path content = model("content");
    Files.writeString(content.resolve("metadata/part-00000"), "{\"class\":\"n\"}\n");
    Path added = model("added");
    Files.writeString(added.resolve("b"), "");
    Path removed = model("removed");
    Files.delete(removed.resolve("a"));
    Path renamed = model("renamed");
    Files.move(renamed.resolve("a"), renamed.resolve("b"));
    Path truncated = model("truncated");
    Files.writeString(truncated.resolve("stages/0_x/data/part-0.parquet"), "PAR");
    assertThat(Arrays.asList(of(content), of(added), of(removed), of(renamed), of(truncated)))
        .doesNotContain(digest)
        .doesNotHaveDuplicates();
  }

  @Test
  void modelDigest_missingFileOrEmpty_isRefused() throws IOException {
    Files.writeString(dir.resolve("f"), "x");
    Files.createDirectories(dir.resolve("empty/sub"));
    for (String[] bad :
        new String[][] {
          {"nothing", "does not exist"}, {"f", "is a file"}, {"empty", "contains no files"}
        }) {
      Path path = dir.resolve(bad[0]);
      assertThatThrownBy(() -> of(path))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining(bad[0])
          .hasMessageContaining(bad[1]);
    }
  }
}

package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.spark.InvalidInputException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/**
 * The digest of a model directory: the SHA-256 of its manifest. The manifest has one line
 *
 * <pre>{@code <SHA-256 of the content in hexadecimal> <length in bytes> <relative path>\n}</pre>
 *
 * for every file below the directory, in UTF-8, ordered by the bytes of the path (separator {@code
 * /}). Files named {@code _SUCCESS}, files that end in {@code .crc} and files and directories that
 * start with {@code .} are left out: Spark does not read them and copying may drop them.
 *
 * <p>A model in memory has no directory. Its digest is the SHA-256 of the lines
 *
 * <pre>{@code <class>\n<uid>\n<bits of the first parameter, 16 hexadecimal digits>\n...}</pre>
 *
 * in UTF-8: it tells whose parameters a certificate is about, and nothing of the featurizer.
 *
 * @param algorithm {@value #OF_FILES}, or {@value #OF_PARAMETERS} of a model in memory
 * @param value 64 hexadecimal digits in lower case
 */
@JsonPropertyOrder({"algorithm", "value"})
public record ModelDigest(String algorithm, String value) {
  /** Of a directory. */
  public static final String OF_FILES = "sha-256-tree";

  /** Of a model in memory. */
  public static final String OF_PARAMETERS = "sha-256-parameters";

  public ModelDigest {
    Require.that(
        OF_FILES.equals(algorithm) || OF_PARAMETERS.equals(algorithm),
        "modelDigest.algorithm must be " + OF_FILES + " or " + OF_PARAMETERS);
    Require.sha256(value, "modelDigest.value");
  }

  /**
   * Computes the digest of a directory on any Hadoop file system.
   *
   * @throws InvalidInputException if there is no such directory, it has no files or cannot be read
   */
  public static ModelDigest of(Configuration conf, String directory) {
    Path path = Storage.path(directory, "model");
    try {
      Storage storage = Storage.of(conf, path);
      Path root = storage.fs.makeQualified(path);
      if (!storage.fs.getFileStatus(root).isDirectory()) {
        throw new InvalidInputException("model: " + root + " is a file; it must be a directory");
      }
      List<Entry> entries = new ArrayList<>();
      collect(storage, root, "", entries);
      if (entries.isEmpty()) {
        throw new InvalidInputException("model: " + root + " contains no files");
      }
      entries.sort((a, b) -> Arrays.compareUnsigned(a.path, b.path));
      MessageDigest manifest = sha256();
      byte[] buffer = new byte[1 << 16];
      for (Entry entry : entries) {
        MessageDigest content = sha256();
        long length = 0;
        try (FSDataInputStream in = storage.fs.open(entry.file)) {
          for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            content.update(buffer, 0, n);
            length += n;
          }
        }
        manifest.update(
            (HexFormat.of().formatHex(content.digest()) + " " + length + " ")
                .getBytes(StandardCharsets.US_ASCII));
        manifest.update(entry.path);
        manifest.update((byte) '\n');
      }
      return new ModelDigest(OF_FILES, HexFormat.of().formatHex(manifest.digest()));
    } catch (FileNotFoundException e) {
      throw new InvalidInputException("model: " + path + " does not exist", e);
    } catch (IOException e) {
      throw new InvalidInputException("model: " + path + " cannot be read", e);
    }
  }

  /**
   * The digest of a model in memory.
   *
   * @param type the class of the whole model
   * @param uid of the whole model
   * @param parameters of its predictor
   */
  public static ModelDigest ofParameters(String type, String uid, double[] parameters) {
    MessageDigest digest = sha256();
    digest.update((type + "\n" + uid + "\n").getBytes(StandardCharsets.UTF_8));
    HexFormat hex = HexFormat.of();
    for (double parameter : parameters) {
      digest.update(
          (hex.toHexDigits(Double.doubleToLongBits(parameter)) + "\n")
              .getBytes(StandardCharsets.US_ASCII));
    }
    return new ModelDigest(OF_PARAMETERS, hex.formatHex(digest.digest()));
  }

  /** The digest of some bytes, 64 hexadecimal digits. */
  public static String sha256(byte[] content) {
    return HexFormat.of().formatHex(sha256().digest(content));
  }

  private static void collect(Storage storage, Path directory, String prefix, List<Entry> entries)
      throws IOException {
    for (FileStatus status : storage.fs.listStatus(directory)) {
      String name = status.getPath().getName();
      if (name.startsWith(".")) {
        continue;
      }
      String relative = prefix + name;
      if (status.isDirectory()) {
        collect(storage, status.getPath(), relative + "/", entries);
      } else if (!name.equals("_SUCCESS") && !name.endsWith(".crc")) {
        if (relative.indexOf('\n') >= 0) {
          throw new InvalidInputException(
              "model: the name of a file in " + directory + " contains a line break");
        }
        entries.add(new Entry(relative.getBytes(StandardCharsets.UTF_8), status.getPath()));
      }
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  private static final class Entry {
    final byte[] path;
    final Path file;

    Entry(byte[] path, Path file) {
      this.path = path;
      this.file = file;
    }
  }
}

package dev.lethe.spark.it;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_16BE;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.github.luben.zstd.ZstdInputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.Charset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.example.GroupReadSupport;

/**
 * Looks for words in all bytes of files: as UTF-8 and UTF-16 in any case, in hexadecimal digits, in
 * base64, and inside gzip, zip, zstd and Parquet, one within the other.
 */
final class MarkerSearch {
  private static final byte[] GZIP = {0x1f, (byte) 0x8b};
  private static final byte[] ZIP = {'P', 'K', 3, 4};
  private static final byte[] ZSTD = {0x28, (byte) 0xb5, 0x2f, (byte) 0xfd};
  private static final byte[] PARQUET = {'P', 'A', 'R', '1'};

  private final List<Form> forms = new ArrayList<>();
  private int files;

  /** How a word may be written; the text is one char a byte. */
  private record Form(String word, String name, String text, boolean anyCase) {}

  /**
   * @param words of lower-case ASCII letters and digits
   */
  MarkerSearch(Iterable<String> words) {
    for (String word : words) {
      for (Charset charset : List.of(UTF_8, UTF_16LE, UTF_16BE)) {
        byte[] bytes = word.getBytes(charset);
        forms.add(new Form(word, charset.name(), new String(bytes, ISO_8859_1), true));
      }
      byte[] bytes = word.getBytes(UTF_8);
      forms.add(new Form(word, "hex", HexFormat.of().formatHex(bytes), true));
      for (int before = 0; before < 3; before++) {
        byte[] shifted = new byte[before + bytes.length];
        System.arraycopy(bytes, 0, shifted, before, bytes.length);
        String text = Base64.getEncoder().withoutPadding().encodeToString(shifted);
        // The digits that hold neighbours' bits as well are not the word's own.
        int end = shifted.length * 8 / 6;
        forms.add(
            new Form(word, "base64", text.substring(new int[] {0, 2, 3}[before], end), false));
      }
    }
  }

  /** How many files were looked at. */
  int files() {
    return files;
  }

  /** What was found where, a line each; jars are passed over. */
  Set<String> in(Path... roots) throws IOException {
    Set<String> found = new TreeSet<>();
    for (Path root : roots) {
      List<Path> paths;
      try (Stream<Path> walked = Files.walk(root)) {
        paths = walked.filter(Files::isRegularFile).toList();
      }
      for (Path path : paths) {
        if (!path.toString().endsWith(".jar")) {
          files++;
          in(path, found);
        }
      }
    }
    return found;
  }

  private void in(Path path, Set<String> found) throws IOException {
    byte[] bytes = Files.readAllBytes(path);
    in(path.toString(), bytes, found);
    in(path + " (its name)", path.getFileName().toString().getBytes(UTF_8), found);
    if (startsWith(bytes, PARQUET)) {
      StringBuilder rows = new StringBuilder();
      try (ParquetReader<Group> reader =
          ParquetReader.builder(new GroupReadSupport(), new org.apache.hadoop.fs.Path(path.toUri()))
              .withConf(new Configuration())
              .build()) {
        for (Group row = reader.read(); row != null; row = reader.read()) {
          rows.append(row).append('\n');
        }
      }
      in(path + " (rows)", rows.toString().getBytes(UTF_8), found);
    }
  }

  private void in(String place, byte[] bytes, Set<String> found) throws IOException {
    String text = new String(bytes, ISO_8859_1);
    String lower = text.toLowerCase(Locale.ROOT);
    for (Form form : forms) {
      if ((form.anyCase() ? lower : text).contains(form.text())) {
        found.add(form.word() + " as " + form.name() + " in " + place);
      }
    }
    if (startsWith(bytes, GZIP)) {
      in(place + " (gzip)", unpacked(new GZIPInputStream(new ByteArrayInputStream(bytes))), found);
    } else if (startsWith(bytes, ZSTD)) {
      // Spark's log of a running application is a sequence of frames, the last may lack its end.
      in(
          place + " (zstd)",
          unpacked(new ZstdInputStream(new ByteArrayInputStream(bytes)).setContinuous(true)),
          found);
    } else if (startsWith(bytes, ZIP)) {
      try (ZipInputStream zip = new ZipInputStream(new ByteArrayInputStream(bytes))) {
        for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
          in(place + " (" + entry.getName() + ")", zip.readAllBytes(), found);
        }
      }
    }
  }

  private static byte[] unpacked(InputStream in) throws IOException {
    try (in) {
      return in.readAllBytes();
    }
  }

  private static boolean startsWith(byte[] bytes, byte[] prefix) {
    return bytes.length >= prefix.length
        && Arrays.equals(bytes, 0, prefix.length, prefix, 0, prefix.length);
  }
}

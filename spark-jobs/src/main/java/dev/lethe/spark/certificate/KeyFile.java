package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.ByteArrayInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyStore;
import java.security.UnrecoverableKeyException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A file with keys, on any Hadoop file system: PEM or a PKCS#12 keystore. Messages name the file,
 * never its content, nor a cause that may quote it.
 *
 * @param place the file and what it is for, for messages
 */
record KeyFile(String place, byte[] content) {
  private static final Logger LOG = LoggerFactory.getLogger(KeyFile.class);

  private static final Pattern PEM =
      Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \\1-----");

  /**
   * Reads it.
   *
   * @param what it is for, for example {@code signing key}
   * @throws InvalidInputException if it does not exist or cannot be read
   */
  static KeyFile read(Configuration conf, String what, String file) {
    return read(conf, what, file, false);
  }

  /** The same of a secret: warns if others can read it. */
  static KeyFile readSecret(Configuration conf, String what, String file) {
    return read(conf, what, file, true);
  }

  private static KeyFile read(Configuration conf, String what, String file, boolean secret) {
    Path path = Storage.path(file, what);
    String place = what + " " + file;
    try {
      Storage storage = Storage.of(conf, path);
      byte[] content = storage.read(path);
      if (secret && storage.openToOthers(path)) {
        LOG.warn("the {} can be read by others; its mode should be 0600", place);
      }
      return new KeyFile(place, content);
    } catch (FileNotFoundException | NoSuchFileException e) {
      throw new InvalidInputException(place + ": does not exist, or is a directory", e);
    } catch (IOException e) {
      throw new InvalidInputException(
          place + ": cannot be read (" + e.getClass().getSimpleName() + ")", e);
    }
  }

  /** A PEM block. */
  record Block(String label, byte[] der) {}

  /**
   * The first PEM block with one of these labels.
   *
   * @throws InvalidInputException if there is none
   */
  Block pem(List<String> labels) {
    Matcher block = PEM.matcher(new String(content, StandardCharsets.ISO_8859_1));
    List<String> found = new ArrayList<>();
    while (block.find()) {
      String label = block.group(1);
      if (labels.contains(label)) {
        return new Block(label, Base64.getMimeDecoder().decode(block.group(2)));
      }
      found.add(label);
    }
    throw invalid(
        found.isEmpty() ? "is not a PEM file" : "holds " + String.join(", ", found),
        "a PEM file with " + String.join(" or ", labels));
  }

  InvalidInputException invalid(String found, String allowed) {
    return new InvalidInputException(place + ": " + found + "; it must be " + allowed);
  }

  /**
   * A key of the PKCS#12 keystore.
   *
   * @param alias its name, or null where there is one key of this kind
   * @param entry the kind
   * @param variable the environment variable that the password comes from, for messages
   * @throws InvalidInputException if there is no such key, or the password is another
   */
  Key keystoreKey(
      @Nullable String alias,
      char[] password,
      Class<? extends KeyStore.Entry> entry,
      String variable) {
    KeyStore store;
    try {
      store = KeyStore.getInstance("PKCS12");
      store.load(new ByteArrayInputStream(content), password);
    } catch (IOException e) {
      throw e.getCause() instanceof UnrecoverableKeyException
          ? new InvalidInputException(place + ": the password in " + variable + " does not open it")
          : invalid("is not a keystore, or is damaged", "a PKCS#12 keystore");
    } catch (GeneralSecurityException e) {
      throw invalid("cannot be opened", "a PKCS#12 keystore of a kind that this JVM knows");
    }
    try {
      List<String> aliases = new ArrayList<>();
      for (String one : Collections.list(store.aliases())) {
        if (store.entryInstanceOf(one, entry)) {
          aliases.add(one);
        }
      }
      // keystores take names in any case
      List<String> matching =
          aliases.stream().filter(one -> alias == null || one.equalsIgnoreCase(alias)).toList();
      Key key = matching.size() == 1 ? store.getKey(matching.get(0), password) : null;
      if (key == null) {
        throw new InvalidInputException(
            place
                + ": has "
                + (alias == null ? aliases.size() + " keys" : "no key with the alias " + alias)
                + " of the kind "
                + entry.getSimpleName()
                + (aliases.isEmpty() ? "" : "; name one of " + String.join(", ", aliases)));
      }
      return key;
    } catch (GeneralSecurityException e) {
      throw new InvalidInputException(
          place + ": the password in " + variable + " does not open its key");
    }
  }
}

package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;

/**
 * Files of a {@link Vault} under data keys of their own, {@code keys/<name>.key}, which are
 * themselves under the master key where there is one. What was sealed under a key that has been
 * destroyed cannot be read again, wherever copies of it are; {@code keys/<name>.destroyed} keeps
 * the key from being made anew.
 */
final class SealedFiles {
  static final String KEYS = "keys";
  static final String KEY = ".key";

  private static final String DESTROYED = ".destroyed";
  // no first dot: neither . nor .., nor the name of a file that is being written
  private static final String SEGMENT = "[A-Za-z0-9_][A-Za-z0-9._-]{0,199}";
  private static final Pattern KEY_NAME = Pattern.compile(SEGMENT);
  private static final Pattern NAME = Pattern.compile(SEGMENT + "(/" + SEGMENT + ")*");
  private static final Pattern RESERVED =
      Pattern.compile(
          "(?i)"
              + String.join(
                  "|",
                  KEYS,
                  Vault.STATES,
                  Vault.CHECKPOINTS,
                  Vault.KEY_FILE,
                  "perturbation-.*",
                  Require.ID));

  private final VaultFiles files;
  private final Storage storage;

  SealedFiles(VaultFiles files) {
    this.files = files;
    storage = files.storage();
  }

  void seal(String name, byte[] content, String dataKey) {
    Path file = file(name);
    byte[] sealed = cipher(createKeyIfAbsent(dataKey)).encrypt(name, content);
    try {
      files.createDirectories(file.getParent());
      storage.writePrivate(file, sealed);
    } catch (FileAlreadyExistsException e) {
      throw new InvalidInputException("vault: " + file + " already exists", e);
    } catch (IOException e) {
      throw Vault.unwritable(file, e);
    }
  }

  void reseal(String name, byte[] content, String dataKey) {
    Path file = file(name);
    byte[] sealed = cipher(createKeyIfAbsent(dataKey)).encrypt(name, content);
    try {
      files.createDirectories(file.getParent());
      storage.replacePrivate(file, sealed);
    } catch (IOException e) {
      throw Vault.unwritable(file, e);
    }
  }

  Optional<byte[]> unseal(String name, String dataKey) {
    Path file = file(name);
    byte[] sealed;
    try {
      sealed = storage.read(file);
    } catch (FileNotFoundException | NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw unreadable(file, e);
    }
    requireNotDestroyed(dataKey);
    VaultKey key =
        readKey(dataKey)
            .orElseThrow(
                () ->
                    new InvalidInputException(
                        "vault: " + file + " cannot be read: there is no " + keyFile(dataKey)));
    return Optional.of(cipher(key).decrypt(name, sealed, file.toString()));
  }

  List<String> sealedBefore(String directory, Instant time) {
    Path path = file(directory);
    try {
      return Arrays.stream(storage.list(path))
          .filter(file -> file.isFile() && file.getModificationTime() < time.toEpochMilli())
          .map(file -> Storage.finalName(file.getPath().getName()))
          .filter(name -> KEY_NAME.matcher(name).matches())
          .map(name -> directory + "/" + name)
          .sorted()
          .distinct()
          .toList();
    } catch (IOException e) {
      throw unreadable(path, e);
    }
  }

  void deleteBegunBefore(String directory, Instant time) {
    Path path = file(directory);
    try {
      for (FileStatus file : storage.list(path)) {
        String name = file.getPath().getName();
        if (file.getModificationTime() < time.toEpochMilli()
            && !Storage.finalName(name).equals(name)) {
          storage.delete(file.getPath());
        }
      }
    } catch (IOException e) {
      throw undeletable(path, e);
    }
  }

  void delete(String name) {
    Path file = file(name);
    try {
      if (storage.isFile(file)) {
        storage.delete(file);
      }
    } catch (IOException e) {
      throw undeletable(file, e);
    }
  }

  void shred(String dataKey) {
    Path key = keyFile(dataKey);
    Path tombstone = tombstone(dataKey);
    try {
      files.createDirectories(tombstone.getParent());
      if (!storage.exists(tombstone)) {
        // first, so that no other process makes the key anew
        storage.writePrivate(tombstone, new byte[0]);
      }
    } catch (FileAlreadyExistsException e) {
      // another process destroys the same key
    } catch (IOException e) {
      throw Vault.unwritable(tombstone, e);
    }
    try {
      // before the key: while that is there, the key counts as not destroyed
      storage.deleteLeftovers(key);
      if (storage.exists(key)) {
        storage.overwrite(key);
        storage.delete(key);
      }
    } catch (FileNotFoundException | NoSuchFileException e) {
      // another process was faster
    } catch (IOException e) {
      throw undeletable(key, e);
    }
  }

  /** False while the key is still there, as after a crash. */
  boolean isShredded(String dataKey) {
    return exists(tombstone(dataKey)) && !exists(keyFile(dataKey));
  }

  private VaultKey createKeyIfAbsent(String dataKey) {
    requireNotDestroyed(dataKey);
    Path file = keyFile(dataKey);
    try {
      if (!storage.exists(file)) {
        files.createDirectories(file.getParent());
        files.create(file, VaultKey.random().toText());
      }
    } catch (FileAlreadyExistsException e) {
      // of several that make one, one wins
    } catch (IOException e) {
      throw Vault.unwritable(file, e);
    }
    if (exists(tombstone(dataKey))) {
      shred(dataKey); // it was destroyed while it was made
    }
    return readKey(dataKey).orElseThrow(() -> destroyed(dataKey));
  }

  private Optional<VaultKey> readKey(String dataKey) {
    Path file = keyFile(dataKey);
    try {
      return Optional.of(VaultKey.ofText(files.read(file), file));
    } catch (FileNotFoundException | NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  private void requireNotDestroyed(String dataKey) {
    if (exists(tombstone(dataKey))) {
      throw destroyed(dataKey);
    }
  }

  private InvalidInputException destroyed(String dataKey) {
    return new InvalidInputException(
        "vault: "
            + files.root()
            + ": the data key "
            + dataKey
            + " has been destroyed: what was sealed under it is gone for good, and nothing can be"
            + " sealed under it");
  }

  private static FileCipher cipher(VaultKey key) {
    return new FileCipher(key, FileCipher.Kind.SEALED);
  }

  private boolean exists(Path file) {
    try {
      return storage.exists(file);
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  private Path keyFile(String dataKey) {
    return new Path(keys(), requireName(dataKey) + KEY);
  }

  private Path tombstone(String dataKey) {
    return new Path(keys(), requireName(dataKey) + DESTROYED);
  }

  private Path keys() {
    return new Path(files.root(), KEYS);
  }

  private static String requireName(String dataKey) {
    if (!KEY_NAME.matcher(dataKey).matches()) {
      throw new InvalidInputException(
          "vault: the name of a data key must be letters, digits, '.', '_' and '-', 200 at most,"
              + " the first a letter, digit or '_'");
    }
    return dataKey;
  }

  private Path file(String name) {
    List<String> segments = List.of(name.split("/", -1));
    if (!NAME.matcher(name).matches() || RESERVED.matcher(segments.get(0)).matches()) {
      throw new InvalidInputException(
          "vault: the name of a sealed file must be a relative path; each part letters, digits,"
              + " '.', '_' and '-', 200 at most, the first a letter, digit or '_'; not where the"
              + " vault keeps its keys, states, perturbations and evidence");
    }
    return new Path(files.root(), name);
  }

  private static InvalidInputException unreadable(Path file, IOException e) {
    return new InvalidInputException("vault: " + file + " cannot be read", e);
  }

  private static InvalidInputException undeletable(Path file, IOException e) {
    return new InvalidInputException("vault: " + file + " cannot be deleted", e);
  }
}

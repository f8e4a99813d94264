package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.util.Optional;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The files of a {@link Vault} as they are stored: under the master key where there is one, plain
 * otherwise. Each appears whole or not at all.
 */
final class VaultFiles {
  private final Storage storage;
  private final Path root;
  private final @Nullable FileCipher cipher;

  VaultFiles(Storage storage, Path root, @Nullable VaultEncryption encryption) {
    this.storage = storage;
    this.root = root;
    cipher = encryption == null ? null : encryption.cipher();
  }

  /** The directory. */
  Path root() {
    return root;
  }

  Storage storage() {
    return storage;
  }

  /**
   * Refuses a vault that is encrypted under another key than the given one, or not encrypted but
   * given a key, or the reverse: by its first file, as {@link #read} does by each.
   *
   * @throws InvalidInputException if it is
   */
  void requireKey() throws IOException {
    Optional<Path> file = first();
    if (file.isPresent()) {
      requireKey(storage.readStart(file.get(), FileCipher.HEADER), file.get());
    }
  }

  private void requireKey(byte[] start, Path file) {
    boolean encrypted = FileCipher.isEncrypted(start, FileCipher.Kind.VAULT);
    if (cipher == null && encrypted) {
      throw encrypted(file.toString());
    }
    if (cipher != null && !encrypted) {
      throw new InvalidInputException(
          "vault: "
              + file
              + " is not encrypted, but a key of the vault was given: give none, or name a new"
              + " vault; a vault is encrypted as a whole from its first file, or not at all");
    }
    if (cipher != null && start.length >= FileCipher.HEADER) {
      cipher.requireKey(start, file.toString());
    }
  }

  static InvalidInputException encrypted(String file) {
    return new InvalidInputException(
        "vault: "
            + file
            + " is encrypted: set "
            + VaultEncryption.KEY_VARIABLE
            + " or name a keystore");
  }

  /** A file that is there if anything is that is stored under the master key. */
  private Optional<Path> first() throws IOException {
    Path key = new Path(root, Vault.KEY_FILE);
    if (storage.exists(key)) {
      return Optional.of(key);
    }
    if (!storage.exists(root)) {
      return Optional.empty();
    }
    for (FileStatus directory : storage.fs.listStatus(root)) {
      if (directory.isDirectory()) {
        for (FileStatus file : storage.fs.listStatus(directory.getPath())) {
          String name = file.getPath().getName();
          if (file.isFile()
              && (name.equals(Vault.EVIDENCE_FILE)
                  || name.equals(PerturbationVault.SECRET)
                  || (directory.getPath().getName().equals(Vault.STATES)
                      && name.endsWith(Vault.STATE))
                  || (directory.getPath().getName().equals(SealedFiles.KEYS)
                      && name.endsWith(SealedFiles.KEY)))) {
            return Optional.of(file.getPath());
          }
        }
      }
    }
    return Optional.empty();
  }

  /**
   * The content of a file.
   *
   * @throws FileNotFoundException if it does not exist
   * @throws InvalidInputException if it is not under this vault's key, or was changed or moved
   */
  byte[] read(Path file) throws IOException {
    byte[] stored = storage.read(file);
    requireKey(stored, file);
    return cipher == null ? stored : cipher.decrypt(name(file), stored, file.toString());
  }

  /**
   * Creates a file.
   *
   * @throws FileAlreadyExistsException if it exists
   */
  void create(Path file, byte[] content) throws IOException {
    storage.writePrivate(file, stored(file, content));
  }

  /** Creates a file, or replaces it: readers see the old or the new one. */
  void replace(Path file, byte[] content) throws IOException {
    storage.replacePrivate(file, stored(file, content));
  }

  private byte[] stored(Path file, byte[] content) {
    return cipher == null ? content : cipher.encrypt(name(file), content);
  }

  /** The path inside the vault. */
  private String name(Path file) {
    return root.toUri().relativize(file.toUri()).getPath();
  }

  /** Creates a directory below the root and what is above it, each its owner's alone. */
  void createDirectories(Path directory) throws IOException {
    if (storage.exists(directory)) {
      return;
    }
    if (!directory.equals(root) && directory.getParent() != null) {
      createDirectories(directory.getParent());
    }
    try {
      storage.createPrivateDirectory(directory);
    } catch (FileAlreadyExistsException e) {
      if (!storage.fs.getFileStatus(directory).isDirectory()) {
        throw e;
      }
    }
  }
}

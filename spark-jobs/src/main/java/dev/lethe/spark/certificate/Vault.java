package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import javax.crypto.Mac;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The confidential directory, on any Hadoop file system.
 *
 * <p>It holds {@code digest.key}, 32 random bytes in hexadecimal made once, and {@code
 * <certificateId>/evidence.json} for every release, {@link PerturbationVault}'s folders, {@code
 * states/<digest of the model>.state} where a run was asked to keep its state, and {@code
 * checkpoints/<digest>.checkpoint} while a run that can be resumed has not ended. With a {@link
 * VaultEncryption} all of them are encrypted. Where the file system has modes, directories that
 * Lethe creates have 0700 and files 0600, whatever the umask and before they have content.
 *
 * <p>What is {@linkplain #seal sealed} has a data key of its own beside that: destroying the key
 * erases it wherever its copies are.
 */
public final class Vault {
  static final String KEY_FILE = "digest.key";
  static final String EVIDENCE_FILE = "evidence.json";
  static final String STATES = "states";
  static final String CHECKPOINTS = "checkpoints";
  static final String STATE = ".state";

  private static final Logger LOG = LoggerFactory.getLogger(Vault.class);

  private final Storage storage;
  private final Path root;
  private final VaultFiles files;
  private final SealedFiles sealed;

  private Vault(Storage storage, Path root, @Nullable VaultEncryption encryption) {
    this.storage = storage;
    this.root = root;
    files = new VaultFiles(storage, root, encryption);
    sealed = new SealedFiles(files);
  }

  /** {@link #open(Configuration, String, VaultEncryption, String...)} of one in plain text. */
  public static Vault open(Configuration conf, String path, String... forbidden) {
    return open(conf, path, (VaultEncryption) null, forbidden);
  }

  /**
   * The vault at {@code path}, which need not exist: it is created with the first thing that is
   * written, so that a refused request leaves nothing.
   *
   * @param encryption the master key, or null where the vault is not encrypted
   * @param forbidden what becomes public or is read as data, for example OUT and the model: the
   *     vault must not be one of them, below one or above one
   * @throws InvalidInputException if it is, or if {@code path} is a file, cannot be reached, or is
   *     encrypted under another key than the given one, or not although there is one
   */
  public static Vault open(
      Configuration conf, String path, @Nullable VaultEncryption encryption, String... forbidden) {
    Path given = Storage.path(path, "vault");
    try {
      Storage storage = Storage.of(conf, given);
      Path root = storage.canonical(given);
      for (String text : forbidden) {
        Path other = Storage.path(text, "path");
        Path place = Storage.of(conf, other).canonical(other);
        String relation =
            root.equals(place)
                ? "is"
                : Storage.isBelow(root, place)
                    ? "is below"
                    : Storage.isBelow(place, root) ? "is above" : "";
        if (!relation.isEmpty()) {
          throw new InvalidInputException(
              "vault: "
                  + root
                  + " "
                  + relation
                  + " "
                  + place
                  + "; the vault is confidential and must be apart from the output, the model and"
                  + " the data");
        }
      }
      if (storage.exists(root) && !storage.fs.getFileStatus(root).isDirectory()) {
        throw new InvalidInputException("vault: " + root + " is a file; it must be a directory");
      }
      if (storage.exists(root) && storage.openToOthers(root)) {
        LOG.warn("the vault {} is open to others; its mode should be 0700", root);
      }
      Vault vault = new Vault(storage, root, encryption);
      vault.files.requireKey();
      return vault;
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + path + " cannot be reached", e);
    }
  }

  /**
   * The digest key.
   *
   * @throws InvalidInputException if the vault has none, or it cannot be read
   */
  public VaultKey key() {
    Path file = new Path(root, KEY_FILE);
    byte[] content;
    try {
      content = files.read(file);
      if (storage.openToOthers(file)) {
        LOG.warn("{} can be read by others; its mode should be 0600", file);
      }
    } catch (FileNotFoundException | NoSuchFileException e) {
      throw new InvalidInputException(
          "vault: " + root + " has no " + KEY_FILE + "; is it the vault of this release?", e);
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + file + " cannot be read", e);
    }
    return VaultKey.ofText(content, file);
  }

  /**
   * The digest key, made on first use. Of several processes that make one at the same time, one
   * wins and all return its key.
   */
  public VaultKey createKeyIfAbsent() {
    Path file = new Path(root, KEY_FILE);
    try {
      if (!storage.exists(file)) {
        files.createDirectories(root);
        files.create(file, VaultKey.random().toText());
      }
    } catch (FileAlreadyExistsException e) {
      return key();
    } catch (IOException e) {
      throw unwritable(file, e);
    }
    return key();
  }

  /**
   * Writes {@code <certificateId>/evidence.json}.
   *
   * @throws InvalidInputException if there is one already, or the vault cannot be written
   */
  public Path writeEvidence(Evidence evidence) {
    Path directory = directory(evidence.certificateId());
    Path file = new Path(directory, EVIDENCE_FILE);
    try {
      files.createDirectories(root);
      storage.createPrivateDirectory(directory);
    } catch (FileAlreadyExistsException e) {
      throw new InvalidInputException("vault: " + directory + " already exists", e);
    } catch (IOException e) {
      throw unwritable(directory, e);
    }
    try {
      files.create(file, evidence.toJson());
      return file;
    } catch (FileAlreadyExistsException e) {
      throw new InvalidInputException("vault: " + file + " already exists", e);
    } catch (IOException e) {
      InvalidInputException failure = unwritable(file, e);
      try {
        deleteEvidence(evidence.certificateId());
      } catch (InvalidInputException leftover) {
        failure.addSuppressed(leftover);
      }
      throw failure;
    }
  }

  /**
   * The evidence of a certificate.
   *
   * @throws InvalidInputException if there is none, it cannot be read, or it is another's
   */
  public Evidence readEvidence(String certificateId) {
    Path file = new Path(directory(certificateId), EVIDENCE_FILE);
    byte[] content;
    try {
      content = files.read(file);
    } catch (FileNotFoundException | NoSuchFileException e) {
      throw new InvalidInputException(
          "vault: " + root + " has no evidence for the certificate " + certificateId, e);
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + file + " cannot be read", e);
    }
    Evidence evidence = Evidence.read(content, file.toString());
    if (!evidence.certificateId().equals(certificateId)) {
      throw new InvalidInputException(
          file + ": certificateId is " + evidence.certificateId() + ", of another certificate");
    }
    return evidence;
  }

  /**
   * The evidence of a file that was named by itself.
   *
   * @param content of the file
   * @param file its path, which ends as it does inside its vault
   * @param encryption the vault's master key, or null where the file is not encrypted
   * @throws InvalidInputException if it cannot be read
   */
  public static Evidence readEvidence(
      byte[] content, String file, @Nullable VaultEncryption encryption) {
    if (!FileCipher.isEncrypted(content, FileCipher.Kind.VAULT)) {
      return Evidence.read(content, file);
    }
    if (encryption == null) {
      throw VaultFiles.encrypted(file);
    }
    Path path = Storage.path(file, "evidence");
    Path directory = path.getParent();
    String name = (directory == null ? "" : directory.getName() + "/") + path.getName();
    return Evidence.read(encryption.cipher().decrypt(name, content, file), file);
  }

  /**
   * Takes back what {@link #writeEvidence} wrote, when the publication failed after it; not what
   * another process has written under the same id since.
   *
   * @throws InvalidInputException if it cannot be read or deleted
   */
  public void takeBackEvidence(Evidence evidence) {
    Path file = new Path(directory(evidence.certificateId()), EVIDENCE_FILE);
    try {
      if (!storage.exists(file) || Arrays.equals(files.read(file), evidence.toJson())) {
        deleteEvidence(evidence.certificateId());
      }
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + file + " cannot be read", e);
    }
  }

  /**
   * Deletes the evidence of a certificate, if it is there.
   *
   * @throws InvalidInputException if it cannot be deleted
   */
  public void deleteEvidence(String certificateId) {
    Path directory = directory(certificateId);
    try {
      storage.delete(directory);
    } catch (IOException e) {
      throw new InvalidInputException(
          "vault: " + directory + " cannot be deleted; it is of no release, delete it", e);
    }
  }

  /**
   * The state that was kept with a model; empty if there is none.
   *
   * @throws InvalidInputException if it cannot be read, or is not what was written under this key
   */
  public Optional<byte[]> readState(ModelDigest model) {
    return readAuthenticated(state(model), stateLabel(model));
  }

  private Optional<byte[]> readAuthenticated(Path file, String label) {
    byte[] content;
    try {
      if (!storage.exists(file)) {
        return Optional.empty();
      }
      content = files.read(file);
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + file + " cannot be read", e);
    }
    VaultKey key = key();
    int length = content.length - VaultKey.BYTES;
    if (length < 0
        || !MessageDigest.isEqual(
            mac(key, label, content, length),
            Arrays.copyOfRange(content, length, content.length))) {
      throw new InvalidInputException(
          "vault: " + file + " is damaged, or was written under another key; delete it");
    }
    return Optional.of(Arrays.copyOf(content, length));
  }

  /**
   * Keeps a state with a model, in place of another one.
   *
   * @throws InvalidInputException if the vault cannot be written
   */
  public void writeState(ModelDigest model, byte[] content) {
    writeAuthenticated(state(model), stateLabel(model), content);
  }

  private void writeAuthenticated(Path file, String label, byte[] content) {
    VaultKey key = createKeyIfAbsent();
    byte[] authenticated = Arrays.copyOf(content, content.length + VaultKey.BYTES);
    System.arraycopy(
        mac(key, label, content, content.length), 0, authenticated, content.length, VaultKey.BYTES);
    try {
      files.createDirectories(file.getParent());
      files.replace(file, authenticated);
    } catch (IOException e) {
      throw unwritable(file, e);
    }
  }

  /**
   * Deletes the state of a model, if there is one.
   *
   * @throws InvalidInputException if it cannot be deleted
   */
  public void deleteState(ModelDigest model) {
    try {
      if (storage.exists(state(model))) {
        storage.delete(state(model));
      }
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + state(model) + " cannot be deleted", e);
    }
  }

  private Path state(ModelDigest model) {
    return new Path(new Path(root, STATES), model.value() + STATE);
  }

  private static String stateLabel(ModelDigest model) {
    return "state " + model.value();
  }

  /**
   * The checkpoint of a run; empty if there is none.
   *
   * @param of tells the run from all others; only a keyed digest of it is seen in names
   * @throws InvalidInputException if it cannot be read, or is not what was written under this key
   */
  public Optional<byte[]> readCheckpoint(String of) {
    return hasKey()
        ? readAuthenticated(checkpoint(key(), of), checkpointLabel(of))
        : Optional.empty();
  }

  /**
   * Keeps the checkpoint of a run, in place of its last one.
   *
   * @throws InvalidInputException if the vault cannot be written
   */
  public void writeCheckpoint(String of, byte[] content) {
    writeAuthenticated(checkpoint(createKeyIfAbsent(), of), checkpointLabel(of), content);
  }

  /**
   * Deletes the checkpoint of a run, and what processes have left that ended while they wrote it.
   *
   * @throws InvalidInputException if it cannot be deleted
   */
  public void deleteCheckpoint(String of) {
    if (!hasKey()) {
      return;
    }
    Path file = checkpoint(key(), of);
    try {
      if (storage.exists(file.getParent())) {
        for (FileStatus status : storage.fs.listStatus(file.getParent())) {
          if (status.getPath().getName().contains(file.getName())) {
            storage.delete(status.getPath());
          }
        }
      }
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + file + " cannot be deleted", e);
    }
  }

  /**
   * Deletes checkpoints that nobody has written since, because their runs were given up.
   *
   * @param time that the file system's times are compared with, as they are: by a clock that is off
   *     by more than the caller can spare too much is deleted
   * @return how many
   * @throws InvalidInputException if one cannot be deleted
   */
  public int deleteCheckpointsBefore(Instant time) {
    return deleteBefore(new Path(root, CHECKPOINTS), time);
  }

  /**
   * Deletes the states of models that nobody has written since.
   *
   * @param time as of {@link #deleteCheckpointsBefore}
   * @return how many
   * @throws InvalidInputException if one cannot be deleted
   */
  public int deleteStatesBefore(Instant time) {
    return deleteBefore(new Path(root, STATES), time);
  }

  private int deleteBefore(Path directory, Instant time) {
    int deleted = 0;
    try {
      for (FileStatus file : storage.list(directory)) {
        if (file.isFile() && file.getModificationTime() < time.toEpochMilli()) {
          storage.delete(file.getPath());
          deleted++;
        }
      }
      return deleted;
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + directory + ": a file cannot be deleted", e);
    }
  }

  private boolean hasKey() {
    Path file = new Path(root, KEY_FILE);
    try {
      return storage.exists(file);
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + file + " cannot be read", e);
    }
  }

  private Path checkpoint(VaultKey key, String of) {
    return new Path(
        new Path(root, CHECKPOINTS),
        key.digest("checkpoint", of.getBytes(StandardCharsets.UTF_8)) + ".checkpoint");
  }

  private static String checkpointLabel(String of) {
    return "checkpoint " + of;
  }

  private static byte[] mac(VaultKey key, String label, byte[] content, int length) {
    Mac mac = key.derive(label).mac();
    mac.update(content, 0, length);
    return mac.doFinal();
  }

  /** The perturbations of models that were trained with one. */
  public PerturbationVault perturbations() {
    return new PerturbationVault(files);
  }

  /**
   * Writes the perturbation of a model.
   *
   * @throws InvalidInputException if the vault cannot be written
   */
  public void writePerturbation(Perturbation perturbation) {
    try {
      files.createDirectories(root);
    } catch (IOException e) {
      throw unwritable(root, e);
    }
    perturbations().write(perturbation);
  }

  /**
   * Creates the file {@code name} under a data key, which is made on first use.
   *
   * @param name relative path inside the vault, for example {@code requests/hr-1.sealed}
   * @param dataKey name of the key
   * @throws InvalidInputException if the file exists, the key has been destroyed, a name is not
   *     allowed, or the vault cannot be written
   */
  public void seal(String name, byte[] content, String dataKey) {
    sealed.seal(name, content, dataKey);
  }

  /**
   * {@link #seal}, in place of a file that may exist: whatever happens, the old or the new one is
   * there.
   *
   * @throws InvalidInputException as {@link #seal}, but for a file that exists
   */
  public void reseal(String name, byte[] content, String dataKey) {
    sealed.reseal(name, content, dataKey);
  }

  /**
   * The content of a sealed file; empty if there is none.
   *
   * @throws InvalidInputException if its key has been destroyed, or it was changed, moved or sealed
   *     under another key
   */
  public Optional<byte[]> unseal(String name, String dataKey) {
    return sealed.unseal(name, dataKey);
  }

  /**
   * The files of a directory of sealed files that were written before a time, those that a killed
   * writer has left half written among them.
   *
   * @param directory relative path inside the vault, for example {@code requests}
   * @param time as of {@link #deleteCheckpointsBefore}
   * @return names as {@link #seal} takes them
   */
  public List<String> sealedBefore(String directory, Instant time) {
    return sealed.sealedBefore(directory, time);
  }

  /**
   * Deletes what writers of sealed files have left that were killed before a time: parts of
   * contents, under the data keys of those.
   *
   * @param directory relative path inside the vault
   * @param time as of {@link #deleteCheckpointsBefore}
   * @throws InvalidInputException if it cannot be deleted
   */
  public void deleteBegunBefore(String directory, Instant time) {
    sealed.deleteBegunBefore(directory, time);
  }

  /**
   * Deletes a sealed file, if it is there. Copies of it stay readable until {@link #shred}.
   *
   * @throws InvalidInputException if it cannot be deleted
   */
  public void delete(String name) {
    sealed.delete(name);
  }

  /**
   * Destroys a data key, for good: nothing that was sealed under it can be read again, and it is
   * never made anew. May be repeated; after a failure it must be.
   *
   * @throws InvalidInputException if the vault cannot be written
   */
  public void shred(String dataKey) {
    sealed.shred(dataKey);
  }

  /** Whether a data key has been destroyed. */
  public boolean isShredded(String dataKey) {
    return sealed.isShredded(dataKey);
  }

  static InvalidInputException unwritable(Path file, IOException e) {
    return new InvalidInputException("vault: " + file + " cannot be written", e);
  }

  private Path directory(String certificateId) {
    try {
      // An id from a file must not lead out of the vault.
      return new Path(root, Require.uuid(certificateId, "certificateId"));
    } catch (IllegalArgumentException e) {
      throw new InvalidInputException(String.valueOf(e.getMessage()), e);
    }
  }
}

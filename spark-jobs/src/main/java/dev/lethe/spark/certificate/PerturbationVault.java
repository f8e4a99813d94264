package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import org.apache.hadoop.fs.Path;
import org.jspecify.annotations.Nullable;

/**
 * The perturbations in a {@link Vault}, each in a folder {@code perturbation-<model digest>}:
 * {@code perturbation.json}, and {@code release} with the id of the certificate that was released
 * under it. There is at most one: releases that share b never compose, for the difference of two of
 * them shows what they differ in without any noise.
 */
public final class PerturbationVault {
  static final String SECRET = "perturbation.json";
  private static final String RELEASE = "release";

  private final VaultFiles files;

  PerturbationVault(VaultFiles files) {
    this.files = files;
  }

  private Path directory(ModelDigest model) {
    return new Path(files.root(), "perturbation-" + model.value());
  }

  /**
   * Writes the perturbation of a model; the vault exists.
   *
   * @throws InvalidInputException if it cannot be written
   */
  void write(Perturbation perturbation) {
    Path directory = directory(perturbation.model());
    try {
      files.storage().createPrivateDirectory(directory);
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + directory + " cannot be written", e);
    }
    try {
      files.create(new Path(directory, SECRET), perturbation.toJson());
    } catch (IOException e) {
      InvalidInputException failure =
          new InvalidInputException("vault: " + directory + " cannot be written", e);
      try {
        delete(perturbation.model());
      } catch (InvalidInputException leftover) {
        failure.addSuppressed(leftover);
      }
      throw failure;
    }
  }

  /**
   * The perturbation of a model.
   *
   * @throws InvalidInputException if there is none or it cannot be read
   */
  public Perturbation read(ModelDigest model) {
    Path file = new Path(directory(model), SECRET);
    byte[] content;
    try {
      content = files.read(file);
    } catch (FileNotFoundException | NoSuchFileException e) {
      throw new InvalidInputException(
          "vault: "
              + files.root()
              + " has no perturbation for the model with the digest "
              + model.value()
              + ". The model was trained with loss perturbation: its objective has a secret term b,"
              + " and without b nothing can be unlearned from it. This is another vault than that of"
              + " the training, or the model's files were changed, or it is itself a release, whose b"
              + " is used up; train again",
          e);
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + file + " cannot be read", e);
    }
    Perturbation perturbation = Perturbation.read(content, file.toString());
    if (!perturbation.model().equals(model)) {
      throw new InvalidInputException(file + ": is the perturbation of another model");
    }
    return perturbation;
  }

  /** The certificate that was released under b; null if none was. */
  public @Nullable String release(ModelDigest model) {
    Path file = new Path(directory(model), RELEASE);
    try {
      return new String(files.read(file), StandardCharsets.US_ASCII).strip();
    } catch (FileNotFoundException | NoSuchFileException e) {
      return null;
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + file + " cannot be read", e);
    }
  }

  /**
   * Records that b is used for a release. Of several processes that try, one succeeds.
   *
   * @throws InvalidInputException if it was used before, or the vault cannot be written
   */
  public void use(ModelDigest model, String certificateId) {
    Path file = new Path(directory(model), RELEASE);
    try {
      files.create(file, (certificateId + "\n").getBytes(StandardCharsets.US_ASCII));
    } catch (FileAlreadyExistsException e) {
      throw used(String.valueOf(release(model)), e);
    } catch (IOException e) {
      throw new InvalidInputException("vault: " + file + " cannot be written", e);
    }
  }

  /**
   * Refuses a second release.
   *
   * @throws InvalidInputException if b was used
   */
  public void requireUnused(ModelDigest model) {
    String certificateId = release(model);
    if (certificateId != null) {
      throw used(certificateId, null);
    }
  }

  private InvalidInputException used(String certificateId, @Nullable Throwable cause) {
    String message =
        "vault: "
            + files.root()
            + ": the perturbation b of this model was used for the release "
            + certificateId
            + ". Releases that share b never compose: two of them show what they differ in without"
            + " any noise. Train again, which draws another b";
    return cause == null
        ? new InvalidInputException(message)
        : new InvalidInputException(message, cause);
  }

  /** Takes back what {@link #use} recorded, when nothing was published. */
  public void takeBackUse(ModelDigest model) {
    delete(new Path(directory(model), RELEASE));
  }

  /** Takes back the perturbation of a model that was not published. */
  public void delete(ModelDigest model) {
    delete(directory(model));
  }

  private void delete(Path path) {
    try {
      files.storage().delete(path);
    } catch (IOException e) {
      throw new InvalidInputException(
          "vault: " + path + " cannot be deleted; it is of no release, delete it", e);
    }
  }
}

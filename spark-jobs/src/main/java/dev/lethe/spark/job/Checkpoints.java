package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Vault;
import java.util.Optional;

/**
 * Where one run keeps its checkpoint, a confidential place. Whatever is thrown is told in the
 * result's notes and fails nothing.
 */
public interface Checkpoints {
  /**
   * The last one that was written, if any.
   *
   * @throws InvalidInputException if it cannot be read, or is damaged
   */
  Optional<Checkpoint> read();

  /** Keeps one in place of the last: whenever the process ends, one of both is there. */
  void write(Checkpoint checkpoint);

  /** Deletes it, once it is of no use: what was refined has been published, or refused. */
  default void delete() {}

  /**
   * In a vault, as {@code checkpoints/<keyed digest of of>.checkpoint}.
   *
   * @param of tells the run from all others
   */
  static Checkpoints in(Vault vault, String of) {
    return new Checkpoints() {
      @Override
      public Optional<Checkpoint> read() {
        return vault.readCheckpoint(of).map(Checkpoint::read);
      }

      @Override
      public void write(Checkpoint checkpoint) {
        vault.writeCheckpoint(of, checkpoint.toBytes());
      }

      @Override
      public void delete() {
        vault.deleteCheckpoint(of);
      }
    };
  }
}

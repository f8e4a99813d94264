package dev.lethe.core.linalg;

import java.io.Serializable;

/**
 * A sum that is computed in parts, on executors, and merged in the parts' order: the same order
 * gives the same bits.
 *
 * @param <A> the type itself
 */
public interface PartialSum<A extends PartialSum<A>> extends Serializable {
  /** Adds the sums of another part. */
  void merge(A other);

  /** Ends the part: nothing may be left in scratch memory that is not serialized. */
  A sealed();

  /**
   * A copy of one of several ranges of every vector of sums, sealed. What is no vector goes with
   * each, so that slices of the same range of all parts, merged in the parts' order, are the slice
   * of the merged parts, bit for bit.
   *
   * @param part 0 .. parts - 1
   */
  A slice(int part, int parts);

  /** Takes a range as it is, and what is no vector. */
  void place(A slice, int part, int parts);

  /** About how many bytes the serialized sums take at most. */
  long bytes();
}

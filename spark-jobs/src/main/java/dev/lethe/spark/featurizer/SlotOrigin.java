package dev.lethe.spark.featurizer;

import java.util.Arrays;
import java.util.Collections;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * Where one slot of a column comes from, seen from a request that removes features.
 *
 * @param state whether the slot stays
 * @param features indices of the removed features that reach the slot, or reached it before a
 *     published stage stopped reading them
 */
record SlotOrigin(State state, SortedSet<Integer> features) {

  enum State {
    /** Stems from kept inputs alone. */
    KEPT,
    /** Exactly 0 in every row, because the published stage no longer reads the removed column. */
    VACANT,
    /** Stems from removed inputs alone. */
    REMOVED
  }

  static final SlotOrigin KEPT = new SlotOrigin(State.KEPT, Collections.emptySortedSet());

  SlotOrigin {
    features = Collections.unmodifiableSortedSet(new TreeSet<>(features));
  }

  boolean isKept() {
    return state == State.KEPT;
  }

  SlotOrigin as(State other) {
    return state == other ? this : new SlotOrigin(other, features);
  }

  /** This slot, removed by one more feature. */
  SlotOrigin removedBy(int feature) {
    SortedSet<Integer> union = new TreeSet<>(features);
    union.add(feature);
    return new SlotOrigin(State.REMOVED, union);
  }

  /** A zero that a stage moves: it stays a zero if the stage maps 0 to 0. */
  SlotOrigin through(boolean mapsZeroToZero) {
    return state == State.VACANT && !mapsZeroToZero ? as(State.REMOVED) : this;
  }

  static SlotOrigin[] repeat(SlotOrigin slot, int n) {
    SlotOrigin[] slots = new SlotOrigin[n];
    Arrays.fill(slots, slot);
    return slots;
  }

  static SortedSet<Integer> featuresOf(SlotOrigin... slots) {
    SortedSet<Integer> union = new TreeSet<>();
    SortedSet<Integer> last = Collections.emptySortedSet();
    for (SlotOrigin slot : slots) {
      // wide vectors repeat the same set in every slot
      if (slot.features != last) {
        union.addAll(slot.features);
        last = slot.features;
      }
    }
    return union;
  }
}

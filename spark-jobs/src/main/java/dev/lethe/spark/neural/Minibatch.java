package dev.lethe.spark.neural;

import static dev.lethe.core.linalg.SplitMix.mix;

import java.io.Serializable;
import java.util.Arrays;

/**
 * The examples of one step of training: of a random permutation of all n, an epoch's, the places
 * from {@code from} on. The permutation is a Feistel network over the smallest even number of bits
 * that holds n, walked until it falls below n (Black, Rogaway, CT-RSA 2002): nobody stores it.
 */
record Minibatch(long rows, long seed, long epoch, long from, int size) implements Serializable {
  private static final int ROUNDS = 6;

  /** Those in [first, end), counted from {@code first}, ascending. */
  int[] of(long first, long end) {
    int[] found = new int[(int) Math.min(size, end - first)];
    int count = 0;
    for (long place = from; place < Math.min(rows, from + size); place++) {
      long example = permuted(place);
      if (example >= first && example < end) {
        found[count++] = (int) (example - first);
      }
    }
    int[] all = Arrays.copyOf(found, count);
    Arrays.sort(all);
    return all;
  }

  /** Seed of what a network draws for a partition's share. */
  long seedOf(int partition) {
    return mix(mix(mix(mix(seed) ^ epoch) ^ from) ^ partition);
  }

  /** The example at a place of the permutation. */
  long permuted(long place) {
    int half = Math.max(1, (Long.SIZE - Long.numberOfLeadingZeros(rows - 1) + 1) / 2);
    long mask = (1L << half) - 1;
    long value = place;
    do {
      long left = value >>> half;
      long right = value & mask;
      for (int round = 0; round < ROUNDS; round++) {
        long next = left ^ (mix(mix(seed + round) ^ mix(epoch) ^ right) & mask);
        left = right;
        right = next;
      }
      value = (left << half) | right;
    } while (value >= rows);
    return value;
  }
}

package dev.lethe.core.aggregate;

import dev.lethe.core.model.ExampleBlock;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Several sums, of any kinds, in one visit of the rows. Every block goes to all of them in turn, so
 * blocks that fit into the processor's cache come from memory once.
 */
public final class SeveralSums implements Aggregator<SeveralSums> {
  private static final long serialVersionUID = 1L;

  /** Null where these rows do not belong to a sum. */
  private final @Nullable Aggregator<?>[] sums;

  private SeveralSums(@Nullable Aggregator<?>[] sums) {
    this.sums = sums;
  }

  /** All of the sums. */
  public static SeveralSums of(List<SumQuery> queries) {
    @Nullable Aggregator<?>[] sums = new Aggregator<?>[queries.size()];
    for (int k = 0; k < sums.length; k++) {
      sums[k] = queries.get(k).zero();
    }
    return new SeveralSums(sums);
  }

  /**
   * For rows that belong to one of the sums.
   *
   * @param k its number, or -1 for rows of none
   */
  public static SeveralSums of(List<SumQuery> queries, int k) {
    @Nullable Aggregator<?>[] sums = new Aggregator<?>[queries.size()];
    if (k >= 0) {
      sums[k] = queries.get(k).zero();
    }
    return new SeveralSums(sums);
  }

  @Override
  public void add(ExampleBlock block) {
    for (Aggregator<?> sum : sums) {
      if (sum != null) {
        sum.add(block);
      }
    }
  }

  @Override
  public void merge(SeveralSums other) {
    for (int k = 0; k < sums.length; k++) {
      if (sums[k] == null) {
        sums[k] = other.sums[k];
      } else if (other.sums[k] != null) {
        merge(sums[k], other.sums[k]);
      }
    }
  }

  @SuppressWarnings("unchecked") // sums of one query have one type
  private static <A extends Aggregator<A>> void merge(Aggregator<?> sum, Aggregator<?> other) {
    ((Aggregator<A>) sum).merge((A) other);
  }

  @Override
  public SeveralSums sealed() {
    for (Aggregator<?> sum : sums) {
      if (sum != null) {
        sum.sealed();
      }
    }
    return this;
  }

  @Override
  public SeveralSums slice(int part, int parts) {
    @Nullable Aggregator<?>[] slices = new Aggregator<?>[sums.length];
    for (int k = 0; k < sums.length; k++) {
      Aggregator<?> sum = sums[k];
      slices[k] = sum == null ? null : sum.slice(part, parts);
    }
    return new SeveralSums(slices);
  }

  /** Only into {@linkplain #of(List) all of the sums}. */
  @Override
  public void place(SeveralSums slice, int part, int parts) {
    for (int k = 0; k < sums.length; k++) {
      Aggregator<?> range = slice.sums[k];
      if (range != null) {
        place(Objects.requireNonNull(sums[k]), range, part, parts);
      }
    }
  }

  @SuppressWarnings("unchecked") // sums of one query have one type
  private static <A extends Aggregator<A>> void place(
      Aggregator<?> sum, Aggregator<?> slice, int part, int parts) {
    ((Aggregator<A>) sum).place((A) slice, part, parts);
  }

  @Override
  public long bytes() {
    long bytes = 64;
    for (Aggregator<?> sum : sums) {
      bytes += sum == null ? 0 : sum.bytes();
    }
    return bytes;
  }

  /** Sum k. */
  public Aggregator<?> sum(int k) {
    return Objects.requireNonNull(sums[k]);
  }
}

package dev.lethe.core.objective;

/** Two passes over what should be the same examples saw different ones. */
public final class DataChangedException extends IllegalStateException {
  private static final long serialVersionUID = 1L;

  /**
   * @param first rows of the first pass
   * @param later rows of a later one
   */
  public DataChangedException(long first, long later) {
    super(
        "the data changed while it was read: the first pass counted "
            + first
            + " rows, a later one "
            + (later == first ? "as many, but others" : later));
  }
}

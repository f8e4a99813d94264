package dev.lethe.core.neural;

/**
 * Windows of texts: an example is a token and those before it. A text is stored once, with what
 * stands before its first token, so that overlapping windows cost 4 bytes an example.
 */
public final class TextBlock implements NetworkBlock {
  private static final long serialVersionUID = 1L;

  private final int window;
  private final short[] tokens;
  private final int[] targets;

  /**
   * @param window tokens before each target
   * @param tokens of all texts, each behind its padding
   * @param targets places in {@code tokens} that are predicted, each at least {@code window}
   */
  public TextBlock(int window, short[] tokens, int[] targets) {
    this.window = window;
    this.tokens = tokens;
    this.targets = targets;
  }

  @Override
  public int rows() {
    return targets.length;
  }

  @Override
  public Batch gather(int[] indices, int from, int to) {
    int count = to - from;
    long[] inputs = new long[count * window];
    long[] next = new long[count];
    for (int k = 0; k < count; k++) {
      int target = targets[indices[from + k]];
      for (int t = 0; t < window; t++) {
        inputs[k * window + t] = tokens[target - window + t];
      }
      next[k] = tokens[target];
    }
    return Batch.ofTokens(window, inputs, next);
  }
}

package dev.lethe.core.aggregate;

import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.RowPanel;
import org.jspecify.annotations.Nullable;

/**
 * w_i l''(s_i) of a block's rows at a point, from the pass that was at the same point before, or
 * for the one that comes after. The bits are the same either way.
 */
final class Curvatures {
  private final ExampleBlock block;
  private final long point;
  private final double @Nullable [] known;
  private final double @Nullable [] collected;

  Curvatures(Point point, ExampleBlock block) {
    this.block = block;
    boolean worth = block.isWorthRemembering();
    this.point = worth ? point.key() : 0;
    known = worth ? block.curvatures(this.point) : null;
    collected = worth && known == null ? new double[block.rows()] : null;
  }

  /** Whether a pass before has left them, so that no margin is needed for them. */
  boolean areKnown() {
    return known != null;
  }

  /** Tells those of a panel's rows. */
  void are(RowPanel panel, double[] curvatures) {
    if (collected != null) {
      System.arraycopy(curvatures, 0, collected, panel.first(), panel.rows());
    }
  }

  /**
   * u_r *= w_r l''(s_r).
   *
   * @param told those of the panel's rows, if they are not known
   */
  void multiply(RowPanel panel, double[] told, double[] u) {
    double[] from = known == null ? told : known;
    int first = known == null ? 0 : panel.first();
    for (int r = 0; r < panel.rows(); r++) {
      u[r] *= from[first + r];
    }
  }

  /** Leaves them for the next pass; all panels have been told. */
  void remember() {
    if (collected != null) {
      block.rememberCurvatures(point, collected);
    }
  }
}

package dev.lethe.core.unlearn;

/**
 * The requested distance is below what the rounding of one pass over this data lets anyone prove.
 */
public final class UnreachableDistanceException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final double rho;
  private final double reachable;

  UnreachableDistanceException(double rho, double reachable) {
    super(
        "rho = "
            + rho
            + " is out of reach: rounding alone allows a proof of no less than "
            + reachable
            + "; choose rho >= "
            + 2 * reachable);
    this.rho = rho;
    this.reachable = reachable;
  }

  public double rho() {
    return rho;
  }

  /** The distance that would be proven for a computed gradient of zero. */
  public double reachable() {
    return reachable;
  }
}

package dev.lethe.spark.ledger;

import org.jspecify.annotations.Nullable;

/** Another process has taken over: this one slept too long, or cannot reach the ledger. */
public final class LeaseLostException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  LeaseLostException() {
    this(null);
  }

  LeaseLostException(@Nullable Throwable cause) {
    super("the lease of the ledger was lost; another run may go on with it", cause);
  }
}

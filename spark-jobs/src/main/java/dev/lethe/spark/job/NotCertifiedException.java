package dev.lethe.spark.job;

import dev.lethe.spark.certificate.Reason;

/** A release was to be published only if it is certified, and it is not; nothing was written. */
public final class NotCertifiedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  NotCertifiedException(Reason reason) {
    super(reason.text());
  }
}

package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What a certificate says. */
public enum Verdict {
  /** The guarantee of the certificate holds. */
  @JsonProperty("certified")
  CERTIFIED,
  /** Nothing is claimed; {@link Certificate#reason} says why. */
  @JsonProperty("not-certified")
  NOT_CERTIFIED
}

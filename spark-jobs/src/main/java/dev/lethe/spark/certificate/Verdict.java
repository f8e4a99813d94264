package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Locale;

/** What a certificate says. */
public enum Verdict {
  /** The guarantee of the certificate holds. */
  @JsonProperty("certified")
  CERTIFIED,
  /** It holds if {@link Certificate#assumption} does, which Lethe neither proves nor believes. */
  @JsonProperty("conditional")
  CONDITIONAL,
  /** Nothing is claimed; {@link Certificate#reason} says why. */
  @JsonProperty("not-certified")
  NOT_CERTIFIED;

  /** As it is written in a certificate. */
  public String word() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}

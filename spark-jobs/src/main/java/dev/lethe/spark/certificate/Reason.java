package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * Why a model is published as {@code not-certified}: a closed vocabulary, so that no figure that
 * depends on the data can slip into a public file inside a message. The figures are in the
 * evidence.
 */
public enum Reason {
  /** The request asked for no certificate. */
  @JsonProperty("certificate-not-requested")
  CERTIFICATE_NOT_REQUESTED("the request asks for no certificate"),
  /** No distance bound is known for this kind of objective. */
  @JsonProperty("no-distance-bound")
  NO_DISTANCE_BOUND(
      "for this objective (its loss and its penalties) no bound is known on the distance to the"
          + " minimiser on the corrected data"),
  /** The method takes a fixed number of steps and the distance that is left is not proven. */
  @JsonProperty("method-without-target")
  METHOD_WITHOUT_TARGET(
      "the method takes one step and does not repeat it until the distance to the minimiser on the"
          + " corrected data is proven to be at most rho"),
  /** The refinement ended without a proof. */
  @JsonProperty("distance-not-proven")
  DISTANCE_NOT_PROVEN(
      "the distance to the minimiser on the corrected data was not proven to be at most rho");

  private final String text;

  Reason(String text) {
    this.text = text;
  }

  /** The reason as half a sentence for people. */
  public String text() {
    return text;
  }
}

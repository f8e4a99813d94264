package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonProperty;

/** How the parameters were made public. */
public enum Mechanism {
  /** theta + N(0, sigma^2 I), rounded to a grid. */
  @JsonProperty("gaussian-output-noise")
  GAUSSIAN_OUTPUT_NOISE,
  /** theta + noise of density proportional to exp(-||z||_2 / scale), rounded to a grid. */
  @JsonProperty("gamma-radius-output-noise")
  GAMMA_RADIUS_OUTPUT_NOISE,
  /** As computed, under a linear term b'theta of the loss, b ~ N(0, sigma^2 I). */
  @JsonProperty("loss-perturbation")
  LOSS_PERTURBATION,
  /** As computed. */
  @JsonProperty("none")
  NONE
}

package dev.lethe.spark.job;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code lethe compose} is given.
 *
 * @param certificates public certificates, at least one
 * @param delta at which epsilon is asked for; null with {@code epsilon}, or for the largest delta
 *     of the certificates
 * @param epsilon at which delta is asked for; null with {@code delta}
 */
public record ComposeOptions(
    List<String> certificates, @Nullable Double delta, @Nullable Double epsilon) {
  public ComposeOptions {
    certificates = List.copyOf(certificates);
  }
}

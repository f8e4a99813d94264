/**
 * What a certificate claims and how it is proven: the noise (OutputMechanism, OutputNoise,
 * PublicationGrid, NoiseTest) and the distance to the exact minimiser (Measurement, DistanceBound).
 * Proofs: {@code docs/distance-bounds.md}. Nothing here depends on a solver or an update, so that
 * the verifier shares no code with what it checks.
 */
package dev.lethe.core.certify;

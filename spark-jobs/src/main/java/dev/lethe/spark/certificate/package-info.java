/**
 * The files that prove an unlearning: the public certificate, the confidential evidence in the
 * vault, the digests that tie them to models, requests and data, and the publication of the output
 * directory in one step.
 *
 * <p>What is public and what is not is decided by types: {@link
 * dev.lethe.spark.certificate.Certificate} has no field for a figure that depends on deleted data,
 * {@link dev.lethe.spark.certificate.Evidence} is written by a {@link
 * dev.lethe.spark.certificate.Vault} only. {@code docs/files.md} describes every field.
 */
package dev.lethe.spark.certificate;

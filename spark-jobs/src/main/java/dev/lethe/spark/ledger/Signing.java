package dev.lethe.spark.ledger;

/** Signs what the ledger writes. */
@FunctionalInterface
public interface Signing {
  /** The detached signature of some bytes. */
  byte[] sign(byte[] content);
}

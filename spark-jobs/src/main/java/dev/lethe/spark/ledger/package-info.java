/**
 * The ledger of a model: which requests came, what was decided on them, which versions were made
 * and published, and what all releases together tell. An append-only chain of entries, one small
 * JSON file each, on any Hadoop file system; {@code docs/ledger.md} states its rules.
 *
 * <p>The ledger is public: entries hold ids, digests, the figures of certificates and sentences of
 * Lethe. What is confidential, the requests themselves included, is in the vault.
 */
@NullMarked
package dev.lethe.spark.ledger;

import org.jspecify.annotations.NullMarked;

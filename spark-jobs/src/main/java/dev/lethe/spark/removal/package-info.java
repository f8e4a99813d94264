/**
 * Scheduled removal: the jobs around a ledger. {@code submit} takes requests in, {@code run}
 * answers all that wait in one release, {@code purge} destroys what has served its time; {@code
 * status}, {@code history} and {@code rollback} show and turn what is published. {@code
 * docs/ledger.md} has the rules.
 */
@NullMarked
package dev.lethe.spark.removal;

import org.jspecify.annotations.NullMarked;

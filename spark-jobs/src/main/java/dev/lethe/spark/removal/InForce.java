package dev.lethe.spark.removal;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.GivenDataset;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.RequestCheck;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.TrackedRequest;
import dev.lethe.spark.ledger.Version;
import dev.lethe.spark.request.MergedRequest;
import dev.lethe.spark.request.Request;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * The table with the corrections that are in force: those of every version that was made, one
 * version after the other, but for those that the table has in it already.
 */
final class InForce {
  private InForce() {}

  /**
   * {@link #table}, where it is not known yet that the one that is read has in it what it should:
   * one pass.
   *
   * @throws InvalidInputException if {@code data.corrected-through} names a version that is not
   *     made, or the table lacks a correction of one up to it
   */
  static GivenTables checkedTable(
      Settings settings,
      SparkSession spark,
      LedgerState state,
      RequestStore store,
      RequestCheck check,
      int before) {
    int through = settings.data().through();
    requireMade(state, through);
    requireCorrected(state, store, check, through, settings.data().source().read(spark));
    return table(settings, spark, state, store, check, before);
  }

  /**
   * The table as a version found it.
   *
   * @param before the corrections of the versions before this one
   * @param check of requests against the model
   */
  static GivenTables table(
      Settings settings,
      SparkSession spark,
      LedgerState state,
      RequestStore store,
      RequestCheck check,
      int before) {
    int through = settings.data().through();
    TableSource source = settings.data().source();
    List<MergedRequest.Named> applied = new ArrayList<>();
    for (Version version : state.inForce()) {
      if (version.number() >= before) {
        break;
      }
      if (version.number() <= through) {
        continue;
      }
      if (isPurged(state, store, version)) {
        throw new InvalidInputException(
            "data.corrected-through: "
                + through
                + ": the requests of version "
                + version.number()
                + " are purged, so that their corrections cannot be applied; give a table that has"
                + " them in it");
      }
      applied.add(named(state, store, version));
    }
    return new GivenTables.Original(
        applied.isEmpty()
            ? source
            : new GivenDataset(
                source.name() + ", corrected by " + applied.size() + " versions",
                check.corrected(source.read(spark), applied)));
  }

  /**
   * Looks for what versions correct which the table should have in it, but for those before one
   * that is purged: nobody knows any more which columns that set.
   */
  private static void requireCorrected(
      LedgerState state, RequestStore store, RequestCheck check, int through, Dataset<Row> table) {
    List<MergedRequest.Named> known = new ArrayList<>();
    for (Version version : state.inForce()) {
      if (version.number() > through) {
        break;
      }
      if (isPurged(state, store, version)) {
        known.clear();
      } else {
        known.add(named(state, store, version));
      }
    }
    check.requireCorrected(table, known);
  }

  /** Whether a version's requests are not all known any more. */
  static boolean isPurged(LedgerState state, RequestStore store, Version version) {
    return version.requests().stream().anyMatch(id -> store.isPurged(request(state, id)));
  }

  private static void requireMade(LedgerState state, int through) {
    boolean made =
        state.versions().stream()
            .anyMatch(version -> version.number() == through && version.isMade());
    if (!made) {
      throw new InvalidInputException(
          "data.corrected-through: "
              + through
              + ": the ledger has no such version; the youngest is "
              + state.lastMade().number());
    }
  }

  private static MergedRequest.Named named(LedgerState state, RequestStore store, Version version) {
    return new MergedRequest.Named(Batch.id(version.number()), merged(state, store, version));
  }

  /** The merged request of a version. */
  static Request merged(LedgerState state, RequestStore store, Version version) {
    List<Request> requests =
        version.requests().stream().map(id -> store.read(request(state, id)).request()).toList();
    return Batch.merged(version.number(), requests, version.terms());
  }

  private static TrackedRequest request(LedgerState state, String id) {
    return state.request(id).orElseThrow();
  }
}

package dev.lethe.spark.removal;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.WithholdingRows;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.data.GivenDataset;
import dev.lethe.spark.data.Table;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.CorrectedTable;
import dev.lethe.spark.job.EarlierRelease;
import dev.lethe.spark.job.GivenTables;
import dev.lethe.spark.job.RequestCheck;
import dev.lethe.spark.job.SparkFailures;
import dev.lethe.spark.ledger.Lease;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.FeatureRef;
import dev.lethe.spark.request.Method;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;

/**
 * {@code lethe apply --config}: writes the table with the corrections of all versions in it, so
 * that it can take the place of the one that is read, and contents of requests can be purged.
 */
public final class CorrectedTableJob {
  private final Place place;
  private final Settings settings;
  private final String out;
  private final String format;
  private final SparkSession spark;

  /**
   * @param format Spark data source that writes it; the table's own but for CSV, whose cells would
   *     be written anew
   */
  public CorrectedTableJob(Place place, String out, String format) {
    this.place = place;
    this.settings = place.settings();
    this.out = out;
    this.format = format;
    this.spark = place.spark();
  }

  /**
   * What was written.
   *
   * @param through the version whose corrections, and those of all before it, are in it
   * @param dropped columns that are gone
   */
  public record Result(long rows, int through, List<String> dropped) {}

  /**
   * Runs the job.
   *
   * @throws InvalidInputException if there is no version yet, or {@code out} cannot be written
   */
  public Result run() throws IOException {
    Ledger ledger = place.existingWritableLedger();
    // a version that is being made is not one to write down: it may still be abandoned
    try (Lease lease = place.lease(ledger)) {
      return run(ledger, lease);
    }
  }

  private Result run(Ledger ledger, Lease lease) throws IOException {
    LedgerState state = ledger.state();
    if (state.unfinished().isPresent()) {
      throw new InvalidInputException(
          "ledger: "
              + ledger.root()
              + ": version "
              + state.unfinished().get().number()
              + " is not finished; lethe run finishes it");
    }
    if (state.inForce().isEmpty()) {
      throw new InvalidInputException(
          "ledger: " + ledger.root() + ": has no version yet, so that no correction is in force");
    }
    Vault vault = place.vault();
    RequestStore store = RequestStore.of(vault, state);
    int last = state.lastMade().number();
    RequestCheck check = place.check(ledger, last);
    GivenTables corrected = InForce.checkedTable(settings, spark, state, store, check, last + 1);
    try (AtomicPublication publication =
        AtomicPublication.begin(
            spark.sparkContext().hadoopConfiguration(),
            out,
            ledger.root().toString(),
            settings.data().path())) {
      Table table = corrected.tables().get(0);
      List<FeatureRef> removed = removed(state, store);
      CorrectedTable without =
          removed.isEmpty()
              ? null
              : CorrectedTable.of(
                  spark,
                  new GivenTables.Original(new GivenDataset(table.name(), table.read(spark))),
                  check.label(),
                  check.weight(),
                  null,
                  EarlierRelease.NONE,
                  new Request(
                      Batch.id(last),
                      List.of(new Change.RemoveFeatures(removed)),
                      null,
                      Method.REFINED,
                      null),
                  Batch.id(last));
      Dataset<Row> rows = without == null ? table.read(spark) : without.rows();
      spark.sparkContext().setJobDescription("Lethe apply, writing the corrected table");
      try {
        long count = SparkFailures.sanitized(table.name(), () -> WithholdingRows.count(rows));
        SparkFailures.sanitized(
            table.name(),
            () -> {
              WithholdingRows.of(rows)
                  .write()
                  .format(format)
                  .mode(SaveMode.Overwrite)
                  .save(publication.staging().toString());
              return null;
            });
        TableSource written =
            new TableSource("--out", publication.staging().toString(), format, Map.of());
        long found =
            SparkFailures.sanitized(table.name(), () -> WithholdingRows.count(written.read(spark)));
        if (found != count) {
          throw new InvalidInputException(
              "out: "
                  + out
                  + ": "
                  + found
                  + " rows of the written table can be read back, expected are "
                  + count
                  + "; do driver and executors share the place?");
        }
        lease.requireHeld();
        publication.commit();
        return new Result(count, last, without == null ? List.of() : without.dropped());
      } finally {
        spark.sparkContext().setJobDescription(null);
      }
    }
  }

  /** The features that the versions have removed, of those whose requests are still known. */
  private static List<FeatureRef> removed(LedgerState state, RequestStore store) {
    Set<FeatureRef> removed = new LinkedHashSet<>();
    state.inForce().stream()
        .flatMap(version -> version.requests().stream())
        .map(id -> state.request(id).orElseThrow())
        .filter(request -> !store.isPurged(request))
        .flatMap(request -> store.read(request).request().changes().stream())
        .forEach(
            change -> {
              if (change instanceof Change.RemoveFeatures features) {
                removed.addAll(features.features());
              }
            });
    return List.copyOf(removed);
  }
}

package dev.lethe.spark.removal;

import static org.apache.spark.sql.functions.col;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.ledger.Entry;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.Ledger;
import dev.lethe.spark.ledger.Spent;
import java.io.IOException;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe ledger --table}: the ledger as a Spark table, a row for every request, version or
 * thing that an entry names.
 */
public final class LedgerTable {
  private static final StructType SCHEMA =
      new StructType()
          .add("sequence", DataTypes.LongType, false)
          .add("at", DataTypes.TimestampType, false)
          .add("by", DataTypes.StringType, false)
          .add("event", DataTypes.StringType, false)
          .add("request", DataTypes.StringType)
          .add("version", DataTypes.IntegerType)
          .add("certificate", DataTypes.StringType)
          .add("rho", DataTypes.DoubleType)
          .add("sigma", DataTypes.DoubleType)
          .add("scale", DataTypes.DoubleType)
          .add("detail", DataTypes.StringType);

  private LedgerTable() {}

  /** The rows of a ledger's entries, in their order. */
  public static Dataset<Row> of(Ledger ledger, SparkSession spark) {
    List<Row> rows = new ArrayList<>();
    for (Entry entry : ledger.chain().entries()) {
      add(rows, entry);
    }
    return spark.createDataFrame(rows, SCHEMA);
  }

  /**
   * Writes the table.
   *
   * @throws InvalidInputException if {@code out} exists or cannot be written
   */
  public static void write(Place place, String out, String format) throws IOException {
    Ledger ledger = place.existingLedger();
    SparkSession spark = place.spark();
    try (AtomicPublication publication =
        AtomicPublication.begin(
            spark.sparkContext().hadoopConfiguration(), out, ledger.root().toString())) {
      of(ledger, spark)
          .orderBy(col("sequence"))
          .coalesce(1)
          .write()
          .format(format)
          .mode(SaveMode.Overwrite)
          .save(publication.staging().toString());
      publication.commit();
    }
  }

  private static void add(List<Row> rows, Entry entry) {
    Event event = entry.event();
    if (event instanceof Event.Opened opened) {
      rows.add(row(entry, "opened", null, 0, null, null, null, null, opened.model()));
    } else if (event instanceof Event.Received received) {
      for (Event.Submission one : received.requests()) {
        rows.add(row(entry, "received", one.id(), null, null, null, null, null, null));
      }
    } else if (event instanceof Event.Decided decided) {
      for (String id : decided.admitted()) {
        rows.add(row(entry, "admitted", id, decided.version(), null, null, null, null, null));
      }
      for (Event.Refusal one : decided.refused()) {
        rows.add(
            row(entry, "refused", one.id(), null, null, null, null, null, one.reason().word()));
      }
    } else if (event instanceof Event.Abandoned abandoned) {
      Spent seen = abandoned.seen();
      rows.add(
          row(
              entry,
              "abandoned",
              null,
              abandoned.version(),
              null,
              seen == null ? null : seen.rho(),
              seen == null ? null : seen.sigma(),
              seen == null ? null : seen.scale(),
              abandoned.cause().word()));
    } else if (event instanceof Event.Applied applied) {
      rows.add(
          row(
              entry,
              "applied",
              null,
              applied.version(),
              applied.certificate(),
              applied.release().rho(),
              applied.release().sigma(),
              applied.release().scale(),
              applied.model().value()));
    } else if (event instanceof Event.Published published) {
      rows.add(row(entry, "published", null, published.version(), null, null, null, null, null));
    } else if (event instanceof Event.RolledBack back) {
      rows.add(
          row(entry, "rolled-back", null, back.version(), null, null, null, null, back.forced()));
    } else if (event instanceof Event.Purged purged) {
      boolean request = purged.kind() == Event.Kind.REQUEST;
      rows.add(
          row(
              entry,
              "purged " + purged.kind().word(),
              request ? purged.subject() : null,
              request ? null : Integer.valueOf(purged.subject()),
              null,
              null,
              null,
              null,
              purged.reason()));
    }
  }

  private static Row row(
      Entry entry,
      String event,
      @Nullable String request,
      @Nullable Integer version,
      @Nullable String certificate,
      @Nullable Double rho,
      @Nullable Double sigma,
      @Nullable Double scale,
      @Nullable String detail) {
    return RowFactory.create(
        entry.sequence(),
        Timestamp.from(entry.at()),
        entry.by(),
        event,
        request,
        version,
        certificate,
        rho,
        sigma,
        scale,
        detail);
  }
}

package dev.lethe.spark.api;

import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * The rows as a request makes them.
 *
 * @param rows the corrected table, not computed yet; without the columns that the request removes
 *     as features, with 0 in the removed slots of its vector columns
 * @param touchedRows rows that the request's changes of rows match
 * @param removedRows rows that are gone
 * @param overwrittenRows rows that corrected rows overwrite
 * @param droppedColumns columns that are gone
 * @param notApplied removed features that only a pipeline makes, so that the table has no such
 *     column
 */
public record CorrectedData(
    Dataset<Row> rows,
    long touchedRows,
    long removedRows,
    long overwrittenRows,
    List<String> droppedColumns,
    List<String> notApplied) {}

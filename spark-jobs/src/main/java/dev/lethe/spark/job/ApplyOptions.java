package dev.lethe.spark.job;

import dev.lethe.spark.data.TableSource;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code lethe apply} is given.
 *
 * @param tables the data, which a data source reads, and perhaps corrected rows
 * @param label its label column, or null for the model's
 * @param weight its weight column, or null for the model's, if any
 * @param model directory of a model that reads the table, or null
 * @param modelCertificate the certificate of {@code model}, or null for the one beside it, if any
 * @param request the request or requests
 * @param out where to write the corrected table
 */
public record ApplyOptions(
    GivenTables tables,
    @Nullable String label,
    @Nullable String weight,
    @Nullable String model,
    @Nullable String modelCertificate,
    RequestSource request,
    String out) {

  /** The table that is rewritten. */
  TableSource source() {
    return (TableSource) tables.tables().get(0);
  }

  /** The places that are read. */
  String[] sources() {
    List<String> sources = new ArrayList<>();
    tables.tables().forEach(table -> table.place().ifPresent(sources::add));
    sources.addAll(request.places());
    if (model != null) {
      sources.add(model);
    }
    return sources.toArray(String[]::new);
  }
}

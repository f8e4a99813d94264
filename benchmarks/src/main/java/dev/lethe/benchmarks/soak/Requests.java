package dev.lethe.benchmarks.soak;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;

/**
 * Made-up requests about Adult's rows, and what they mean, said without any of Lethe's code. No two
 * requests touch the same row, so that their order does not matter.
 */
final class Requests {
  private final SplittableRandom random;
  private final List<Integer> rows = new ArrayList<>();
  private final Set<Integer> removed = new HashSet<>();
  private final Set<Integer> turned = new HashSet<>();
  private final Map<Integer, Integer> hours = new HashMap<>();
  private int made;
  private int invalid;

  /**
   * @param count rows of the table, whose column {@code id} counts from 0
   */
  Requests(int count, long seed) {
    random = new SplittableRandom(seed);
    for (int i = 0; i < count; i++) {
      rows.add(i);
    }
  }

  /** How many requests were made that must be refused. */
  int invalid() {
    return invalid;
  }

  /** The next request, YAML; its id is {@code r-N}. */
  String next(boolean removesFeature) {
    String id = String.format("r-%04d", made++);
    if (removesFeature) {
      return yaml(id, "- removeFeatures: [race]");
    }
    double kind = random.nextDouble();
    List<Integer> ids = take(1 + random.nextInt(5));
    String where =
        "id IN (" + ids.stream().map(String::valueOf).collect(Collectors.joining(", ")) + ")";
    if (kind < 0.6) {
      removed.addAll(ids);
      return yaml(id, "- removeRows: {where: \"" + where + "\"}");
    }
    if (kind < 0.8) {
      turned.addAll(ids);
      return yaml(
          id,
          "- relabel: {to: \"CASE WHEN income = '>50K' THEN '<=50K' ELSE '>50K' END\", where: \""
              + where
              + "\"}");
    }
    if (kind < 0.95) {
      int value = 10 + random.nextInt(50);
      ids.forEach(row -> hours.put(row, value));
      return yaml(
          id,
          "- replaceFeatures: {set: {hours-per-week: \""
              + value
              + "\"}, where: \""
              + where
              + "\"}");
    }
    invalid++;
    return yaml(id, "- removeRows: {where: \"id = -1\"}");
  }

  private List<Integer> take(int count) {
    List<Integer> taken = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int at = random.nextInt(rows.size());
      taken.add(rows.get(at));
      rows.set(at, rows.get(rows.size() - 1));
      rows.remove(rows.size() - 1);
    }
    return taken;
  }

  private static String yaml(String id, String change) {
    return "id: " + id + "\nchanges:\n  " + change + "\n";
  }

  /** The table as all valid requests leave it. */
  Dataset<Row> corrected(Dataset<Row> table) {
    Column id = functions.col("id");
    Column changed = functions.col("`hours-per-week`");
    for (Map.Entry<Integer, Integer> one : hours.entrySet()) {
      changed =
          functions
              .when(id.equalTo(one.getKey()), functions.lit(one.getValue()))
              .otherwise(changed);
    }
    Column label = functions.col("income");
    return table
        .filter(functions.not(id.isin(removed.toArray())))
        .withColumn(
            "income",
            functions
                .when(
                    id.isin(turned.toArray()),
                    functions.when(label.equalTo(">50K"), "<=50K").otherwise(">50K"))
                .otherwise(label))
        .withColumn(
            "hours-per-week", changed.cast(table.schema().apply("hours-per-week").dataType()));
  }
}

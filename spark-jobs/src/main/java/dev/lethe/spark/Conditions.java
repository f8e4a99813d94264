package dev.lethe.spark;

import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;

/** Conditions of Spark SQL out of others. */
public final class Conditions {
  private Conditions() {}

  /**
   * Whether one of the conditions holds, in their order; false of none. A balanced tree: a chain is
   * as deep as it is long, and what walks through an expression does so by recursion.
   */
  public static Column any(List<Column> conditions) {
    if (conditions.size() < 2) {
      return conditions.isEmpty() ? functions.lit(false) : conditions.get(0);
    }
    int half = conditions.size() / 2;
    return any(conditions.subList(0, half)).or(any(conditions.subList(half, conditions.size())));
  }

  /** NULL is no match. */
  public static Column orFalse(Column condition) {
    return functions.coalesce(condition, functions.lit(false));
  }
}

package dev.lethe.spark.request;

import dev.lethe.core.loss.LossFunction;
import java.util.List;
import java.util.function.Function;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;

/**
 * The labels that the model knows, as they stand in the table. {@link Corrections#inspect} refuses
 * a new label outside it.
 */
public final class LabelDomain {
  private final String description;

  /** From the SQL of a new label that is not NULL to the condition that it is legal. */
  private final Function<String, Column> legal;

  private LabelDomain(String description, Function<String, Column> legal) {
    this.description = description;
    this.legal = legal;
  }

  /** Every label that is neither NULL nor, for a floating-point column, NaN or infinite. */
  public static LabelDomain any() {
    return new LabelDomain("any value", sql -> functions.lit(true));
  }

  /**
   * The class indices 0, 1, ..., {@code count} - 1, as numbers.
   *
   * @throws IllegalArgumentException if {@code count} is below 2
   */
  public static LabelDomain classes(int count) {
    if (count < 2) {
      throw new IllegalArgumentException("there must be at least 2 classes, not " + count);
    }
    return new LabelDomain(
        "an integer from 0 to " + (count - 1),
        sql -> {
          Column number = functions.expr("try_cast(" + sql + " AS DOUBLE)");
          return number.geq(0.0).and(number.lt(count)).and(functions.floor(number).equalTo(number));
        });
  }

  /**
   * The labels that a loss accepts.
   *
   * @throws IllegalArgumentException if there is one class only
   */
  public static LabelDomain of(LossFunction loss) {
    if (loss.classes() > 0) {
      return classes(loss.classes());
    }
    return new LabelDomain(
        loss.labelDomain(),
        sql ->
            functions
                .expr("try_cast(" + sql + " AS DOUBLE)")
                .between(loss.leastLabel(), loss.greatestLabel()));
  }

  /**
   * The labels of a fitted StringIndexer, which compares a column's values cast to strings.
   *
   * @throws IllegalArgumentException if there is none
   */
  public static LabelDomain indexed(List<String> labels) {
    if (labels.isEmpty()) {
      throw new IllegalArgumentException("there must be at least one label");
    }
    Object[] known = labels.toArray();
    return new LabelDomain(
        "one of the labels that the model's indexer was fitted to",
        sql -> functions.expr(sql).cast("string").isin(known));
  }

  /** What a message says is allowed. */
  public String description() {
    return description;
  }

  /** True where the label that {@code sql} yields is outside the domain. */
  public Column violated(String sql) {
    return WithheldExpression.of(
        functions.not(functions.coalesce(legal.apply(sql), functions.lit(false))));
  }
}

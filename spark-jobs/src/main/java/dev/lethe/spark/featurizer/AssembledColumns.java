package dev.lethe.spark.featurizer;

import static org.apache.spark.sql.functions.array;
import static org.apache.spark.sql.functions.coalesce;
import static org.apache.spark.sql.functions.lit;
import static org.apache.spark.sql.functions.nanvl;

import dev.lethe.spark.TableColumns;
import java.util.Arrays;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StructType;

/**
 * What a VectorAssembler makes of columns of numbers, as an array: the stage itself boxes every
 * cell of a row, which takes longer than all else that is done with it.
 */
final class AssembledColumns {
  private AssembledColumns() {}

  /**
   * As {@code stage.transform(rows)}, but with an array of doubles in the vector's place where all
   * inputs are columns of numbers. A NULL in it stands for what the stage refuses.
   */
  static Dataset<Row> transform(VectorAssembler stage, Dataset<Row> rows) {
    StructType schema = rows.schema();
    String[] inputs = stage.getInputCols();
    if (!Arrays.stream(inputs).allMatch(input -> isNumber(schema, input))) {
      return stage.transform(rows);
    }
    stage.transformSchema(schema);
    boolean skip = stage.getHandleInvalid().equals("skip");
    boolean keep = stage.getHandleInvalid().equals("keep");
    Column[] numbers =
        Arrays.stream(inputs)
            .map(input -> TableColumns.column(input).cast("double"))
            .map(
                number ->
                    keep
                        ? coalesce(number, lit(Double.NaN))
                        : nanvl(number, lit(null).cast("double")))
            .toArray(Column[]::new);
    return (skip ? rows.na().drop(inputs) : rows).withColumn(stage.getOutputCol(), array(numbers));
  }

  /** A dot may mean a field of a struct: such names are left to the stage. */
  private static boolean isNumber(StructType schema, String input) {
    return input.indexOf('.') < 0
        && Arrays.stream(schema.fields())
            .anyMatch(
                field ->
                    field.name().equals(input)
                        && (field.dataType() instanceof NumericType
                            || field.dataType() instanceof BooleanType));
  }
}

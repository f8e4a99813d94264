package dev.lethe.spark;

import java.io.Serializable;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Iterator;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.StructType;

/**
 * Rows of the user's tables, read in such a way that no task says what was in them: a failure while
 * a row is read or computed is thrown as {@link WithheldException}.
 */
public final class WithholdingRows {
  private WithholdingRows() {}

  /** The rows in Spark's own form; each is valid until the next one is asked for. */
  public static JavaRDD<InternalRow> rdd(Dataset<Row> rows) {
    return rows.queryExecution().toRdd().toJavaRDD().mapPartitions(new Withheld());
  }

  /**
   * The same as a table, for what only Spark can do with it. Spark does not look beyond it: columns
   * are to be selected before, and the plan of what comes after does not show how it is computed.
   */
  public static Dataset<Row> of(Dataset<Row> rows) {
    return table(rows.sparkSession(), rdd(rows).rdd(), rows.schema());
  }

  /** How many rows there are; a Spark job. */
  public static long count(Dataset<Row> rows) {
    return rdd(rows.select(functions.lit(true).as("row"))).count();
  }

  /** By reflection: the method's class is another one since Spark 4. */
  @SuppressWarnings("unchecked")
  private static Dataset<Row> table(SparkSession spark, RDD<InternalRow> rows, StructType schema) {
    Method create =
        Stream.of(spark.getClass().getMethods())
            .filter(method -> method.getName().equals("internalCreateDataFrame"))
            .filter(method -> method.getParameterCount() == 3)
            .findFirst()
            .orElseThrow(() -> new IllegalStateException("this Spark makes no table of its rows"));
    try {
      return (Dataset<Row>) create.invoke(spark, rows, schema, false);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    } catch (InvocationTargetException e) {
      throw e.getCause() instanceof RuntimeException cause
          ? cause
          : new IllegalStateException(e.getCause());
    }
  }

  private static final class Withheld
      implements FlatMapFunction<Iterator<InternalRow>, InternalRow>, Serializable {
    private static final long serialVersionUID = 1L;

    @Override
    public Iterator<InternalRow> call(Iterator<InternalRow> rows) {
      QuietLoggers.quieten(); // in the executor, before the first file is opened
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          try {
            return rows.hasNext();
          } catch (Exception e) { // Spark's checked ones are undeclared
            throw WithheldException.of(e);
          }
        }

        @Override
        public InternalRow next() {
          try {
            return rows.next();
          } catch (Exception e) {
            throw WithheldException.of(e);
          }
        }
      };
    }
  }
}

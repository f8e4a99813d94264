package dev.lethe.spark.request;

import dev.lethe.spark.WithheldException;
import java.io.Serializable;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.internal.SQLConf;
import org.apache.spark.sql.types.DataType;
import scala.collection.immutable.IndexedSeq;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * An expression of a request in a plan that does not show it. Plans are written into the event log,
 * Spark's pages and, at level INFO, the driver's log, with the constants in them.
 *
 * <p>It is not compiled, so that generated code does not hold the constants either, and a source is
 * not offered it as a filter, which the plan would show. A failure on a row is thrown without the
 * row's values, also where the row is on its way to another partition.
 */
public final class WithheldExpression extends Expression implements CodegenFallback, Serializable {
  /**
   * Setting of the session: whether plans show the expressions of requests, so that sources can
   * pass over what they exclude.
   */
  public static final String SHOWN = "spark.lethe.ui.conditions";

  private static final long serialVersionUID = 1L;
  private static final String FUNCTION = "lethe_withheld";
  private static final String SHOWN_AS = "withheld";

  private final Expression child;

  /** Public for Spark, which copies expressions by their constructors. */
  public WithheldExpression(Expression child) {
    this.child = child;
  }

  /** Makes the function known to a session; nothing if it is. */
  static void register(SparkSession spark) {
    FunctionRegistry registry = spark.sessionState().functionRegistry();
    if (!registry.functionExists(new FunctionIdentifier(FUNCTION))) {
      registry.createOrReplaceTempFunction(
          FUNCTION,
          arguments ->
              Boolean.parseBoolean(SQLConf.get().getConfString(SHOWN, "false"))
                  ? arguments.head()
                  : new WithheldExpression(arguments.head()),
          "scala_udf");
    }
  }

  /** An expression of a session that {@link #register} has seen. */
  static Column of(String sql) {
    return of(functions.expr(sql));
  }

  /** The same of a column that holds an expression of a request, or values of a model. */
  static Column of(Column column) {
    return functions.call_function(FUNCTION, column);
  }

  @Override
  public Seq<Expression> children() {
    return CollectionConverters.asScala(List.of(child)).toSeq();
  }

  @Override
  public Expression withNewChildrenInternal(IndexedSeq<Expression> changed) {
    return new WithheldExpression(changed.head());
  }

  @Override
  public boolean nullable() {
    return child.nullable();
  }

  @Override
  public DataType dataType() {
    return child.dataType();
  }

  /** A constant would be put into the plan in its place. */
  @Override
  public boolean foldable() {
    return false;
  }

  @Override
  public Object eval(InternalRow row) {
    try {
      return child.eval(row);
    } catch (Exception e) { // Spark's checked ones are undeclared
      throw WithheldException.of(e);
    }
  }

  @Override
  public ExprCode doGenCode(CodegenContext context, ExprCode code) {
    return CodegenFallback.super.doGenCode(context, code);
  }

  @Override
  public String toString() {
    return SHOWN_AS;
  }

  @Override
  public String sql() {
    return SHOWN_AS;
  }

  @Override
  public int productArity() {
    return 1;
  }

  @Override
  public Object productElement(int i) {
    if (i != 0) {
      throw new IndexOutOfBoundsException(i);
    }
    return child;
  }

  @Override
  public boolean canEqual(Object other) {
    return other instanceof WithheldExpression;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof WithheldExpression that && that.child.equals(child);
  }

  @Override
  public int hashCode() {
    return 31 * child.hashCode() + 1;
  }
}

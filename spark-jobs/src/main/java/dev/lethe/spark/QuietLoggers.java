package dev.lethe.spark;

import java.util.List;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.core.config.Configurator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loggers of Spark and Parquet that print conditions with the constants in them: those that are
 * pushed down to a file, and those in generated code. Conditions of requests name persons.
 */
public final class QuietLoggers {
  private static final Logger LOG = LoggerFactory.getLogger(QuietLoggers.class);

  private static final List<String> OF_CONDITIONS =
      List.of(
          "org.apache.spark.sql.execution.datasources.DataSourceStrategy",
          "org.apache.spark.sql.execution.datasources.FileSourceStrategy",
          "org.apache.spark.sql.execution.datasources.v2.V2ScanRelationPushDown",
          "org.apache.parquet.filter2");

  /** Of code that is too long, they print plan or code as warning or error. */
  private static final List<String> OF_CODE =
      List.of(
          "org.apache.spark.sql.catalyst.expressions.codegen.CodeGenerator",
          "org.apache.spark.sql.execution.WholeStageCodegenExec");

  private static boolean done;

  private QuietLoggers() {}

  /** Once in a JVM, driver or executor: warnings alone from the former, nothing from the latter. */
  public static synchronized void quieten() {
    if (done) {
      return;
    }
    done = true;
    try {
      OF_CONDITIONS.forEach(name -> Configurator.setLevel(name, Level.WARN));
      OF_CODE.forEach(name -> Configurator.setLevel(name, Level.OFF));
    } catch (LinkageError e) {
      // a cluster that logs by other means has to leave them out itself (docs/threat-model.md)
      LOG.warn("loggers that print conditions could not be silenced: Spark does not log by log4j2");
    }
  }
}

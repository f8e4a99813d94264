package dev.lethe.spark.job;

import dev.lethe.spark.data.ReadTable;
import dev.lethe.spark.data.Table;
import dev.lethe.spark.data.TableSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.columnar.InMemoryRelation;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;
import org.apache.spark.sql.execution.datasources.PartitioningAwareFileIndex;
import scala.jdk.javaapi.CollectionConverters;

/** The files of a table, which tell whether it is still the same one without reading it. */
final class TableFiles {
  /** Whose rows are those of their files, all of them and no others. */
  private static final Set<String> FORMATS = Set.of("parquet", "orc", "csv", "json", "libsvm");

  private static final long YOUNG_MILLIS = 3000;

  /** Where tables without a path are; says nothing of one with a path. */
  private static final String WAREHOUSE = "spark.sql.warehouse.dir";

  private TableFiles() {}

  /**
   * A digest of path, length and modification time of every file that a table was found to have,
   * and of all that decides how they are read; another one after any change that a file system
   * shows. Empty where rows may change without one, or may not be those of the files as they are: a
   * dataset, a table that is cached, a source that is not plain files, a file that has changed
   * since it was found, is so young that it may be written again within the clock's tick, or cannot
   * be listed.
   *
   * @param label the table's label column
   */
  static Optional<String> digest(SparkSession spark, Table table, String label) {
    if (!(table instanceof ReadTable read)
        || !(read.source() instanceof TableSource source)
        || !FORMATS.contains(source.format())) {
      return Optional.empty();
    }
    Dataset<Row> rows = read.rows();
    Set<String> lines = new TreeSet<>();
    try {
      List<FileStatus> planned = planned(rows);
      if (planned.isEmpty() || isCached(rows)) {
        return Optional.empty();
      }
      Iterator<FileStatus> current = current(spark, planned).iterator();
      for (FileStatus file : planned) {
        FileStatus now = current.next();
        if (now.getLen() != file.getLen()
            || now.getModificationTime() != file.getModificationTime()
            || now.getModificationTime() > System.currentTimeMillis() - YOUNG_MILLIS) {
          return Optional.empty();
        }
        lines.add(file.getPath() + "\t" + file.getLen() + "\t" + file.getModificationTime());
      }
    } catch (IOException e) {
      return Optional.empty();
    }
    lines.add("path\t" + source.path());
    lines.add(source.format() + "\t" + new TreeMap<>(source.options()));
    lines.add(rows.schema().json());
    lines.add("label\t" + label);
    lines.add("Spark " + spark.version() + ", Lethe " + BuildInfo.version());
    lines.add("time zone\t" + spark.conf().get("spark.sql.session.timeZone"));
    spark
        .conf()
        .getAll()
        .foreach(
            setting -> {
              if (setting._1().startsWith("spark.sql.") && !setting._1().equals(WAREHOUSE)) {
                lines.add(setting._1() + "=" + setting._2());
              }
              return null;
            });
    return Optional.of(KeptState.sha256(String.join("\n", lines).getBytes(StandardCharsets.UTF_8)));
  }

  /** The files as Spark found them when the table was looked up, and as it reads them. */
  private static List<FileStatus> planned(Dataset<Row> rows) {
    List<FileStatus> files = new ArrayList<>();
    for (LogicalPlan leaf :
        CollectionConverters.asJava(rows.queryExecution().analyzed().collectLeaves())) {
      if (leaf instanceof LogicalRelation relation
          && relation.relation() instanceof HadoopFsRelation table
          && table.location() instanceof PartitioningAwareFileIndex index) {
        files.addAll(CollectionConverters.asJava(index.allFiles()));
      }
    }
    return files;
  }

  /** Whether somebody has cached the rows, so that they need not be those of the files. */
  private static boolean isCached(Dataset<Row> rows) {
    return CollectionConverters.asJava(
            rows.where("true").queryExecution().withCachedData().collectLeaves())
        .stream()
        .anyMatch(InMemoryRelation.class::isInstance);
  }

  /** The same files as they are now, by one listing of each directory. */
  private static List<FileStatus> current(SparkSession spark, List<FileStatus> planned)
      throws IOException {
    Map<Path, Map<String, FileStatus>> directories = new TreeMap<>();
    List<FileStatus> files = new ArrayList<>();
    for (FileStatus file : planned) {
      Path path = file.getPath();
      Map<String, FileStatus> found = directories.get(path.getParent());
      if (found == null) {
        found = new TreeMap<>();
        FileSystem system = path.getFileSystem(spark.sparkContext().hadoopConfiguration());
        for (FileStatus status : system.listStatus(path.getParent())) {
          found.put(status.getPath().getName(), status);
        }
        directories.put(path.getParent(), found);
      }
      FileStatus status = found.get(path.getName());
      if (status == null) {
        throw new IOException("a file of the table has vanished");
      }
      files.add(status);
    }
    return files;
  }
}

package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.data.Table;
import dev.lethe.spark.request.MergedRequest;
import dev.lethe.spark.request.Request;
import dev.lethe.spark.request.RequestReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.IntegralType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampNTZType;
import org.apache.spark.sql.types.TimestampType;
import org.jspecify.annotations.Nullable;

/**
 * Where a request is read from: a file, or many requests that are merged in order: files and
 * directories in the order given, the files of a directory in the order of their names, the rows of
 * a table in the order of its columns {@code sequence}, {@code received} and {@code id}.
 *
 * @param paths files and directories; of {@code table} its path
 * @param table a table with a request a row, or null
 * @param id of the merged request where there may be many; null if none is given
 */
public record RequestSource(List<String> paths, @Nullable Table table, @Nullable String id) {
  private static final List<String> EXTENSIONS = List.of(".yaml", ".yml", ".json");

  public RequestSource {
    paths = List.copyOf(paths);
  }

  /** One file. */
  public static RequestSource of(String file) {
    return new RequestSource(List.of(file), null, null);
  }

  /** The same requests under another id, if they are merged. */
  RequestSource withId(String other) {
    return new RequestSource(paths, table, other);
  }

  /** Where on file systems it is read from. */
  List<String> places() {
    return table == null ? paths : table.place().stream().toList();
  }

  /** Names what gave the requests, for messages. */
  private String place() {
    return table == null ? "--request " + this : table.name();
  }

  /** Names the request, for messages. */
  @Override
  public String toString() {
    return String.join(", ", paths);
  }

  /**
   * Reads the request, from any Hadoop file system.
   *
   * @throws InvalidInputException if something does not exist or is not a request, if requests
   *     contradict each other, or if there may be many and no id is given
   */
  public Request read(SparkSession spark) {
    if (table == null && paths.size() == 1 && !isDirectory(spark, paths.get(0))) {
      return read(spark, paths.get(0));
    }
    if (id == null) {
      throw new InvalidInputException(
          place()
              + ": is a directory, a table or several files of requests, so --id is required: the"
              + " certificate names the merged request by it");
    }
    return readAll(spark);
  }

  /**
   * Merges the requests, of which there may be one.
   *
   * @throws InvalidInputException as above
   */
  public Request readAll(SparkSession spark) {
    List<MergedRequest.Named> requests = table == null ? files(spark) : rows(table.read(spark));
    if (requests.isEmpty()) {
      throw new InvalidInputException(place() + ": has no request");
    }
    return MergedRequest.of(toString(), Objects.requireNonNull(id), requests);
  }

  /**
   * A request by itself, or why there is none.
   *
   * @param name of the file, or the number of a table's row
   */
  record Single(String name, @Nullable Request request, @Nullable InvalidInputException refusal) {
    private static Single of(String name, Supplier<MergedRequest.Named> reading) {
      try {
        MergedRequest.Named read = reading.get();
        return new Single(read.name(), read.request(), null);
      } catch (InvalidInputException e) {
        return new Single(name, null, e);
      }
    }
  }

  /**
   * The requests one by one. One that occurs twice counts once.
   *
   * @throws InvalidInputException if something does not exist, there is no request, or two that
   *     differ have the same id
   */
  List<Single> readEach(SparkSession spark) {
    List<Single> all = new ArrayList<>();
    if (table == null) {
      for (String file : fileNames(spark)) {
        all.add(Single.of(file, () -> new MergedRequest.Named(file, read(spark, file))));
      }
    } else {
      List<Row> rows = tableRows(table.read(spark));
      for (int i = 0; i < rows.size(); i++) {
        Row row = rows.get(i);
        String number = "request " + (i + 1);
        all.add(Single.of(number, () -> request(row, place(), number)));
      }
    }
    if (all.isEmpty()) {
      throw new InvalidInputException(place() + ": has no request");
    }
    Map<String, Single> byId = new LinkedHashMap<>();
    List<Single> distinct = new ArrayList<>();
    for (Single single : all) {
      Request request = single.request();
      Single earlier = request == null ? null : byId.putIfAbsent(request.id(), single);
      if (earlier == null) {
        distinct.add(single);
      } else if (!Arrays.equals(
          Objects.requireNonNull(earlier.request()).canonicalBytes(),
          Objects.requireNonNull(request).canonicalBytes())) {
        throw new InvalidInputException(
            place()
                + ": "
                + earlier.name()
                + " and "
                + single.name()
                + " have the same id but are not the same request; a model is published under its"
                + " request's id");
      }
    }
    return distinct;
  }

  private static Request read(SparkSession spark, String file) {
    return RequestReader.read(
        file, InputFile.read(spark, "--request", file, RequestReader.MAX_BYTES + 1));
  }

  private List<MergedRequest.Named> files(SparkSession spark) {
    return fileNames(spark).stream()
        .map(file -> new MergedRequest.Named(file, read(spark, file)))
        .toList();
  }

  /**
   * A file as it stands, not read as a request yet; or why it cannot be one.
   *
   * @param content at most one byte more than a request may have
   */
  public record Given(
      String name, byte @Nullable [] content, @Nullable InvalidInputException refusal) {}

  /**
   * The files one by one, each read when it is asked for.
   *
   * @throws InvalidInputException if a directory cannot be read
   */
  public Iterator<Given> given(SparkSession spark) {
    // names first: to a stream of a directory's files an iterator would read all of them at once
    List<Found> found = found(spark).toList();
    return found.stream().map(file -> given(spark, file)).iterator();
  }

  private static Given given(SparkSession spark, Found file) {
    InvalidInputException refusal = file.refusal();
    if (refusal == null) {
      try {
        return new Given(
            file.name(),
            InputFile.read(spark, "REQUEST", file.name(), RequestReader.MAX_BYTES + 1),
            null);
      } catch (InvalidInputException e) {
        refusal = e;
      }
    }
    return new Given(file.name(), null, refusal);
  }

  private List<String> fileNames(SparkSession spark) {
    List<String> files =
        found(spark)
            .map(
                file -> {
                  if (file.refusal() != null) {
                    throw file.refusal();
                  }
                  return file.name();
                })
            .toList();
    requireFew(files.size());
    return files;
  }

  /** A file, or something in a directory that is none of a request. */
  private record Found(String name, @Nullable InvalidInputException refusal) {}

  private Stream<Found> found(SparkSession spark) {
    return paths.stream()
        .flatMap(
            path ->
                isDirectory(spark, path) ? list(spark, path) : Stream.of(new Found(path, null)));
  }

  /** The files of a directory by name; Spark's and the system's own files are passed over. */
  private static Stream<Found> list(SparkSession spark, String directory) {
    FileStatus[] found;
    try {
      found = fileSystem(spark, directory).listStatus(new Path(directory));
    } catch (IOException e) {
      throw unreachable(directory, e);
    }
    return Arrays.stream(found)
        .sorted(Comparator.comparing((FileStatus file) -> file.getPath().getName()))
        .filter(file -> !file.getPath().getName().matches("[._].*"))
        .map(file -> found(directory, file));
  }

  private static Found found(String directory, FileStatus file) {
    String name = file.getPath().getName();
    String lower = name.toLowerCase(Locale.ROOT);
    String path = new Path(directory, name).toString();
    if (file.isFile() && EXTENSIONS.stream().anyMatch(lower::endsWith)) {
      return new Found(path, null);
    }
    return new Found(
        path,
        new InvalidInputException(
            "--request "
                + directory
                + ": '"
                + name
                + "' is no request; a directory of requests has files whose names end in "
                + String.join(", ", EXTENSIONS)
                + ", and no other (a table of requests needs --request-format)"));
  }

  private List<MergedRequest.Named> rows(Dataset<Row> table) {
    List<Row> rows = tableRows(table);
    return IntStream.range(0, rows.size())
        .mapToObj(i -> request(rows.get(i), place(), "request " + (i + 1)))
        .toList();
  }

  /** The requests of a table; they are few, and read to the driver. */
  private List<Row> tableRows(Dataset<Row> table) {
    String place = place();
    StructType schema = table.schema();
    List<Column> columns = new ArrayList<>();
    List<Column> order = new ArrayList<>();
    columns.add(text(schema, "id", place));
    columns.add(text(schema, "request", place));
    for (String name : List.of("sequence", "received")) {
      StructField field = TableColumns.find(schema, name);
      if (field != null) {
        requireOrder(field, place);
        Column column = TableColumns.column(field.name());
        columns.add(column);
        order.add(column);
      }
    }
    order.add(columns.get(0));
    List<Row> rows =
        SparkFailures.sanitized(
            place,
            () ->
                table
                    .select(columns.toArray(Column[]::new))
                    .orderBy(order.toArray(Column[]::new))
                    .takeAsList(MergedRequest.MAX_REQUESTS + 1));
    requireFew(rows.size());
    return rows;
  }

  private static MergedRequest.Named request(Row row, String place, String number) {
    for (int i = 0; i < row.size(); i++) {
      if (row.isNullAt(i)) {
        throw new InvalidInputException(
            place + ": column '" + row.schema().fieldNames()[i] + "' is NULL in some row");
      }
    }
    String text = row.getString(1);
    Request request =
        RequestReader.read(
            place + ": " + number + (text.stripLeading().startsWith("{") ? ".json" : ""), text);
    if (!request.id().equals(row.getString(0))) {
      throw new InvalidInputException(
          place + ": " + number + ": column 'id' is not the id in column 'request'");
    }
    return new MergedRequest.Named(request.id(), request);
  }

  private static Column text(StructType schema, String name, String place) {
    StructField field = TableColumns.require(schema, name, place);
    if (!field.dataType().equals(DataTypes.StringType)) {
      throw new InvalidInputException(
          place + ": column '" + name + "' must be a string, not " + typeName(field));
    }
    return TableColumns.column(field.name());
  }

  private static void requireOrder(StructField field, String place) {
    DataType type = field.dataType();
    if (!(type instanceof IntegralType
        || type instanceof DateType
        || type instanceof TimestampType
        || type instanceof TimestampNTZType)) {
      throw new InvalidInputException(
          place
              + ": column '"
              + field.name()
              + "' gives the order of the requests: it must be an integer, a date or a timestamp,"
              + " not "
              + typeName(field));
    }
  }

  private static String typeName(StructField field) {
    return field.dataType().catalogString();
  }

  private void requireFew(int found) {
    if (found > MergedRequest.MAX_REQUESTS) {
      throw new InvalidInputException(
          place() + ": more than " + MergedRequest.MAX_REQUESTS + " requests; split them");
    }
  }

  private static boolean isDirectory(SparkSession spark, String path) {
    try {
      FileSystem files = fileSystem(spark, path);
      Path file = new Path(path);
      return files.exists(file) && files.getFileStatus(file).isDirectory();
    } catch (IOException | IllegalArgumentException e) {
      throw unreachable(path, e);
    }
  }

  private static FileSystem fileSystem(SparkSession spark, String path) {
    try {
      return new Path(path).getFileSystem(spark.sparkContext().hadoopConfiguration());
    } catch (IOException | IllegalArgumentException e) {
      throw unreachable(path, e);
    }
  }

  private static InvalidInputException unreachable(String path, Exception e) {
    return new InvalidInputException(
        "--request " + path + ": cannot be read (" + e.getClass().getSimpleName() + ")", e);
  }
}

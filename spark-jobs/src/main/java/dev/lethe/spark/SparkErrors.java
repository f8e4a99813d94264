package dev.lethe.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.CharConversionException;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.time.DateTimeException;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipException;
import org.apache.hadoop.fs.ChecksumException;
import org.apache.hadoop.fs.PathPermissionException;
import org.apache.hadoop.security.AccessControlException;
import org.apache.spark.SparkThrowable;
import org.apache.spark.sql.AnalysisException;
import org.jspecify.annotations.Nullable;

/** What may be said of a failure of Spark: its messages may quote rows, their classes do not. */
public final class SparkErrors {
  /** SQLSTATE class 22: data exception. */
  private static final String DATA_EXCEPTION = "22";

  /**
   * Failures of reading a file or of a stage's function on a row, with those of Spark 3.5 that have
   * no name.
   */
  private static final Pattern DATA_CONDITION =
      Pattern.compile(
          "FAILED_READ_FILE.*|FAILED_EXECUTE_UDF|MALFORMED_.*|_LEGACY_ERROR_TEMP_(206[34]|216[567])");

  private static final List<Class<? extends Throwable>> OF_DATA =
      List.of(
          InvalidInputException.class,
          AnalysisException.class,
          NumberFormatException.class,
          DateTimeException.class,
          FileNotFoundException.class,
          FileSystemException.class,
          EOFException.class,
          ZipException.class,
          CharConversionException.class,
          CharacterCodingException.class,
          ChecksumException.class,
          PathPermissionException.class,
          AccessControlException.class);

  /** Readers of files, whose exceptions have no common class. */
  private static final Pattern READER =
      Pattern.compile("(org\\.apache\\.(parquet|orc|avro)|com\\.univocity|com\\.fasterxml)\\..*");

  private static final Pattern SPARK_ML = Pattern.compile("org\\.apache\\.spark\\.ml(lib)?\\..*");

  /** Of what is not there, or not as it was written. */
  private static final List<Class<? extends IOException>> OF_CONTENT =
      List.of(
          FileNotFoundException.class,
          NoSuchFileException.class,
          EOFException.class,
          ChecksumException.class,
          CharacterCodingException.class,
          JsonProcessingException.class);

  /** Of files that are gone or damaged, whatever is computed of their rows. */
  private static final Pattern FILE_CONDITION =
      Pattern.compile("FAILED_READ_FILE.*|_LEGACY_ERROR_TEMP_206[34]");

  /** What functions throw on a text, too. */
  private static final List<Class<? extends IOException>> OF_TEXT =
      List.of(CharacterCodingException.class, JsonProcessingException.class);

  private SparkErrors() {}

  /**
   * Whether a store failed to answer, be it out of reach, broken or closed to this account: neither
   * what it holds nor what it does not is known then.
   */
  public static boolean isUnanswered(Throwable failure) {
    return causes(failure).anyMatch(IOException.class::isInstance)
        && causes(failure)
            .noneMatch(cause -> OF_CONTENT.stream().anyMatch(type -> type.isInstance(cause)));
  }

  /** A failure and its causes, the innermost last. */
  public static Stream<Throwable> causes(Throwable failure) {
    Set<Throwable> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    return Stream.iterate(
        failure, cause -> cause != null && seen.add(cause), cause -> cause.getCause());
  }

  /**
   * The innermost error class of Spark's, such as {@code FAILED_READ_FILE.NO_HINT}, or the class of
   * the innermost exception where Spark gives none.
   */
  public static String kind(Throwable failure) {
    String kind = "";
    String innermost = "";
    for (Throwable cause : causes(failure).toList()) {
      String condition = condition(cause);
      kind = condition.isEmpty() ? kind : condition;
      innermost =
          cause instanceof WithheldException withheld
              ? withheld.kinds().substring(withheld.kinds().lastIndexOf(' ') + 1)
              : cause.getClass().getSimpleName();
    }
    return kind.isEmpty() ? innermost : kind;
  }

  /** The classes of a failure and its causes. */
  public static String kinds(Throwable failure) {
    return causes(failure)
        .map(
            cause ->
                cause instanceof WithheldException withheld
                    ? withheld.kinds()
                    : cause.getClass().getSimpleName())
        .collect(Collectors.joining(" < "));
  }

  /** The class of a failure that is about numbers or times out of range; empty for all others. */
  public static Optional<String> arithmetic(Throwable failure) {
    if (failure instanceof WithheldException withheld) {
      return withheld.arithmetic();
    }
    return failure instanceof ArithmeticException
            || failure instanceof NumberFormatException
            || failure instanceof DateTimeException
        ? Optional.of(failure.getClass().getSimpleName())
        : Optional.empty();
  }

  /** Spark's error class, which never contains values; empty if there is none. */
  public static String condition(Throwable failure) {
    if (failure instanceof SparkThrowable known) {
      // Deprecated since 4.0 in favour of getCondition, which 3.5 does not have.
      @SuppressWarnings("deprecation")
      @Nullable String condition = known.getErrorClass();
      return condition == null ? "" : condition;
    }
    return "";
  }

  /**
   * Whether a row, a file or a column is to blame: a cell that does not convert, a category that an
   * indexer has not seen, a NULL in an assembler, a vector of another length, a file that is
   * missing or damaged.
   */
  public static boolean isOfData(Throwable failure) {
    return Outage.of(failure).isEmpty() && causes(failure).anyMatch(SparkErrors::blamesData);
  }

  private static boolean blamesData(Throwable cause) {
    if (cause instanceof WithheldException withheld) {
      return withheld.isOfData();
    }
    String state = cause instanceof SparkThrowable known ? known.getSqlState() : null;
    return (state != null && state.startsWith(DATA_EXCEPTION))
        || DATA_CONDITION.matcher(condition(cause)).matches()
        || OF_DATA.stream().anyMatch(type -> type.isInstance(cause))
        || READER.matcher(cause.getClass().getName()).matches()
        || isRefusedBySparkMl(cause);
  }

  /**
   * Whether a file could not be read as it was listed: it is gone, damaged, or out of reach. No
   * request is to blame for that, whatever it computes of the file's rows.
   */
  public static boolean isOfFiles(Throwable failure) {
    return causes(failure).anyMatch(SparkErrors::blamesFile);
  }

  private static boolean blamesFile(Throwable cause) {
    if (cause instanceof WithheldException withheld) {
      return withheld.isOfFiles();
    }
    return FILE_CONDITION.matcher(condition(cause)).matches()
        || (cause instanceof IOException
            && OF_TEXT.stream().noneMatch(type -> type.isInstance(cause)));
  }

  /** A failed requirement of a stage, such as that on the length of a vector. */
  private static boolean isRefusedBySparkMl(Throwable cause) {
    return cause instanceof IllegalArgumentException
        && Stream.of(cause.getStackTrace())
            .map(StackTraceElement::getClassName)
            .filter(name -> !name.startsWith("scala."))
            .findFirst()
            .filter(name -> SPARK_ML.matcher(name).matches())
            .isPresent();
  }

  /** What kept Spark from finishing, without a word of its messages. */
  public static String unfinished(Throwable failure) {
    Optional<Outage> outage = Outage.of(failure);
    return "Spark did not finish: "
        + outage.map(Outage::words).orElse("for a reason that Lethe does not know")
        + " ("
        + kinds(failure)
        + "). Nothing that was given is known to be the reason; the logs of driver and executors"
        + " have the details";
  }
}

package dev.lethe.spark.certificate;

import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Preconditions of the documents; a message names the field and what is allowed. */
public final class Require {
  private static final Pattern SHA_256 = Pattern.compile("[0-9a-f]{64}");

  /** A UUID in lower case. */
  static final String ID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

  private static final Pattern UUID = Pattern.compile(ID);

  private Require() {}

  public static void that(boolean condition, String message) {
    if (!condition) {
      throw new IllegalArgumentException(message);
    }
  }

  public static <T> T present(@Nullable T value, String field) {
    if (value == null) {
      throw new IllegalArgumentException(field + " must be given");
    }
    return value;
  }

  public static String text(@Nullable String value, String field) {
    String given = present(value, field);
    that(!given.isBlank(), field + " must not be blank");
    return given;
  }

  public static String uuid(@Nullable String value, String field) {
    String given = present(value, field);
    that(
        UUID.matcher(given).matches(),
        field + " must be a UUID in lower case, as 123e4567-e89b-42d3-a456-426614174000");
    return given;
  }

  public static String sha256(@Nullable String value, String field) {
    String given = present(value, field);
    that(SHA_256.matcher(given).matches(), field + " must be 64 hexadecimal digits in lower case");
    return given;
  }

  public static void positive(@Nullable Double value, String field) {
    that(
        value != null && value > 0 && Double.isFinite(value),
        field + " must be a number in (0, infinity)");
  }

  public static void nonNegative(double value, String field) {
    that(value >= 0 && Double.isFinite(value), field + " must be a number in [0, infinity)");
  }

  public static void count(long value, String field) {
    that(value >= 0, field + " must be at least 0");
  }
}

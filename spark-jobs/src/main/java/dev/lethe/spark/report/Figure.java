package dev.lethe.spark.report;

import java.util.Locale;

/** Numbers as people read them. */
final class Figure {
  private static final String MINUS = "\u2212";

  private Figure() {}

  /** Four digits; {@code 1.591 x 10^-10} where they would stand far from the point. */
  static String of(double value) {
    if (value == 0) {
      return "0";
    }
    double size = Math.abs(value);
    String digits;
    if (!Double.isFinite(value)) {
      digits = Double.isNaN(value) ? "not a number" : "\u221e";
    } else if (size < 1e6 && size == Math.rint(size)) {
      digits = String.format(Locale.ROOT, "%,d", (long) size);
    } else if (size >= 1e-3 && size < 1e4) {
      int decimals = 3 - (int) Math.floor(Math.log10(size));
      digits = String.format(Locale.ROOT, "%,." + Math.max(0, Math.min(5, decimals)) + "f", size);
    } else {
      String[] parts = String.format(Locale.ROOT, "%.3e", size).split("e", 2);
      int exponent = Integer.parseInt(parts[1]);
      String power = exponent < 0 ? MINUS + -exponent : String.valueOf(exponent);
      digits = trimmed(parts[0]) + " \u00d7 10^" + power;
    }
    return value < 0 ? MINUS + digits : digits;
  }

  /** The same without zeros at its end: 0.1 that somebody chose, not 0.1000 that was measured. */
  static String setting(double value) {
    return trimmed(of(value));
  }

  private static String trimmed(String digits) {
    return digits.indexOf('.') < 0 || digits.indexOf('^') >= 0
        ? digits
        : digits.replaceFirst("\\.?0+$", "");
  }

  /** A metric, and how much it changed: as many decimals in a column as its largest needs. */
  static String metric(double value, double largest) {
    int decimals = largest < 10 ? 4 : largest < 1000 ? 2 : 0;
    String digits = String.format(Locale.ROOT, "%,." + decimals + "f", Math.abs(value));
    return value < 0 ? MINUS + digits : digits;
  }

  static String count(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }

  static String percent(double share) {
    double percent = 100 * share;
    return percent >= 0.1 || percent == 0
        ? String.format(Locale.ROOT, percent >= 10 ? "%.0f %%" : "%.1f %%", percent)
        : "less than 0.1 %";
  }

  /** A coordinate of a drawing. */
  static String at(double coordinate) {
    String text = String.format(Locale.ROOT, "%.1f", coordinate);
    return text.endsWith(".0") ? text.substring(0, text.length() - 2) : text;
  }
}

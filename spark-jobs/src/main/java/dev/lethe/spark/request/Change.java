package dev.lethe.spark.request;

import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One change of the data that a request asks for. The expressions are Spark SQL over the original
 * row; {@link Corrections} checks and applies them.
 */
public sealed interface Change {
  /** The key of this kind of change in a request file. */
  String key();

  /**
   * The model has these features no longer: their output slots are zeroed and their coefficients
   * are exactly 0.
   *
   * @param features at least one, each once
   */
  record RemoveFeatures(List<FeatureRef> features) implements Change {
    public RemoveFeatures {
      features = List.copyOf(features);
      if (features.isEmpty()) {
        throw new IllegalArgumentException("at least one feature must be named");
      }
      if (new HashSet<>(features).size() < features.size()) {
        throw new IllegalArgumentException("a feature is named twice");
      }
    }

    @Override
    public String key() {
      return "removeFeatures";
    }
  }

  /**
   * New values of raw columns.
   *
   * @param set column name (unquoted) to expression, at least one, in the order of the file
   * @param where the rows, or null for every row
   */
  record ReplaceFeatures(Map<String, String> set, @Nullable String where) implements Change {
    public ReplaceFeatures {
      set = Collections.unmodifiableMap(new LinkedHashMap<>(set));
      if (set.isEmpty()) {
        throw new IllegalArgumentException("at least one column must be set");
      }
      set.forEach(
          (column, expression) -> {
            if (column.isEmpty()) {
              throw new IllegalArgumentException("a column name must not be empty");
            }
            requireText("an expression of set", expression);
          });
      if (where != null) {
        requireText("where", where);
      }
    }

    @Override
    public String key() {
      return "replaceFeatures";
    }
  }

  /**
   * A text in place of another, everywhere in a raw column of strings, in the rows that have it.
   *
   * @param column name (unquoted)
   * @param find what is replaced, not empty; exactly, case and line ends included
   * @param with what takes its place, perhaps nothing
   */
  record ReplaceText(String column, String find, String with) implements Change {
    public ReplaceText {
      if (column.isEmpty()) {
        throw new IllegalArgumentException("a column name must not be empty");
      }
      if (find.isEmpty()) {
        throw new IllegalArgumentException("find must not be empty");
      }
      if (find.equals(with)) {
        throw new IllegalArgumentException("find and with are the same");
      }
    }

    @Override
    public String key() {
      return "replaceText";
    }
  }

  /**
   * A new label, as it stands in the table.
   *
   * @param to the expression of the new label
   * @param where the rows
   */
  record Relabel(String to, String where) implements Change {
    public Relabel {
      requireText("to", to);
      requireText("where", where);
    }

    @Override
    public String key() {
      return "relabel";
    }
  }

  /**
   * Rows to be forgotten altogether.
   *
   * @param where the rows
   */
  record RemoveRows(String where) implements Change {
    public RemoveRows {
      requireText("where", where);
    }

    @Override
    public String key() {
      return "removeRows";
    }
  }

  private static void requireText(String name, String expression) {
    if (expression.isBlank()) {
      throw new IllegalArgumentException(name + " must not be blank");
    }
  }
}

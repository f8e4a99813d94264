package dev.lethe.spark.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.function.IntFunction;
import java.util.function.IntToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * The parameters of a release by name, before and after: removed ones first, then those that
 * changed most (or, where nothing is known of before, the largest), then the intercepts. Of many,
 * the first ones, and what is left is said.
 */
final class CoefficientTable {
  /** Rows of a group that are shown. */
  static final int SHOWN = 40;

  private static final int WIDTH = 240;
  private static final int HEIGHT = 22;

  /** Before, after, or both. */
  private record Row(
      String name, @Nullable Double before, @Nullable Double after, boolean removed) {
    /** A column that is constant on the corrected data has no coefficient. */
    boolean isConstant() {
      return !removed && after != null && after == 0;
    }

    double change() {
      return (after == null ? 0 : after) - (before == null ? 0 : before);
    }
  }

  /** Rows of one kind; {@code left} others are at most {@code most}. */
  private record Group(List<Row> rows, int left, double most) {}

  private final @Nullable NamedParameters before;
  private final NamedParameters after;
  private final BitSet removedSlots;
  // for each parameter after the change its index before, or -1
  private final int[] sources;
  private final BitSet gone;
  private double low;
  private double high;

  CoefficientTable(
      @Nullable NamedParameters before, NamedParameters after, List<Integer> removedSlots) {
    this.before = before;
    this.after = after;
    this.removedSlots = new BitSet();
    removedSlots.forEach(this.removedSlots::set);
    this.sources = new int[after.size()];
    this.gone = new BitSet();
    match();
  }

  private void match() {
    if (before == null) {
      Arrays.fill(sources, -1);
      return;
    }
    if (before.matches(after)) {
      Arrays.setAll(sources, j -> j);
      return;
    }
    Map<String, Integer> byName = new HashMap<>();
    for (int j = 0; j < before.size(); j++) {
      byName.putIfAbsent(before.name(j), j);
    }
    gone.set(0, before.size());
    for (int j = 0; j < sources.length; j++) {
      Integer source = byName.get(after.name(j));
      sources[j] = source == null ? -1 : source;
      if (source != null) {
        gone.clear(source);
      }
    }
  }

  private boolean isRemoved(int parameter) {
    int slot = after.slot(parameter);
    return slot >= 0 && removedSlots.get(slot);
  }

  private @Nullable Double valueBefore(int parameter) {
    return before == null || sources[parameter] < 0 ? null : before.value(sources[parameter]);
  }

  private double change(int parameter) {
    Double was = valueBefore(parameter);
    return Math.abs(after.value(parameter) - (was == null ? 0 : was));
  }

  private Row row(int parameter) {
    return new Row(
        after.name(parameter),
        valueBefore(parameter),
        after.value(parameter),
        isRemoved(parameter));
  }

  private Group removed() {
    BitSet removed = new BitSet();
    for (int j = 0; j < after.size(); j++) {
      removed.set(j, isRemoved(j));
    }
    Group stayed = largest(removed, this::change, this::row);
    NamedParameters old = before;
    if (old == null || gone.isEmpty()) {
      return stayed;
    }
    Group left =
        largest(
            gone, j -> Math.abs(old.value(j)), j -> new Row(old.name(j), old.value(j), null, true));
    List<Row> rows = new ArrayList<>(stayed.rows());
    rows.addAll(left.rows());
    return new Group(rows, stayed.left() + left.left(), Math.max(stayed.most(), left.most()));
  }

  private Group features() {
    BitSet features = new BitSet();
    for (int j = 0; j < after.size(); j++) {
      features.set(j, after.slot(j) >= 0 && !isRemoved(j));
    }
    return largest(features, this::change, this::row);
  }

  private Group others() {
    BitSet others = new BitSet();
    for (int j = 0; j < after.size(); j++) {
      others.set(j, after.slot(j) < 0);
    }
    return largest(others, j -> -j, this::row);
  }

  /** The rows of the largest sizes, in that order; of equal ones the first. */
  private static Group largest(BitSet parameters, IntToDoubleFunction size, IntFunction<Row> row) {
    Comparator<Integer> order =
        Comparator.<Integer>comparingDouble(size::applyAsDouble)
            .thenComparing(Comparator.<Integer>reverseOrder());
    PriorityQueue<Integer> kept = new PriorityQueue<>(order);
    double most = 0;
    for (int j = parameters.nextSetBit(0); j >= 0; j = parameters.nextSetBit(j + 1)) {
      kept.add(j);
      if (kept.size() > SHOWN) {
        most = Math.max(most, size.applyAsDouble(kept.remove()));
      }
    }
    List<Row> rows = kept.stream().sorted(order.reversed()).map(row::apply).toList();
    return new Group(rows, parameters.cardinality() - rows.size(), most);
  }

  void write(Html html) {
    Group removed = removed();
    Group features = features();
    Group others = others();
    scale(removed.rows());
    scale(features.rows());
    html.open("table", "class", "coefficients", "id", "coefficient-table").open("thead").open("tr");
    html.element("th", "feature", "scope", "col");
    if (before != null) {
      html.element("th", "before", "scope", "col", "class", "number");
      html.element("th", "after", "scope", "col", "class", "number");
      html.element("th", "change", "scope", "col", "class", "number optional");
    } else {
      html.element("th", "published", "scope", "col", "class", "number");
    }
    html.open("th", "scope", "col", "class", "picture");
    legend(html);
    html.close().close().closeLine();
    group(html, removed, "removed");
    group(html, features, "feature");
    group(html, others, "other");
    html.closeLine();
  }

  private void group(Html html, Group group, String kind) {
    if (group.rows().isEmpty()) {
      return;
    }
    html.open("tbody", "class", kind);
    for (Row row : group.rows()) {
      html.open("tr");
      html.open("th", "scope", "row").name(row.name());
      if (row.removed()) {
        html.text(" ").element("span", "removed", "class", "tag");
      } else if (row.isConstant() && kind.equals("feature")) {
        html.text(" ").element("span", "constant", "class", "tag plain");
      }
      html.close();
      if (before != null) {
        number(html, row.before(), "number");
        number(html, row.after(), "number");
        html.open("td", "class", "number optional").figure(row.change()).close();
      } else {
        number(html, row.after(), "number");
      }
      html.open("td", "class", "picture");
      if (!kind.equals("other")) {
        picture(html, row);
      }
      html.close().closeLine();
    }
    if (group.left() > 0) {
      html.open("tr", "class", "left").open("td", "colspan", before == null ? "3" : "5");
      html.text(Figure.count(group.left()) + " more, " + leftBy(kind));
      html.figure(group.most()).text(" each").close().closeLine();
    }
    html.closeLine();
  }

  private String leftBy(String kind) {
    return kind.equals("removed") || before == null
        ? "of a size of at most "
        : "which changed by at most ";
  }

  private static void number(Html html, @Nullable Double value, String kind) {
    html.open("td", "class", kind);
    if (value == null) {
      html.text("\u2014");
    } else {
      html.figure(value);
    }
    html.close();
  }

  private void scale(List<Row> rows) {
    for (Row row : rows) {
      for (Double value : new Double[] {row.before(), row.after()}) {
        if (value != null) {
          low = Math.min(low, root(value));
          high = Math.max(high, root(value));
        }
      }
    }
  }

  private void legend(Html html) {
    html.open("span", "class", "legend");
    if (before != null) {
      html.open("span").open("i", "class", "key old").close().text("before").close();
    }
    html.open("span").open("i", "class", "key new").close();
    html.text(before == null ? "published" : "after").close();
    html.open("span").open("i", "class", "key gone").close().text("removed").close().close();
  }

  /** A point before, a point after, and a line between them. */
  private void picture(Html html, Row row) {
    double middle = HEIGHT / 2.0;
    html.open(
        "svg",
        "class",
        "dumbbell",
        "viewBox",
        "0 0 " + WIDTH + " " + HEIGHT,
        "aria-hidden",
        "true");
    html.shape(
        "line",
        "class",
        "zero",
        "x1",
        at(x(0)),
        "x2",
        at(x(0)),
        "y1",
        "0",
        "y2",
        String.valueOf(HEIGHT));
    double from = x(row.before() == null ? 0 : row.before());
    double to = x(row.after() == null ? 0 : row.after());
    html.shape(
        "line",
        "class",
        row.removed() ? "way gone" : "way",
        "x1",
        at(from),
        "x2",
        at(to),
        "y1",
        at(middle),
        "y2",
        at(middle));
    if (row.before() != null) {
      html.shape("circle", "class", "old", "cx", at(from), "cy", at(middle), "r", "4");
    }
    if (row.removed()) {
      html.shape(
          "path", "class", "gone", "d", "M" + at(to - 4) + " " + at(middle - 4) + "l8 8m0 -8l-8 8");
    } else {
      html.shape("circle", "class", "new", "cx", at(to), "cy", at(middle), "r", "4");
    }
    html.close();
  }

  private double x(double value) {
    double range = high - low;
    return range == 0 ? WIDTH / 2.0 : 8 + (root(value) - low) / range * (WIDTH - 16);
  }

  /** Coefficients of unlike units stand side by side: on a linear scale most would be 0. */
  private static double root(double value) {
    return Math.signum(value) * Math.sqrt(Math.abs(value));
  }

  private static String at(double coordinate) {
    return Figure.at(coordinate);
  }
}

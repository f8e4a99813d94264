package dev.lethe.spark.report;

import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.Request;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** The changes that a request asks for, by kind and column; conditions name people and stay out. */
final class RequestedChanges {
  /** Names that are shown of one list. */
  static final int SHOWN = 40;

  private RequestedChanges() {}

  static void write(Html html, Request request) {
    Map<String, Integer> counts = new LinkedHashMap<>();
    Map<String, Set<String>> columns = new LinkedHashMap<>();
    for (Change change : request.changes()) {
      String kind = kind(change);
      counts.merge(kind, 1, Integer::sum);
      columns.computeIfAbsent(kind, key -> new TreeSet<>()).addAll(columns(change));
    }
    html.open("ul", "class", "changes");
    counts.forEach(
        (kind, count) -> {
          html.open("li").text(kind + (count > 1 ? ", " + Figure.count(count) + " times" : ""));
          names(html, columns.getOrDefault(kind, Set.of()));
          html.close();
        });
    html.close();
    Set<String> merged = new HashSet<>();
    request.origins().forEach(origin -> merged.add(origin.request()));
    if (merged.size() > 1) {
      html.text("merged of " + Figure.count(merged.size()) + " requests");
    }
  }

  private static String kind(Change change) {
    if (change instanceof Change.RemoveFeatures) {
      return "features removed";
    } else if (change instanceof Change.ReplaceFeatures replace) {
      return replace.where() == null
          ? "values replaced in every row"
          : "values replaced where a condition holds";
    } else if (change instanceof Change.ReplaceText) {
      return "a text replaced";
    } else if (change instanceof Change.Relabel) {
      return "labels replaced where a condition holds";
    }
    return "rows removed where a condition holds";
  }

  private static Collection<String> columns(Change change) {
    if (change instanceof Change.RemoveFeatures remove) {
      return remove.features().stream().map(Object::toString).toList();
    } else if (change instanceof Change.ReplaceFeatures replace) {
      return replace.set().keySet();
    } else if (change instanceof Change.ReplaceText text) {
      return Set.of(text.column());
    }
    return Set.of();
  }

  private static void names(Html html, Set<String> names) {
    if (names.isEmpty()) {
      return;
    }
    html.text(": ");
    names.stream()
        .limit(SHOWN)
        .forEach(name -> html.open("span", "class", "chip").name(name).close().text(" "));
    if (names.size() > SHOWN) {
      html.text("and " + Figure.count(names.size() - SHOWN) + " more");
    }
  }
}

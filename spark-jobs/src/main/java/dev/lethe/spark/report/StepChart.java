package dev.lethe.spark.report;

import dev.lethe.spark.certificate.Evidence;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A figure of each step on a log axis, as SVG. */
final class StepChart {
  private static final int WIDTH = 720;
  private static final int LEFT = 72;
  private static final int RIGHT = 152;
  private static final int TOP = 22;
  private static final int BOTTOM = 48;

  /** A level to compare with. */
  private record Level(String label, double value) {}

  private final String id;
  private final String title;
  private final int height;
  private final List<Evidence.Step> steps;
  private final List<@Nullable Double> values = new ArrayList<>();
  private final List<Level> levels = new ArrayList<>();
  private @Nullable Double expected;
  private int low;
  private int high;

  private StepChart(String id, String title, int height, List<Evidence.Step> steps) {
    this.id = id;
    this.title = title;
    this.height = height;
    this.steps = steps;
  }

  /** The residual of each step, and what was known of step 1 before it was measured. */
  static StepChart ofResiduals(Evidence evidence) {
    StepChart chart =
        new StepChart(
            "residuals", "Gradient norm on the corrected data, by step", 300, evidence.steps());
    evidence.steps().forEach(step -> chart.values.add(step.residualNorm()));
    chart.levels.add(new Level("rounding at most", evidence.measurement().roundingBound()));
    chart.expected = evidence.aprioriBounds().residualNorm();
    return chart;
  }

  /** The proven distance of each step that has one, and rho. */
  static StepChart ofDistances(Evidence evidence) {
    StepChart chart =
        new StepChart(
            "distances", "Proven distance to the exact minimiser, by step", 240, evidence.steps());
    evidence.steps().forEach(step -> chart.values.add(step.distanceBound()));
    Double rho = evidence.measurement().rho();
    if (rho != null) {
      chart.levels.add(new Level("rho", rho));
    }
    return chart;
  }

  /** Whether there is anything to draw. */
  boolean isEmpty() {
    return values.stream().allMatch(value -> value == null);
  }

  void write(Html html) {
    bounds();
    html.open(
        "svg",
        "class",
        "chart",
        "id",
        id,
        "viewBox",
        "0 0 " + WIDTH + " " + height,
        "role",
        "img",
        "aria-labelledby",
        id + "-title " + id + "-desc");
    html.element("title", title, "id", id + "-title");
    html.element("desc", description(), "id", id + "-desc");
    axes(html);
    for (Level level : levels) {
      if (level.value() > 0) {
        level(html, level);
      }
    }
    curve(html);
    expectation(html);
    points(html);
    html.closeLine();
  }

  private String description() {
    return "Logarithmic axis from 10 to the "
        + low
        + " to 10 to the "
        + high
        + "; "
        + "the figures are in the table below.";
  }

  private void bounds() {
    double least = Double.POSITIVE_INFINITY;
    double most = 0;
    List<@Nullable Double> all = new ArrayList<>(values);
    levels.forEach(level -> all.add(level.value()));
    all.add(expected);
    for (Double value : all) {
      if (value != null && value > 0) {
        least = Math.min(least, value);
        most = Math.max(most, value);
      }
    }
    double margin = most == 0 ? 0 : 0.05 + 0.06 * Math.log10(most / least);
    low = most == 0 ? -1 : (int) Math.floor(Math.log10(least) - margin);
    high = most == 0 ? 0 : (int) Math.ceil(Math.log10(most) + margin);
    high = Math.max(high, low + 1);
  }

  private void axes(Html html) {
    int stride = Math.max(1, (high - low + 6) / 7);
    for (int decade = low; decade <= high; decade += stride) {
      double y = y(Math.pow(10, decade));
      html.shape(
          "line",
          "class",
          "grid",
          "x1",
          at(LEFT),
          "x2",
          at(WIDTH - RIGHT),
          "y1",
          at(y),
          "y2",
          at(y));
      html.open("text", "class", "tick end", "x", at(LEFT - 8), "y", at(y + 4));
      power(html, decade);
      html.close();
    }
    int last = steps.size() - 1;
    int every = Math.max(1, (last + 11) / 12);
    for (int i = 0; i <= last; i += every) {
      html.element(
          "text",
          String.valueOf(steps.get(i).step()),
          "class",
          "tick middle",
          "x",
          at(x(i)),
          "y",
          at(height - BOTTOM + 20));
    }
    html.element(
        "text",
        "step",
        "class",
        "tick middle",
        "x",
        at((LEFT + WIDTH - RIGHT) / 2.0),
        "y",
        at(height - 5));
  }

  private void level(Html html, Level level) {
    double y = y(level.value());
    html.shape(
        "line",
        "class",
        "level",
        "x1",
        at(LEFT),
        "x2",
        at(WIDTH - RIGHT),
        "y1",
        at(y),
        "y2",
        at(y));
    // on the left, where the curve has not come down yet
    html.open("text", "class", "label", "x", at(LEFT + 4), "y", at(y - 7));
    html.text(level.label() + " ");
    figure(html, level.value());
    html.close();
  }

  /** From value to value, dashed over steps that have none. */
  private void curve(Html html) {
    StringBuilder solid = new StringBuilder();
    StringBuilder dashed = new StringBuilder();
    int previous = -1;
    for (int i = 0; i < values.size(); i++) {
      Double value = values.get(i);
      if (value == null) {
        continue;
      }
      Double before = previous < 0 ? null : values.get(previous);
      if (before != null) {
        (previous == i - 1 ? solid : dashed)
            .append('M')
            .append(at(x(previous)))
            .append(' ')
            .append(at(y(before)))
            .append('L')
            .append(at(x(i)))
            .append(' ')
            .append(at(y(value)));
      }
      previous = i;
    }
    html.shape("path", "class", "curve", "d", solid.toString());
    if (dashed.length() > 0) {
      html.shape("path", "class", "curve unmeasured", "d", dashed.toString());
    }
  }

  /** The bound of step 1, beside its point. */
  private void expectation(Html html) {
    Double bound = expected;
    if (bound == null || steps.size() < 2) {
      return;
    }
    double x = x(1);
    double y = y(bound);
    html.open(
        "path",
        "class",
        "expected",
        "d",
        "M" + at(x) + " " + at(y - 6) + "L" + at(x + 6) + " " + at(y) + "L" + at(x) + " "
            + at(y + 6) + "L" + at(x - 6) + " " + at(y) + "Z");
    html.element("title", "known before step 1 was measured: at most " + Figure.of(bound));
    html.close();
    html.element("text", "a-priori bound", "class", "label", "x", at(x + 11), "y", at(y + 4));
  }

  private void points(Html html) {
    for (int i = 0; i < values.size(); i++) {
      Double value = values.get(i);
      if (value == null) {
        continue;
      }
      html.open(
          "circle",
          "class",
          value == 0 ? "point zero" : "point",
          "cx",
          at(x(i)),
          "cy",
          at(y(value)),
          "r",
          "4.5",
          "data-step",
          String.valueOf(steps.get(i).step()),
          "data-value",
          String.valueOf(value));
      html.element("title", "step " + steps.get(i).step() + ": " + Figure.of(value));
      html.close();
      if (i == values.size() - 1) {
        html.open("text", "class", "label last", "x", at(x(i) + 10), "y", at(y(value) + 4));
        figure(html, value);
        html.close();
      }
    }
  }

  private static void figure(Html html, double value) {
    String text = Figure.of(value);
    int exponent = text.indexOf('^');
    if (exponent < 0) {
      html.text(text);
    } else {
      html.text(text.substring(0, exponent));
      html.element("tspan", text.substring(exponent + 1), "class", "power", "dy", "-5");
    }
  }

  private static void power(Html html, int exponent) {
    if (exponent == 0) {
      html.text("1");
    } else {
      html.text("10");
      html.element(
          "tspan",
          exponent < 0 ? "\u2212" + -exponent : String.valueOf(exponent),
          "class",
          "power",
          "dy",
          "-5");
    }
  }

  private double x(int i) {
    double width = WIDTH - RIGHT - LEFT - 24;
    return LEFT + 12 + (steps.size() < 2 ? width / 2 : width * i / (steps.size() - 1));
  }

  /** Zero stands on the floor. */
  private double y(double value) {
    double share = value > 0 ? (Math.log10(value) - low) / (high - low) : 0;
    return height - BOTTOM - Math.max(0, Math.min(1, share)) * (height - BOTTOM - TOP);
  }

  private static String at(double coordinate) {
    return Figure.at(coordinate);
  }
}

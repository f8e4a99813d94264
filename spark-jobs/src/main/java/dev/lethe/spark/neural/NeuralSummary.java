package dev.lethe.spark.neural;

import dev.lethe.core.neural.Exposure;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What a job about networks says on standard output when it ends. */
public record NeuralSummary(List<String> lines) {
  private static final String WITHHELD =
      "withheld, standard output is no terminal: they depend on the data; --figures prints them";

  public static NeuralSummary of(NeuralTrainJob.Result result, String out, boolean figures) {
    List<String> lines = new ArrayList<>();
    lines.add(field("network", "%,d parameters, %,d steps", result.parameters(), result.steps()));
    if (result.resumedAt() > 0) {
      lines.add(field("resumed", "at step %,d", result.resumedAt()));
    }
    if (figures) {
      lines.add(field("training", "%s", words(result.training())));
      if (result.test() != null) {
        lines.add(field("test", "%s", words(result.test())));
      }
      lines.add(field("time", "%.1f s", result.seconds()));
    } else {
      lines.add(field("figures", "%s", WITHHELD));
    }
    lines.add(
        result.finished()
            ? field("network", "%s", out)
            : field("verdict", "%s", "not saved: parameters or losses are no longer finite"));
    return new NeuralSummary(lines);
  }

  public static NeuralSummary of(NeuralReport report, String out, boolean figures) {
    List<String> lines = new ArrayList<>();
    lines.add(field("request", "%s", report.requestId()));
    lines.add(field("method", "%s, %,d parameters", report.method(), report.parameters()));
    if (figures) {
      lines.add(
          field(
              "changed",
              "%,d rows: %,d examples as they were, %,d as they are",
              report.changed().rows(),
              report.changed().before(),
              report.changed().after()));
      compared(lines, "data", report.before().corrected(), report.after().corrected());
      compared(
          lines,
          "as it was",
          report.before().changedAsTheyWere(),
          report.after().changedAsTheyWere());
      compared(
          lines, "as it is", report.before().changedAsTheyAre(), report.after().changedAsTheyAre());
      compared(lines, "old targets", report.before().asTheyWere(), report.after().asTheyWere());
      compared(lines, "new targets", report.before().asTheyAre(), report.after().asTheyAre());
      counted(
          lines, "remembered", "old", report.before().remembered(), report.after().remembered());
      counted(lines, "avoided", "old", report.before().avoided(), report.after().avoided());
      counted(lines, "wrong", "new", report.before().wrong(), report.after().wrong());
      compared(lines, "test", report.before().test(), report.after().test());
      Canary.Memory was = report.before().canary();
      Canary.Memory is = report.after().canary();
      if (was != null && is != null) {
        lines.add(field("canary", "%s; after: %s", words(was), words(is)));
      }
      lines.add(field("update", "%d rounds, %.1f s", report.update().size(), report.seconds()));
    } else {
      lines.add(field("figures", "%s", WITHHELD));
    }
    if (report.outcome() != null) {
      lines.add(field("outcome", "%s", report.outcome()));
    }
    lines.add(field("verdict", "%s: nothing is certified", report.verdict()));
    lines.add(
        report.published()
            ? field("published", "%s", out)
            : field("published", "%s", "nothing: the update diverged"));
    return new NeuralSummary(lines);
  }

  public static NeuralSummary of(NeuralEvaluateJob.Result result) {
    List<String> lines = new ArrayList<>();
    if (result.measures() != null) {
      lines.add(field("data", "%s", words(result.measures())));
    }
    if (result.confusion() != null) {
      lines.add(field("confusion", "%s", "a row a class, a column a predicted class"));
      for (long[] row : result.confusion()) {
        lines.add(field("", "%s", Arrays.toString(row)));
      }
    }
    if (result.measures() != null && result.unconfused() > 0) {
      lines.add(
          field(
              "confusion",
              "left out: %,d classes, at most %,d are shown",
              result.unconfused(),
              NeuralEvaluateJob.MOST_CONFUSED));
    }
    if (result.memory() != null) {
      lines.add(field("canary", "%s", words(result.memory())));
    }
    return new NeuralSummary(lines);
  }

  public void print(PrintWriter out) {
    lines.forEach(out::println);
    out.flush();
  }

  private static void compared(
      List<String> lines,
      String name,
      @Nullable NetworkMeasures before,
      @Nullable NetworkMeasures after) {
    if (before != null && after != null) {
      lines.add(field(name, "%s; after: %s", words(before), words(after)));
    }
  }

  private static void counted(
      List<String> lines, String name, String age, @Nullable Long before, @Nullable Long after) {
    if (before != null && after != null) {
      lines.add(field(name, "%,d %s targets; after: %,d", before, age, after));
    }
  }

  private static String words(NetworkMeasures measures) {
    return String.format(
            Locale.ROOT, "%,d examples, mean loss %.4f", measures.examples(), measures.meanLoss())
        + (measures.accuracy() == null
            ? ""
            : String.format(
                Locale.ROOT,
                ", perplexity %.3f, accuracy %.4f",
                measures.perplexity(),
                measures.accuracy()));
  }

  private static String words(Canary.Memory memory) {
    Exposure exposure = memory.exposure();
    return String.format(
        Locale.ROOT,
        "exposure %.2f bits of %.1f (%s), %.2f from the other end, %d characters completed",
        exposure.bits(),
        exposure.space(),
        exposure.exact() ? "exact" : "fitted",
        exposure.avoidance(),
        memory.completedCharacters());
  }

  private static String field(String name, String format, Object... values) {
    return String.format(Locale.ROOT, "%-12s ", name) + String.format(Locale.ROOT, format, values);
  }
}

package dev.lethe.spark.job;

import dev.lethe.core.certify.Composition;
import dev.lethe.core.certify.GammaRadiusNoise;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.Claim;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.PerturbationClaim;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a job says on standard output when it ends. With figures it is for the operator and to be
 * treated like the evidence; without, it says no more than the certificate does.
 */
public record Summary(List<String> lines) {
  private static final String WITHHELD =
      "withheld, standard output is no terminal: they depend on the data; --figures prints them";

  public static Summary of(UnlearnJob.Result result, String out, String vault, boolean figures) {
    Certificate certificate = result.certificate();
    List<String> lines = new ArrayList<>();
    lines.add(field("request", certificate.requestId()));
    if (figures) {
      steps(lines, result.evidence(), certificate.zeroCoefficients().size());
    } else {
      lines.add(field("method", certificate.method()));
      lines.add(
          field(
              "features",
              "%,d parameters, %d coefficients removed",
              certificate.parameters(),
              certificate.zeroCoefficients().size()));
    }
    Claim claim = certificate.claim();
    PerturbationClaim perturbation = certificate.perturbation();
    if (perturbation != null) {
      lines.add(
          field(
              "verdict",
              "conditional: epsilon %s, delta %s, residual %s, sigma %s",
              String.valueOf(perturbation.epsilon()),
              String.valueOf(perturbation.delta()),
              String.valueOf(perturbation.residual()),
              String.valueOf(perturbation.sigma())));
      lines.add(field("assumption", String.valueOf(certificate.assumption())));
    } else if (claim != null) {
      lines.add(
          field(
              "verdict",
              "certified: epsilon %s, delta %s, rho %s, %s %s",
              String.valueOf(claim.epsilon()),
              String.valueOf(claim.delta()),
              String.valueOf(claim.rho()),
              claim.widthName(),
              String.valueOf(claim.width())));
    } else {
      lines.add(
          field(
              "verdict",
              "not-certified: %s",
              certificate.reason() == null ? "" : certificate.reason().text()));
    }
    if (figures) {
      outcome(lines, result.evidence());
    } else {
      lines.add(field("figures", WITHHELD));
    }
    result.notes().forEach(note -> lines.add(field("note", note)));
    lines.add(field("model", out + "/model"));
    lines.add(field("certificate", out + "/certificate.json"));
    lines.add(field("evidence", vault + "/" + certificate.certificateId() + "/evidence.json"));
    return new Summary(lines);
  }

  private static void steps(List<String> lines, Evidence evidence, int removed) {
    Evidence.Objective objective = evidence.objective();
    lines.add(
        field(
            "corrected data",
            "%,d rows, %,d features, %d removed",
            objective.n(),
            objective.d(),
            removed));
    Evidence.RowChanges changes = evidence.rowChanges();
    if (changes != null) {
      lines.add(
          field(
              "rows",
              "%,d added, %,d removed, %,d changed",
              changes.added(),
              changes.removed(),
              changes.changed()));
    }
    lines.add(field("method", "%s, solver %s", evidence.method(), evidence.solver()));
    lines.add("");
    lines.add("  step  gradient norm  proven distance  products  passes  seconds");
    for (Evidence.Step step : evidence.steps()) {
      lines.add(
          format(
              "  %4d  %13.3e  %15s  %8d  %6d  %7.2f",
              step.step(),
              step.residualNorm(),
              step.distanceBound() == null ? "-" : format("%.3e", step.distanceBound()),
              step.hessianVectorProducts(),
              step.passes(),
              step.seconds()));
    }
    lines.add("");
    lines.add(
        field(
            "gradient norm",
            evidence.measurement().isBounded()
                ? "%.3e of the kept state's model, %.1e beside it at most; the data were not read"
                : "%.3e, its rounding bound %.1e",
            evidence.measurement().gradientNorm(),
            evidence.measurement().roundingBound()));
    lines.add(field("distance rule", evidence.measurement().distanceRule()));
    Evidence.AprioriBounds apriori = evidence.aprioriBounds();
    if (apriori != null && apriori.residualNorm() != null) {
      lines.add(field("a-priori bound", "%.3e after step 1", apriori.residualNorm()));
    }
  }

  private static void outcome(List<String> lines, Evidence evidence) {
    metrics(lines, "test before", evidence.metricsBefore());
    metrics(lines, "test after", evidence.metricsAfter());
    lines.add(
        field(
            "cost",
            "%d passes, %d Hessian-vector products, %.2f s",
            evidence.totals().passes(),
            evidence.totals().hessianVectorProducts(),
            evidence.totals().seconds()));
  }

  public static Summary of(TrainJob.Result result, String out, boolean figures) {
    List<String> lines = new ArrayList<>();
    if (figures) {
      figures(lines, result);
    } else {
      lines.add(field("features", "%,d, %d removed", result.features(), result.removedFeatures()));
      lines.add(field("figures", WITHHELD));
    }
    lines.add(
        result.converged()
            ? field("model", out)
            : field(
                "not converged",
                "the gradient norm was not reached, nothing was saved; raise --gradient-norm or"
                    + " --max-steps"));
    return new Summary(lines);
  }

  private static void figures(List<String> lines, TrainJob.Result result) {
    lines.add(
        field(
            "data",
            "%,d rows, %,d features, %d removed",
            result.rows(),
            result.features(),
            result.removedFeatures()));
    lines.add("");
    lines.add("  step  gradient norm  length  products  seconds");
    for (NewtonSolver.Step step : result.steps()) {
      lines.add(
          format(
              "  %4d  %13.3e  %6.4f  %8d  %7.2f",
              step.step(), step.gradientNorm(), step.length(), step.products(), step.seconds()));
    }
    lines.add("");
    lines.add(
        field(
            "gradient norm",
            "%.3e mean form, %.3e sum form, rounding bound %.1e (sum)",
            result.gradientNorm(),
            result.gradientNormSum(),
            result.roundingBound()));
    metrics(lines, "test", result.metrics());
    if (result.distance() != null) {
      lines.add(
          field("distance", "%.3e to the un-noised parameters of the evidence", result.distance()));
    }
    lines.add(field("cost", "%d passes, %.2f s", result.passes(), result.seconds()));
  }

  /** Of a ledger, whose figures are public. */
  public static Summary of(List<Check> checks) {
    List<String> lines = new ArrayList<>();
    checks.forEach(check -> lines.add(line(check, true)));
    lines.add("");
    lines.add(
        field(
            "verified",
            checks.stream().allMatch(Check::passed)
                ? "all " + checks.size() + " checks hold"
                : "NO: the ledger is not what it says"));
    return new Summary(lines);
  }

  private static String line(Check check, boolean details) {
    return format(
        "  %-4s  %-57s  %s",
        check.passed() ? "ok" : "FAIL", check.name(), details ? check.detail() : "");
  }

  /**
   * @param expressionSettings a hint where recomputed data differs: {@link
   *     LetheSession#expressionSettings}; null if nothing was recomputed
   */
  public static Summary of(
      VerifyJob.Result result, @Nullable String expressionSettings, boolean figures) {
    List<String> lines = new ArrayList<>();
    // without the vault there are public figures only
    boolean details = figures || expressionSettings == null;
    for (Check check : result.checks()) {
      lines.add(line(check, details));
    }
    lines.add("");
    if (!details) {
      lines.add(field("figures", WITHHELD));
    }
    lines.add(
        field(
            "verified",
            result.passed()
                ? "all "
                    + result.checks().size()
                    + " checks hold; the certificate says "
                    + result.verdict()
                : "NO: a claim does not hold"));
    result.notes().forEach(note -> lines.add(field("note", note)));
    if (!result.passed() && expressionSettings != null) {
      lines.add(
          field(
              "hint",
              expressionSettings
                  + "; the request's expressions depend on them, they must be those of the"
                  + " unlearning"));
    }
    return new Summary(lines);
  }

  /** Public figures only: what it reads is public. */
  public static Summary of(ComposeJob.Result result) {
    List<String> lines = new ArrayList<>();
    lines.add(
        "  request               mechanism                   epsilon      delta  rho / noise");
    for (Certificate certificate : result.certificates()) {
      Claim claim = Objects.requireNonNull(certificate.claim());
      lines.add(
          format(
              "  %-20s  %-25s  %8.4g  %9.3g  %.4g (%s)",
              certificate.requestId(),
              claim.noise() instanceof GammaRadiusNoise ? "gamma-radius" : "gaussian",
              claim.epsilon(),
              claim.delta(),
              claim.rho() / claim.width(),
              claim.widthName()));
    }
    lines.add("");
    Composition composition = result.composition();
    lines.add(field("releases", "%d", result.certificates().size()));
    if (composition.squaredMu() > 0) {
      lines.add(field("gaussian", "mu = sqrt(sum (rho / sigma)^2) = %.6g", composition.mu()));
    }
    if (composition.pureEpsilon() > 0) {
      lines.add(field("pure", "epsilon = sum rho / scale = %.6g", composition.pureEpsilon()));
    }
    lines.add(
        field(
            "together",
            "epsilon %s, delta %s",
            String.valueOf(result.epsilon()),
            String.valueOf(result.delta())));
    lines.add(
        field(
            "meaning",
            "who observes all of these releases cannot tell them, beyond that, from the releases of"
                + " models"));
    lines.add(field("", "retrained on the corrected data of each, published with the same noises"));
    lines.add(
        field(
            "premise",
            "the noises are independent of each other; the model before the first release, and every"));
    lines.add(field("", "release that is not listed, are not covered"));
    return new Summary(lines);
  }

  public static Summary of(ApplyJob.Result result, String out, boolean figures) {
    List<String> lines = new ArrayList<>();
    lines.add(
        figures
            ? field(
                "rows",
                "%,d read, %,d touched, %,d removed, %,d overwritten",
                result.rows(),
                result.touched(),
                result.removed(),
                result.overwritten())
            : field("figures", WITHHELD));
    lines.add(field("columns dropped", names(result.droppedColumns())));
    for (String feature : result.notApplied()) {
      lines.add(
          field(
              "not applied",
              "%s: the table has no such column; only a model can lose it",
              feature));
    }
    lines.add(field("corrected table", out));
    return new Summary(lines);
  }

  private static String names(List<String> names) {
    return names.isEmpty() ? "none" : String.join(", ", names);
  }

  public void print(PrintWriter out) {
    for (String line : lines) {
      out.println(line.stripTrailing());
    }
    out.flush();
  }

  private static void metrics(List<String> lines, String name, Evidence.@Nullable Metrics metrics) {
    if (metrics != null) {
      List<String> figures = new ArrayList<>();
      if (metrics.accuracy() != null) {
        figures.add(format("accuracy %.4f", metrics.accuracy()));
      }
      if (metrics.areaUnderROC() != null) {
        figures.add(format("area under ROC %.4f", metrics.areaUnderROC()));
      }
      if (metrics.rootMeanSquaredError() != null) {
        figures.add(format("root mean squared error %.6g", metrics.rootMeanSquaredError()));
      }
      figures.add(format("mean loss %.4f", metrics.meanLoss()));
      figures.add(format("%,d rows", metrics.n()));
      lines.add(field(name, String.join(", ", figures)));
    }
  }

  private static String field(String name, String value, Object... arguments) {
    return format("%-15s  ", name) + (arguments.length == 0 ? value : format(value, arguments));
  }

  private static String format(String pattern, Object... arguments) {
    return String.format(Locale.ROOT, pattern, arguments);
  }
}

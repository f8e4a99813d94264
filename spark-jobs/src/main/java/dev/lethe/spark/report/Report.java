package dev.lethe.spark.report;

import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Claim;
import dev.lethe.spark.certificate.DataDigest;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.PerturbationClaim;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The report of one run as one HTML file: no script, nothing from a network, the same bytes for the
 * same input.
 *
 * <p>It says what it is given: {@link #redacted} is given what is public. Neither says the
 * un-noised parameters, nor the conditions of a request.
 */
public final class Report {
  private static final String STYLE = style();

  private final Certificate certificate;
  private final @Nullable Evidence evidence;
  private final @Nullable Request request;
  private final @Nullable NamedParameters before;
  private final @Nullable NamedParameters after;

  private Report(
      Certificate certificate,
      @Nullable Evidence evidence,
      @Nullable Request request,
      @Nullable NamedParameters before,
      @Nullable NamedParameters after) {
    if (after != null && after.size() != certificate.parameters()) {
      throw new IllegalArgumentException(
          after.size() + " parameters of a release that has " + certificate.parameters());
    }
    this.certificate = certificate;
    this.evidence = evidence;
    this.request = request;
    this.before = before;
    this.after = after;
  }

  /**
   * The report with all figures: to be treated like the evidence.
   *
   * @param evidence of the certificate
   * @param request what was asked for; null where it is not there any more
   * @param before the parameters of the model before; null likewise
   * @param after the published parameters; null likewise
   * @throws IllegalArgumentException if the evidence or the parameters are of another release
   */
  public static Report confidential(
      Certificate certificate,
      Evidence evidence,
      @Nullable Request request,
      @Nullable NamedParameters before,
      @Nullable NamedParameters after) {
    if (!evidence.certificateId().equals(certificate.certificateId())) {
      throw new IllegalArgumentException("the evidence is of another certificate");
    }
    return new Report(certificate, evidence, request, before, after);
  }

  /**
   * The report that may be public with the release.
   *
   * @param published parameters, with names that the published model alone tells; null for none
   * @throws IllegalArgumentException if they are of another release
   */
  public static Report redacted(Certificate certificate, @Nullable NamedParameters published) {
    return new Report(certificate, null, null, null, published);
  }

  /** The file. */
  public byte[] html() {
    Html html = new Html();
    html.raw("<!DOCTYPE html>\n").open("html", "lang", "en").line();
    html.open("head").line();
    html.empty("meta", "charset", "utf-8").line();
    html.empty(
            "meta",
            "http-equiv",
            "Content-Security-Policy",
            "content",
            "default-src 'none'; style-src 'unsafe-inline'")
        .line();
    html.empty("meta", "name", "viewport", "content", "width=device-width, initial-scale=1").line();
    html.empty("meta", "name", "color-scheme", "content", "light dark").line();
    html.empty("meta", "name", "robots", "content", "noindex").line();
    html.element("title", "Unlearning report " + Html.cut(certificate.requestId())).line();
    html.open("style").raw(STYLE).closeLine();
    html.closeLine();
    html.open("body").open("main").line();
    head(html);
    verdict(html);
    changes(html);
    quality(html);
    coefficients(html);
    if (evidence != null) {
      proof(html, evidence);
    }
    certificate(html);
    verification(html);
    foot(html);
    html.closeLine().closeLine().closeLine();
    return html.toString().getBytes(StandardCharsets.UTF_8);
  }

  private boolean isConfidential() {
    return evidence != null;
  }

  private void head(Html html) {
    html.open("header");
    html.open("p", "class", isConfidential() ? "notice secret" : "notice open", "id", "notice");
    if (isConfidential()) {
      html.element("strong", "Confidential.");
      html.text(
          " Residuals, times, metrics, counts and old coefficients depend on what was deleted: keep"
              + " this file as you keep the vault.");
    } else {
      html.element("strong", "Redacted.");
      html.text(
          " Only what the public certificate and the published model say. The figures that depend on"
              + " what was deleted are in the confidential report.");
    }
    html.closeLine();
    html.element("p", "Unlearning report", "class", "kind");
    html.open("h1").name(certificate.requestId()).closeLine();
    html.open("p", "class", "meta").text("issued ");
    String issued = certificate.issuedAt().toString();
    html.element("time", issued.replace('T', ' ').replace("Z", " UTC"), "datetime", issued);
    html.text(" \u00b7 certificate ").element("code", certificate.certificateId()).closeLine();
    html.closeLine();
  }

  private void verdict(Html html) {
    Verdict verdict = certificate.verdict();
    html.open("section", "class", "verdict " + verdict.word(), "id", "verdict");
    html.open("h2").open("span", "class", "seal", "aria-hidden", "true");
    html.text(
        switch (verdict) {
          case CERTIFIED -> "\u2713";
          case CONDITIONAL -> "?";
          case NOT_CERTIFIED -> "\u2715";
        });
    html.close();
    html.text(
        switch (verdict) {
          case CERTIFIED -> "Certified";
          case CONDITIONAL -> "Conditional";
          case NOT_CERTIFIED -> "Not certified";
        });
    html.close();
    Claim claim = certificate.claim();
    PerturbationClaim perturbation = certificate.perturbation();
    if (claim != null) {
      html.open("p", "class", "lead");
      html.text(
          "Whoever sees this release alone cannot tell the published model, beyond epsilon and delta,"
              + " from one that was retrained from scratch on the corrected data.");
      html.closeLine();
      html.open("dl", "class", "figures");
      card(
          html,
          "epsilon",
          claim.epsilon(),
          "the odds of any conclusion change by a factor of at most "
              + Figure.of(Math.exp(claim.epsilon())));
      card(html, "delta", claim.delta(), "the probability with which that may fail");
      card(
          html,
          "rho",
          claim.rho(),
          "how near the exact result the parameters are proven to be, before the noise");
      card(
          html,
          claim.widthName(),
          claim.width(),
          certificate.sigma() != null
              ? "standard deviation of the noise on every parameter that is kept"
              : "scale of the noise's length");
      html.closeLine();
    } else if (perturbation != null) {
      html.element("p", String.valueOf(certificate.assumption()), "class", "lead").line();
      html.open("dl", "class", "figures");
      card(html, "epsilon", perturbation.epsilon(), "of the claim, if the assumption holds");
      card(html, "delta", perturbation.delta(), "of the claim, if the assumption holds");
      card(html, "residual", perturbation.residual(), "proven bound of the gradient's norm");
      card(html, "sigma", perturbation.sigma(), "standard deviation of the loss perturbation");
      html.closeLine();
    } else {
      html.open("p", "class", "lead").text("Nothing is claimed: ");
      html.text(certificate.reason() == null ? "" : certificate.reason().text());
      html.text(". The model is published as it was computed, without noise.").closeLine();
    }
    if (evidence != null) {
      reached(html, evidence);
    }
    html.closeLine();
  }

  private static void card(Html html, String name, double value, String meaning) {
    html.open("div").element("dt", name).open("dd").setting(value);
    html.element("small", meaning).close().close();
  }

  /** The distance against rho. */
  private static void reached(Html html, Evidence evidence) {
    Double distance = evidence.measurement().distanceBound();
    Double rho = evidence.measurement().rho();
    html.open("p", "id", "distance");
    if (distance == null) {
      html.text("No distance to the exact minimiser was proven: ");
      html.text(evidence.measurement().distanceRule() + ".");
    } else {
      html.text("Proven distance to the exact minimiser on the corrected data: ");
      html.open("strong").figure(distance).close();
      if (rho != null) {
        html.text(
            distance <= rho
                ? ", " + Figure.percent(distance / rho) + " of rho."
                : ", above rho = ");
        if (distance > rho) {
          html.figure(rho).text(".");
        }
      } else {
        html.text(".");
      }
    }
    html.closeLine();
  }

  private void changes(Html html) {
    section(html, "changes", "What changed");
    html.open("dl", "class", "facts");
    if (request != null) {
      fact(html, "asked for");
      RequestedChanges.write(html, request);
      html.closeLine();
    }
    removedFeatures(html);
    if (evidence != null) {
      rows(html, evidence);
    }
    html.closeLine();
    html.closeLine();
  }

  private void removedFeatures(Html html) {
    List<Integer> zeros = certificate.zeroCoefficients();
    Set<Integer> earlier = new HashSet<>();
    if (evidence != null) {
      for (int slot : evidence.removedEarlier()) {
        earlier.add(slot);
      }
    }
    List<Integer> now = zeros.stream().filter(slot -> !earlier.contains(slot)).toList();
    fact(html, "removed from the model");
    if (now.isEmpty()) {
      html.text("no feature");
    } else {
      slots(html, now);
    }
    html.closeLine();
    if (!earlier.isEmpty()) {
      fact(html, "removed by an earlier release");
      slots(html, zeros.stream().filter(earlier::contains).toList());
      html.closeLine();
    }
  }

  /** How many, and which. */
  private void slots(Html html, List<Integer> slots) {
    html.text(Figure.count(slots.size()) + (slots.size() == 1 ? " slot" : " slots"));
    html.text(" of the feature vector: ");
    html.open("span", "class", "names");
    int shown = Math.min(slots.size(), RequestedChanges.SHOWN);
    for (int i = 0; i < shown; i++) {
      int slot = slots.get(i);
      html.open("span", "class", "chip");
      html.name(after == null ? "slot " + slot : after.slotName(slot));
      html.close().text(" ");
    }
    if (shown < slots.size()) {
      html.text("and " + Figure.count(slots.size() - shown) + " more");
    }
    html.close();
  }

  private static void rows(Html html, Evidence evidence) {
    Evidence.Objective objective = evidence.objective();
    Evidence.RowChanges changed = evidence.rowChanges();
    DataDigest data = evidence.digests().data();
    fact(html, "rows");
    html.text(Figure.count(objective.n()) + " in the corrected data");
    if (data != null && data.rows() != objective.n()) {
      html.text(", " + Figure.count(data.rows()) + " before");
    }
    if (changed != null) {
      html.text("; by the key ");
      html.text(Figure.count(changed.added()) + " added, ");
      html.text(Figure.count(changed.removed()) + " removed, ");
      html.text(Figure.count(changed.changed()) + " changed");
    }
    html.closeLine();
    fact(html, "model");
    html.text(objective.loss() + " loss, " + Figure.count(objective.d()) + " features, ");
    html.text(Figure.count(objective.p()) + " parameters, regParam ");
    html.setting(objective.regParam());
    html.text(objective.standardization() ? " on standardised coefficients" : "").closeLine();
  }

  private void quality(Html html) {
    Evidence.Metrics was = evidence == null ? null : evidence.metricsBefore();
    Evidence.Metrics is = evidence == null ? null : evidence.metricsAfter();
    if (was == null || is == null) {
      return;
    }
    section(html, "quality", "Quality, on test data");
    html.open("table", "class", "metrics").open("thead").open("tr");
    html.element("th", "metric", "scope", "col");
    html.element("th", "model before", "scope", "col", "class", "number");
    html.element("th", "published", "scope", "col", "class", "number");
    html.element("th", "change", "scope", "col", "class", "number");
    html.close().close().open("tbody");
    metric(html, "accuracy", was.accuracy(), is.accuracy());
    metric(html, "area under ROC", was.areaUnderROC(), is.areaUnderROC());
    metric(html, "root mean squared error", was.rootMeanSquaredError(), is.rootMeanSquaredError());
    metric(html, "mean loss", was.meanLoss(), is.meanLoss());
    html.close().closeLine();
    html.open("p", "class", "note");
    html.text(
        "On "
            + Figure.count(is.n())
            + " rows. What is lost is usually what the removed data was worth; a model retrained"
            + " without it loses the same.");
    html.closeLine();
    html.closeLine();
  }

  private static void metric(Html html, String name, @Nullable Double was, @Nullable Double is) {
    if (was == null && is == null) {
      return;
    }
    html.open("tr").element("th", name, "scope", "row");
    double largest = Math.max(was == null ? 0 : Math.abs(was), is == null ? 0 : Math.abs(is));
    for (Double value : new Double[] {was, is}) {
      html.open("td", "class", "number");
      if (value == null) {
        html.text("\u2014");
      } else {
        html.figure(value, Figure.metric(value, largest));
      }
      html.close();
    }
    double change = was == null || is == null ? 0 : is - was;
    html.element(
        "td",
        was == null || is == null ? "" : (change > 0 ? "+" : "") + Figure.metric(change, largest),
        "class",
        "number");
    html.closeLine();
  }

  private void coefficients(Html html) {
    if (after == null) {
      return;
    }
    section(html, "coefficients", "Coefficients");
    html.open("p", "class", "note");
    html.text(
        before == null
            ? "As published. Removed features come first; their coefficient is exactly 0, as is that of"
                + " a column that is constant in the corrected data. Then the largest. Drawn on a"
                + " square-root scale, so that small ones are seen."
            : "Of the model before and as published. Removed features come first; their coefficient is"
                + " exactly 0, as is that of a column that is constant in the corrected data. Then those"
                + " that changed most. Drawn on a square-root scale, so that small ones are seen.");
    html.closeLine();
    new CoefficientTable(before, after, certificate.zeroCoefficients()).write(html);
    html.closeLine();
  }

  private static void proof(Html html, Evidence evidence) {
    Evidence.Measurement measured = evidence.measurement();
    section(html, "proof", "How it was reached, and what was measured");
    html.open("p", "class", "note");
    html.text(
        "Each step solves a linear system on the corrected data ("
            + "method "
            + evidence.method()
            + ", solver "
            + evidence.solver()
            + "). The gradient's norm is 0 at the exact minimiser; where it falls faster from step to"
            + " step, the steps converge. ");
    html.text(
        measured.isBounded()
            ? "The data was not read: a kept state stood for it, and what that leaves out is bounded."
            : "What remains is bounded with all rounding of the last pass.");
    html.closeLine();
    StepChart residuals = StepChart.ofResiduals(evidence);
    if (!residuals.isEmpty()) {
      html.open("figure");
      html.element("figcaption", "Gradient norm on the corrected data");
      residuals.write(html);
      html.closeLine();
    }
    StepChart distances = StepChart.ofDistances(evidence);
    if (!distances.isEmpty()) {
      html.open("figure");
      html.element("figcaption", "Proven distance to the exact minimiser");
      distances.write(html);
      html.closeLine();
    }
    steps(html, evidence);
    apriori(html, evidence);
    html.open("dl", "class", "facts");
    fact(html, "gradient norm at the end");
    html.figure(measured.gradientNorm())
        .text(measured.isBounded() ? ", beside it at most " : ", rounding at most ");
    html.figure(measured.roundingBound()).closeLine();
    fact(html, "distance rule");
    html.text(measured.distanceRule()).closeLine();
    fact(html, "cost");
    html.text(Figure.count(evidence.totals().passes()) + " passes over the corrected data, ");
    html.text(Figure.count(evidence.totals().hessianVectorProducts()));
    html.text(" Hessian-vector products, ").text(seconds(evidence.totals().seconds()));
    html.text(" s in all").closeLine();
    html.closeLine();
    html.closeLine();
  }

  private static String seconds(double seconds) {
    return String.format(Locale.ROOT, "%.2f", seconds);
  }

  private static void steps(Html html, Evidence evidence) {
    html.open("table", "class", "steps").open("thead").open("tr");
    for (String column : List.of("step", "gradient norm", "proven distance")) {
      html.element("th", column, "scope", "col", "class", "number");
    }
    for (String column : List.of("products", "passes", "seconds")) {
      html.element("th", column, "scope", "col", "class", "number optional");
    }
    html.close().close().open("tbody").line();
    for (Evidence.Step step : evidence.steps()) {
      html.open("tr");
      html.element("th", String.valueOf(step.step()), "scope", "row", "class", "number");
      html.open("td", "class", "number").figure(step.residualNorm()).close();
      html.open("td", "class", "number");
      if (step.distanceBound() == null) {
        html.text("\u2014");
      } else {
        html.figure(step.distanceBound());
      }
      html.close();
      html.element("td", Figure.count(step.hessianVectorProducts()), "class", "number optional");
      html.element("td", Figure.count(step.passes()), "class", "number optional");
      html.element("td", seconds(step.seconds()), "class", "number optional");
      html.closeLine();
    }
    html.close().closeLine();
  }

  /** The bound of the first step against its measurement. */
  private static void apriori(Html html, Evidence evidence) {
    Evidence.AprioriBounds bounds = evidence.aprioriBounds();
    Evidence.Step first =
        evidence.steps().stream().filter(step -> step.step() == 1).findFirst().orElse(null);
    html.element("h3", "A-priori bound against measurement");
    html.open("p", "id", "apriori");
    if (bounds.residualNorm() == null) {
      html.text("No bound of the first step was known before its pass: " + bounds.rule() + ".");
    } else {
      html.text("Before step 1 was measured, its gradient norm was known to be at most ");
      html.figure(bounds.residualNorm());
      if (first != null) {
        html.text("; measured: ").figure(first.residualNorm());
        if (first.residualNorm() > 0) {
          html.text(", so the bound was ");
          html.figure(bounds.residualNorm() / first.residualNorm()).text(" times what came");
        }
      }
      html.text(". Rule: " + bounds.rule() + ".");
    }
    html.closeLine();
  }

  private void certificate(Html html) {
    section(html, "certificate", "What the certificate says");
    html.element("p", certificate.guarantee(), "class", "guarantee").line();
    html.open("div", "class", "columns");
    list(html, "It covers", certificate.covers());
    list(html, "It does not cover", certificate.notCovered());
    html.closeLine();
    html.open("dl", "class", "facts");
    fact(html, "mechanism");
    html.text(mechanism()).closeLine();
    if (certificate.gridStep() != null) {
      fact(html, "grid");
      html.text("every published parameter is a whole multiple of ");
      html.figure(certificate.gridStep()).closeLine();
    }
    fact(html, "parameters");
    html.text(Figure.count(certificate.parameters()) + ", of which ");
    html.text(Figure.count(certificate.zeroCoefficients().size()));
    html.text(" slots are 0 because they were removed").closeLine();
    fact(html, "model digest");
    html.element("code", certificate.modelDigest().value());
    html.text(" " + certificate.modelDigest().algorithm()).closeLine();
    if (evidence != null) {
      digests(html, evidence.digests());
    }
    html.closeLine();
    html.closeLine();
  }

  private String mechanism() {
    return switch (certificate.mechanism()) {
      case GAUSSIAN_OUTPUT_NOISE -> "Gaussian noise on the parameters, rounded to a grid";
      case GAMMA_RADIUS_OUTPUT_NOISE ->
          "noise of gamma-distributed length on the parameters, rounded to a grid";
      case LOSS_PERTURBATION -> "a perturbed loss; parameters as computed";
      case NONE -> "none; parameters as computed";
    };
  }

  private static void digests(Html html, Evidence.Digests digests) {
    fact(html, "keyed digest of the request");
    html.element("code", digests.request()).closeLine();
    DataDigest corrected = digests.correctedData();
    if (corrected != null) {
      fact(html, "keyed digest of the corrected data");
      html.element("code", corrected.value()).closeLine();
    }
  }

  private static void list(Html html, String title, List<String> items) {
    html.open("div").element("h3", title);
    if (items.isEmpty()) {
      html.element("p", "nothing");
    } else {
      html.open("ul");
      items.forEach(item -> html.element("li", item));
      html.close();
    }
    html.closeLine();
  }

  private void verification(Html html) {
    section(html, "verify", "Verify it");
    html.open("p");
    html.text(
        "This page proves nothing: certificate.json does, with the model. Anybody who has both checks"
            + " digest, arithmetic and grid by");
    html.closeLine();
    html.element("pre", "lethe verify --certificate OUT/certificate.json --model OUT/model").line();
    html.element(
            "p",
            "and who may read data, request and vault recomputes everything, with none of the update's"
                + " code:")
        .line();
    html.element(
            "pre",
            "lethe verify --certificate OUT/certificate.json --model OUT/model \\\n"
                + "             --vault VAULT --data DATA --request REQUEST")
        .line();
    html.open("p", "class", "note").text("Where the certificate is signed, ");
    html.element("code", "--public-key KEY").text(" checks by whom.").closeLine();
    html.closeLine();
  }

  private void foot(Html html) {
    html.open("footer");
    html.text("Lethe " + certificate.software().lethe());
    html.text(" \u00b7 Spark " + certificate.software().spark());
    html.text(" \u00b7 " + certificate.software().jvm());
    html.text(" \u00b7 " + certificate.software().os());
    html.closeLine();
  }

  private static void section(Html html, String id, String title) {
    html.open("section", "id", id).element("h2", title).line();
  }

  /** Begins a fact, to be closed by {@link Html#closeLine}. */
  private static void fact(Html html, String name) {
    html.element("dt", name).open("dd");
  }

  private static String style() {
    try (InputStream in = Report.class.getResourceAsStream("/dev/lethe/report/report.css")) {
      if (in == null) {
        throw new IllegalStateException("report.css is missing from the jar");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

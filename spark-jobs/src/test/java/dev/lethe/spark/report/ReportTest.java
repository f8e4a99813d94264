package dev.lethe.spark.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.core.model.ParameterLayout;
import dev.lethe.spark.certificate.Evidence;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What a report says and what it does not. */
class ReportTest {
  private static String html(Report report) {
    return new String(report.html(), StandardCharsets.UTF_8);
  }

  private static long count(String html, String regex) {
    return Pattern.compile(regex).matcher(html).results().count();
  }

  @Test
  void html_sameInput_sameBytes() {
    assertThat(Reports.confidential().html()).isEqualTo(Reports.confidential().html());
  }

  @Test
  void html_hostileNames_areText() {
    String html = html(Reports.confidential());

    assertThat(html)
        .doesNotContain("<script", "alert('x')", "\u202e")
        .contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;\ufffd");
  }

  @Test
  void html_confidential_neitherUnnoisedParametersNorConditions() {
    String html = html(Reports.confidential());
    Evidence evidence = Reports.evidence();

    assertThat(html).contains("rows removed where a condition holds").doesNotContain("u-4711");
    for (double theta : evidence.unnoisedParameters()) {
      if (theta != 0) {
        assertThat(html).doesNotContain(Double.toString(theta));
      }
    }
  }

  /** Also as people read it, and the old parameters. */
  @Test
  void html_redacted_noFigureOfTheEvidence() {
    String html = html(Reports.redacted());
    Evidence evidence = Reports.evidence();
    Set<Double> figures = new LinkedHashSet<>();
    evidence
        .steps()
        .forEach(
            step -> {
              figures.add(step.residualNorm());
              figures.add(step.seconds());
              if (step.distanceBound() != null) {
                figures.add(step.distanceBound());
              }
            });
    for (Evidence.Metrics metrics :
        new Evidence.Metrics[] {evidence.metricsBefore(), evidence.metricsAfter()}) {
      figures.add(metrics.accuracy());
      figures.add(metrics.areaUnderROC());
      figures.add(metrics.meanLoss());
      figures.add((double) metrics.n());
    }
    figures.add(evidence.aprioriBounds().residualNorm());
    figures.add(evidence.aprioriBounds().dataNorm());
    figures.add(evidence.measurement().roundingBound());
    figures.add(evidence.totals().seconds());
    figures.add((double) evidence.objective().n());
    figures.add((double) evidence.digests().data().rows());
    figures.add(evidence.objective().regParam());
    for (double theta : evidence.unnoisedParameters()) {
      figures.add(theta);
    }
    for (int j = 0; j < Reports.before().size(); j++) {
      figures.add(Reports.before().value(j));
    }
    figures.remove(0.0);
    figures.remove(-0.0);

    // both forms are found where they may be
    String confidential = html(Reports.confidential());
    assertThat(confidential).contains(shown(evidence.steps().get(6).residualNorm()));
    assertThat(figures).hasSizeGreaterThan(40);
    for (double figure : figures) {
      assertThat(html).as("%s", figure).doesNotContain(Double.toString(figure));
      if (!isPublished(figure)) {
        assertThat(html).as("%s", figure).doesNotContain(">" + shown(figure) + "<");
      }
    }
    assertThat(html).doesNotContain("cd".repeat(32), "01".repeat(32), "/data/d.csv");
  }

  /** An un-noised parameter looks like the published one, at four digits. */
  private static boolean isPublished(double figure) {
    for (int j = 0; j < Reports.published().size(); j++) {
      if (shown(figure).equals(shown(Reports.published().value(j)))) {
        return true;
      }
    }
    return false;
  }

  private static String shown(double figure) {
    return new Html().figure(figure).toString().replaceAll("^<data[^>]*>|</data>$", "");
  }

  @Test
  void html_manyCoefficients_mostChangedAloneAndTheOthersCounted() {
    int d = 100_000;
    String[] names = new String[d];
    double[] before = new double[d];
    double[] after = new double[d];
    for (int j = 0; j < d; j++) {
      names[j] = "term" + j;
      after[j] = before[j] + 1e-7 * j;
    }
    ParameterLayout layout = new ParameterLayout(d, false, 1, 0);
    NamedParameters old = NamedParameters.of(layout, names, before);
    NamedParameters published = NamedParameters.of(layout, names, after);

    String html =
        html(
            Report.confidential(
                Reports.notCertified(d, List.of(2, 3)), Reports.evidence(), null, old, published));

    int left = d - 2 - CoefficientTable.SHOWN;
    assertThat(html)
        .contains("term99999", String.format("%,d more, which changed by at most", left));
    assertThat(html).doesNotContain("term" + (d - 1 - CoefficientTable.SHOWN) + "<");
    assertThat(count(html, "<tr>")).isLessThan(100);
    assertThat(html.length()).isLessThan(100_000);
  }

  @Test
  void html_refittedFeaturizer_matchesByName() {
    NamedParameters old =
        NamedParameters.of(
            new ParameterLayout(3, true, 1, 0),
            new String[] {"city_Ulm", "age", "city_Hof"},
            new double[] {0.125, 0.25, 0.5, 1});
    NamedParameters published =
        NamedParameters.of(
            new ParameterLayout(2, true, 1, 0),
            new String[] {"age", "city_Hof"},
            new double[] {0.375, 0.625, 2});
    Report report =
        Report.confidential(
            Reports.notCertified(3, List.of()), Reports.evidence(), null, old, published);

    assertThat(html(report))
        .containsPattern(
            "<bdi>city_Ulm</bdi> <span class=\"tag\">removed</span></th>"
                + "<td class=\"number\"><data value=\"0.125\">[^<]*</data></td><td class=\"number\">\u2014")
        .containsPattern(
            "<bdi>age</bdi></th><td class=\"number\"><data value=\"0.25\">[^<]*</data>"
                + "</td><td class=\"number\"><data value=\"0.375\">");
  }

  @Test
  void html_exactZeroThatWasNotRemoved_isAConstantColumn() {
    NamedParameters published =
        NamedParameters.of(
            new ParameterLayout(3, true, 1, 0),
            new String[] {"age", "city_Ulm", "race"},
            new double[] {0.25, 0, 0, 0});

    String html = html(Report.redacted(Reports.notCertified(4, List.of(2)), published));

    assertThat(html)
        .contains("<bdi>city_Ulm</bdi> <span class=\"tag plain\">constant</span>")
        .contains("<bdi>race</bdi> <span class=\"tag\">removed</span>");
    assertThat(count(html, ">constant<")).isEqualTo(1);
  }

  @Test
  void html_classes_namedApart() {
    NamedParameters parameters =
        NamedParameters.of(
            new ParameterLayout(1, true, 2, 1), new String[] {"age"}, new double[] {1, 2, 3, 4, 5});

    assertThat(html(Report.redacted(Reports.notCertified(5, List.of()), parameters)))
        .contains("age, class 0", "intercept, class 1", "<bdi>scale</bdi>");
  }

  @Test
  void html_zeroResiduals_drawn() {
    Evidence.Step step = new Evidence.Step(0, 0, 0.0, 0, 1, 0.1);
    Evidence e = Reports.evidence();
    Evidence zero =
        new Evidence(
            3,
            e.certificateId(),
            e.requestId(),
            e.digests(),
            e.objective(),
            e.method(),
            e.solver(),
            e.unnoisedParameters(),
            e.fixedCoordinates(),
            e.removedEarlier(),
            e.aprioriBounds(),
            e.measurement(),
            List.of(step),
            e.totals(),
            null,
            null,
            null,
            e.inputs());

    String html = html(Report.confidential(Reports.certified(), zero, null, null, null));

    assertThat(html).contains("class=\"point zero\"").doesNotContain("NaN", "Infinity");
  }

  @Test
  void confidential_evidenceOfAnother_refused() {
    Evidence e = Reports.evidence();
    Evidence other =
        new Evidence(
            3,
            "1b671a64-40d5-491e-99b0-da01ff1f3341",
            e.requestId(),
            e.digests(),
            e.objective(),
            e.method(),
            e.solver(),
            e.unnoisedParameters(),
            e.fixedCoordinates(),
            e.removedEarlier(),
            e.aprioriBounds(),
            e.measurement(),
            e.steps(),
            e.totals(),
            null,
            null,
            null,
            e.inputs());

    assertThatThrownBy(() -> Report.confidential(Reports.certified(), other, null, null, null))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("another certificate");
  }

  @Test
  void redacted_parametersOfAnotherModel_refused() {
    assertThatThrownBy(
            () -> Report.redacted(Reports.notCertified(4, List.of()), Reports.published()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("7 parameters")
        .hasMessageContaining("4");
  }

  @Test
  void html_notCertified_saysWhyAndClaimsNothing() {
    assertThat(html(Report.redacted(Reports.notCertified(7, List.of(2, 3)), Reports.published())))
        .contains("Not certified", "was not proven to be at most rho", "without noise")
        .doesNotContain("<dt>epsilon</dt>");
  }

  @Test
  void figure_sizes_fourDigits() {
    assertThat(Figure.of(1.5913e-10)).isEqualTo("1.591 \u00d7 10^\u221210");
    assertThat(Figure.of(1e-8)).isEqualTo("1 \u00d7 10^\u22128");
    assertThat(Figure.of(-0.61803)).isEqualTo("\u22120.6180");
    assertThat(Figure.of(0.9999999)).isEqualTo("1.0000");
    assertThat(Figure.of(38417.3)).isEqualTo("3.842 \u00d7 10^4");
    assertThat(Figure.of(614)).isEqualTo("614");
    assertThat(Figure.of(-0.0)).isEqualTo("0");
    assertThat(Figure.of(Double.POSITIVE_INFINITY)).isEqualTo("\u221e");
    assertThat(Figure.of(5231.9)).isEqualTo("5,232");
    assertThat(Figure.setting(0.1)).isEqualTo("0.1");
    assertThat(Figure.setting(20)).isEqualTo("20");
    assertThat(Figure.metric(-0.02596, 0.7)).isEqualTo("\u22120.0260");
    assertThat(Figure.metric(12345.678, 12345.678)).isEqualTo("12,346");
    assertThat(Figure.percent(1e-5)).isEqualTo("less than 0.1 %");
    assertThat(Figure.percent(0.016)).isEqualTo("1.6 %");
  }
}

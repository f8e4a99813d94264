package dev.lethe.spark.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.openqa.selenium.WebElement;

/** What a browser shows of a report, from the disk and without a network. */
class ReportPageTest {
  @TempDir private static Path folder;
  private static Browser browser;
  private static Path confidential;
  private static Path redacted;

  @BeforeAll
  static void open() throws IOException {
    browser = Browser.open();
    confidential = Files.write(folder.resolve("report.html"), Reports.confidential().html());
    redacted = Files.write(folder.resolve("redacted.html"), Reports.redacted().html());
  }

  @AfterAll
  static void close() {
    if (browser != null) {
      browser.close();
    }
  }

  @Test
  void page_confidential_saysVerdictAndFigures() {
    browser.show(confidential, 1400, 900);

    assertThat(browser.one("#verdict h2").getText()).contains("Certified");
    assertThat(browser.one("#notice").getText()).startsWith("Confidential.");
    assertThat(browser.one("#distance").getText()).contains("1.591 \u00d7 10", "1.6 % of rho");
    assertThat(browser.one("h1").getText()).contains("<script>alert('x')</script>");
    assertThat(browser.one("#apriori").getText())
        .contains("at most 9.128 \u00d7 10", "measured: 5,232");
    assertThat(browser.one("#quality").getText()).contains("0.7597", "0.7338", "\u22120.0260");
    assertThat(browser.one("#changes").getText()).contains("48,611", "race_r0");
    assertThat(browser.one("#verify").getText()).contains("lethe verify --certificate");
  }

  @Test
  void residualChart_aPointAStep_lastIsTheEvidences() {
    browser.show(confidential, 1400, 900);

    List<WebElement> points = browser.all("#residuals circle.point");

    assertThat(points).hasSameSizeAs(Reports.evidence().steps());
    WebElement last = points.get(points.size() - 1);
    assertThat(Double.parseDouble(last.getDomAttribute("data-value")))
        .isEqualTo(Reports.evidence().measurement().gradientNorm());
    // later steps stand further to the right, smaller figures lower
    for (int i = 1; i < points.size(); i++) {
      assertThat(points.get(i).getRect().x).isGreaterThan(points.get(i - 1).getRect().x);
      assertThat(points.get(i).getRect().y).isGreaterThan(points.get(i - 1).getRect().y);
    }
    assertThat(browser.all("#distances circle.point")).hasSize(2);
    assertThat(browser.one("#residuals .last").isDisplayed()).isTrue();
  }

  @Test
  void coefficients_removedOnes_markedAndFirst() {
    browser.show(confidential, 1400, 900);

    List<WebElement> rows = browser.all("#coefficient-table tbody tr");

    assertThat(rows).hasSize(7);
    assertThat(rows.get(0).getText()).contains("race_r1", "removed", "\u22120.6180");
    assertThat(rows.get(1).getText()).contains("race_r0", "removed", "0.2718");
    assertThat(rows.subList(2, 7)).noneMatch(row -> row.getText().contains("removed"));
    assertThat(rows.get(6).getText()).contains("intercept");
    assertThat(browser.all("#coefficient-table path.gone")).hasSize(2);
    assertThat(browser.all("#coefficient-table circle.new")).hasSize(4);
  }

  @ParameterizedTest
  @ValueSource(ints = {400, 800, 1400})
  void page_window_nothingOverflows(int width) {
    for (Path page : List.of(confidential, redacted)) {
      browser.show(page, width, 900);

      assertThat(browser.evaluate("document.documentElement.scrollWidth")).isEqualTo((long) width);
      assertThat(
              browser.evaluate(
                  "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right"
                      + " > window.innerWidth + 0.5).map(e => e.outerHTML.slice(0, 80))"))
          .isEqualTo(List.of());
    }
  }

  @Test
  void page_redacted_saysSoAndShowsNoCurve() {
    browser.show(redacted, 1400, 900);

    assertThat(browser.one("#notice").getText()).startsWith("Redacted.");
    assertThat(browser.one("#verdict h2").getText()).contains("Certified");
    assertThat(browser.all("#residuals, #distances, #quality, #apriori, #distance")).isEmpty();
    assertThat(browser.all("#coefficient-table .removed .tag")).hasSize(2);
  }

  @Test
  void page_colourScheme_followed() {
    browser.show(confidential, 1400, 900);
    Object light = browser.dark(false).evaluate("getComputedStyle(document.body).backgroundColor");
    Object dark = browser.dark(true).evaluate("getComputedStyle(document.body).backgroundColor");
    browser.dark(false);

    assertThat(light).isEqualTo("rgb(244, 245, 247)");
    assertThat(dark).isEqualTo("rgb(15, 19, 24)");
  }

  @Test
  void page_opened_silentAndAloneOnTheNetwork() {
    browser.console();
    browser.requests();

    browser.show(confidential, 1400, 900);

    assertThat(browser.requests()).containsExactly(confidential.toUri().toString());
    assertThat(browser.console()).isEmpty();
    assertThat(browser.evaluate("document.scripts.length")).isEqualTo(0L);
  }

  /** The harness sees what the test above rules out. */
  @Test
  void page_thatLoadsAndFails_isNoticed() throws IOException {
    Path loud =
        Files.writeString(
            folder.resolve("loud.html"),
            "<!DOCTYPE html><img src=\"picture.png\"><script>console.error('x')</script>");
    browser.console();
    browser.requests();

    browser.show(loud, 1400, 900);

    assertThat(browser.requests()).hasSize(2).last().asString().endsWith("picture.png");
    assertThat(browser.console()).isNotEmpty();
  }
}

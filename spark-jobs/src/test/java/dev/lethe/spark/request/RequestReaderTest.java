package dev.lethe.spark.request;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.InvalidInputException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class RequestReaderTest {
  private static final String ISSUE =
      """
      id: hr-2026-118
      changes:
        - removeFeatures: [race, relationship]                 # raw columns
        - replaceFeatures: {set: {hours_per_week: "0"}, where: "age < 18"}
        - relabel: {to: "1 - label", where: "review_id IN (7, 9)"}
        - removeRows: {where: "user_id = 'u-4711'"}
      certificate: {epsilon: 0.1, delta: 1e-4, rho: 1e-8}
      method: refined
      """;

  private static final Request EXPECTED =
      new Request(
          "hr-2026-118",
          List.of(
              new Change.RemoveFeatures(
                  List.of(FeatureRef.ofColumn("race"), FeatureRef.ofColumn("relationship"))),
              new Change.ReplaceFeatures(Map.of("hours_per_week", "0"), "age < 18"),
              new Change.Relabel("1 - label", "review_id IN (7, 9)"),
              new Change.RemoveRows("user_id = 'u-4711'")),
          new CertificateTerms(0.1, 1e-4, 1e-8),
          Method.REFINED,
          null);

  @Test
  void read_yaml_isTheRequest() {
    assertThat(RequestReader.read("r.yaml", ISSUE)).isEqualTo(EXPECTED);
  }

  @Test
  void read_json_isTheSameRequestWithTheSameCanonicalBytes() {
    Request json =
        RequestReader.read(
            "r.JSON",
            """
            {"method": "refined", "certificate": {"rho": 1e-8, "delta": 0.0001, "epsilon": 1E-1},
             "changes": [
               {"removeFeatures": ["race", "`relationship`"]},
               {"replaceFeatures": {"where": "age < 18", "set": {"hours_per_week": "0"}}},
               {"relabel": {"where": "review_id IN (7, 9)", "to": "1 - label"}},
               {"removeRows": {"where": "user_id = 'u-4711'"}}],
             "id": "hr-2026-118"}
            """);
    assertThat(json).isEqualTo(EXPECTED);
    assertThat(json.canonicalBytes()).isEqualTo(EXPECTED.canonicalBytes());
  }

  @Test
  void canonicalBytes_differentRequests_allDiffer() {
    String base = "id: a\nchanges: [{removeRows: {where: x}}]\n";
    List<String> documents =
        List.of(
            base,
            base.replace("id: a", "id: b"),
            base.replace("where: x", "where: y"),
            base + "method: second-order\n",
            base + "method: first-order\n",
            base + "method: first-order\ntau: 0.5\n",
            base + "featurizer: refit\n",
            base + "featurizer: forbid\n",
            base + "certificate: {epsilon: 1, delta: 0.5, rho: 1}\n",
            base + "certificate: {epsilon: 1, delta: 0.5, rho: 2}\n",
            "id: a\nchanges: [{relabel: {to: x, where: x}}]\n",
            "id: a\nchanges: [{replaceFeatures: {set: {to: x}, where: x}}]\n",
            "id: a\nchanges: [{replaceFeatures: {set: {to: x}}}]\n",
            "id: a\nchanges: [{removeFeatures: [x]}]\n",
            "id: a\nchanges: [{removeFeatures: ['x[1]']}]\n",
            "id: a\nchanges: [{removeFeatures: ['x[`1`]']}]\n",
            "id: a\nchanges: [{removeFeatures: ['`x[1]`']}]\n",
            "id: a\nchanges: [{removeFeatures: [x, y]}]\n",
            "id: a\nchanges: [{removeFeatures: [x]}, {removeFeatures: [y]}]\n");
    Set<String> forms =
        documents.stream()
            .map(d -> new String(RequestReader.read("r.yaml", d).canonicalBytes()))
            .collect(java.util.stream.Collectors.toSet());
    assertThat(forms).hasSameSizeAs(documents);
  }

  @Test
  void canonicalBytes_setInAnotherOrder_areTheSame() {
    String template = "{id: a, changes: [{replaceFeatures: {set: {%s}}}]}";
    assertThat(RequestReader.read("r", template.formatted("a: '1', b: '2'")).canonicalBytes())
        .isEqualTo(RequestReader.read("r", template.formatted("b: '2', a: '1'")).canonicalBytes());
  }

  @Test
  void read_methodAndCertificateAbsent_defaults() {
    Request request = RequestReader.read("r", "{id: x, changes: [{removeFeatures: [a]}]}");
    assertThat(request.method()).isEqualTo(Method.REFINED);
    assertThat(request.certificate()).isNull();
    assertThat(request.tau()).isNull();
  }

  @Test
  void read_featurizer_isThePolicyAndFrozenIfAbsent() {
    String base = "id: x\nchanges: [{removeFeatures: [a]}]\n";
    Request absent = RequestReader.read("r", base);
    assertThat(absent.featurizer()).isEqualTo(FeaturizerPolicy.FROZEN);
    assertThat(RequestReader.read("r", base + "featurizer: frozen").canonicalBytes())
        .isEqualTo(absent.canonicalBytes());
    assertThat(RequestReader.read("r", base + "featurizer: refit").featurizer())
        .isEqualTo(FeaturizerPolicy.REFIT);
    assertThat(RequestReader.read("r", base + "featurizer: forbid").featurizer())
        .isEqualTo(FeaturizerPolicy.FORBID);
  }

  @ParameterizedTest
  @ValueSource(strings = {"first-order", "second-order"})
  void read_refitWithAClosedForm_isRefused(String method) {
    String document =
        "id: x\nchanges: [{removeFeatures: [a]}]\nmethod: " + method + "\nfeaturizer: refit\n";
    assertThatThrownBy(() -> RequestReader.read("r.yaml", document))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("r.yaml: featurizer (line 4, column 13)")
        .hasMessageContaining("only for method refined, not " + method);
  }

  @Test
  void read_unknownFeaturizerPolicy_namesThePolicies() {
    assertThatThrownBy(
            () ->
                RequestReader.read(
                    "r.yaml", "id: x\nchanges: [{removeFeatures: [a]}]\nfeaturizer: thaw\n"))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("'thaw' is not one of frozen, refit, forbid");
  }

  @Test
  void read_tauAuto_isNull() {
    String document = "{id: x, changes: [{removeFeatures: [a]}], method: first-order, tau: %s}";
    assertThat(RequestReader.read("r", document.formatted("auto")).tau()).isNull();
    assertThat(RequestReader.read("r", document.formatted("2.5")).tau()).isEqualTo(2.5);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '"',
      value = {
        "race;race;;",
        "marital-status;marital-status;;",
        "features[17];features;17;",
        "features[007];features;7;",
        "features[race_White];features;;race_White",
        "features[marital-status_Never.married];features;;marital-status_Never.married",
        "features[`17`];features;;17",
        "features[`a]b`];features;;a]b",
        "`a.b`;a.b;;",
        "`a[0]`;a[0];;",
        "`a[0]`[3];a[0];3;",
        "`tick``s`;tick`s;;",
      })
  void featureRef_parse_readsEverySpelling(
      String text, String column, Integer index, String attribute) {
    FeatureRef ref = FeatureRef.parse(text);
    assertThat(ref).isEqualTo(new FeatureRef(column, index, attribute));
    assertThat(FeatureRef.parse(ref.toString())).isEqualTo(ref);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "a.b",
        "a[",
        "a]",
        "a[]",
        "[1]",
        "a[1][2]",
        "`a",
        "``",
        "a[1]x",
        "a[9999999999]",
        "a`b"
      })
  void featureRef_malformed_isRefused(String text) {
    assertThatThrownBy(() -> FeatureRef.parse(text)).isInstanceOf(IllegalArgumentException.class);
  }

  record Bad(String file, String document, String... messageParts) {
    @Override
    public String toString() {
      return document.replace("\n", "\\n");
    }
  }

  private static String one(String change) {
    return "id: x\nchanges:\n  - " + change + "\n";
  }

  static List<Bad> badDocuments() {
    String ok = one("removeRows: {where: \"s3cret = 1\"}");
    return List.of(
        new Bad("r.yaml", "", "empty"),
        new Bad("r.json", "", "empty"),
        new Bad("r.yaml", "- a", "(line 1, column 1)", "must be a mapping with id, changes"),
        new Bad(
            "r.yaml",
            ok + "wher: s3cret",
            "(line 4, column 7)",
            "unknown key 'wher'",
            "allowed: id"),
        new Bad("r.yaml", ok + "id: y", "(line 4, column 1)", "key 'id' is given twice"),
        new Bad("r.yaml", ok.replace("id: x", "id: .x"), "id (line 1, column 5)", "128"),
        new Bad("r.yaml", ok.replace("id: x", "id: a b"), "id (line 1", "128"),
        new Bad("r.yaml", ok.replace("id: x", "id: " + "x".repeat(129)), "id (line 1", "128"),
        new Bad(
            "r.yaml",
            ok.replace("id: x", "id: 2026"),
            "id (line 1",
            "must be a string, not a number"),
        new Bad("r.yaml", "id: x\nchanges: []", "changes (line 2, column 10)", "must not be empty"),
        new Bad("r.yaml", "id: x\nchanges: s3cret", "changes (line 2", "must be a list"),
        new Bad("r.yaml", one("s3cret"), "changes[0] (line 3, column 5)", "must be a mapping"),
        new Bad("r.yaml", one("{}"), "changes[0]", "exactly one of the keys removeFeatures"),
        new Bad(
            "r.yaml",
            one("{removeRows: {where: s3cret}, relabel: {to: '1', where: s3cret}}"),
            "changes[0]",
            "exactly one"),
        new Bad(
            "r.yaml",
            one("removeRow: {where: s3cret}"),
            "changes[0]",
            "unknown key 'removeRow'",
            "allowed: removeFeatures"),
        new Bad(
            "r.yaml", one("removeRows: {}"), "changes[0].removeRows", "the key 'where' is missing"),
        new Bad(
            "r.yaml",
            one("removeRows: {where: }"),
            "changes[0].removeRows.where (line 3",
            "not empty (null)"),
        new Bad(
            "r.yaml",
            one("removeRows: {where: ' '}"),
            "changes[0].removeRows.where",
            "must not be blank"),
        new Bad(
            "r.yaml",
            one("removeRows: {where: true}"),
            "changes[0].removeRows.where",
            "not a boolean"),
        new Bad(
            "r.yaml",
            one("removeRows: {where: [s3cret]}"),
            "changes[0].removeRows.where",
            "not a list"),
        new Bad(
            "r.yaml",
            one("removeRows: s3cret"),
            "changes[0].removeRows (line 3, column 17)",
            "must be a mapping with where"),
        new Bad(
            "r.yaml",
            one("removeRows: {where: a, 's3cret = 1': b}"),
            "changes[0].removeRows",
            "unknown key; allowed: where"),
        new Bad("r.yaml", one("relabel: {where: s3cret}"), "changes[0].relabel", "'to' is missing"),
        new Bad("r.yaml", one("relabel: {to: s3cret}"), "changes[0].relabel", "'where' is missing"),
        new Bad(
            "r.yaml", one("relabel: {to: 1, where: s3cret}"), "changes[0].relabel.to", "quote it"),
        new Bad(
            "r.yaml",
            one("replaceFeatures: {where: s3cret}"),
            "changes[0].replaceFeatures",
            "'set' is missing"),
        new Bad(
            "r.yaml",
            one("replaceFeatures: {set: {}}"),
            "changes[0].replaceFeatures",
            "at least one column"),
        new Bad(
            "r.yaml",
            one("replaceFeatures: {set: {hours: 0}}"),
            "changes[0].replaceFeatures.set.hours (line 3",
            "quote it"),
        new Bad(
            "r.yaml",
            one("replaceFeatures: {set: {a.b: '0'}}"),
            "changes[0].replaceFeatures.set",
            "backticks"),
        new Bad(
            "r.yaml",
            one("replaceFeatures: {set: {'f[1]': '0'}}"),
            "changes[0].replaceFeatures.set",
            "slot"),
        new Bad(
            "r.yaml",
            one("replaceFeatures: {set: {a: '0', '`a`': '1'}}"),
            "changes[0].replaceFeatures.set",
            "set twice"),
        new Bad(
            "r.yaml", one("removeFeatures: []"), "changes[0].removeFeatures", "must not be empty"),
        new Bad(
            "r.yaml", one("removeFeatures: race"), "changes[0].removeFeatures", "must be a list"),
        new Bad(
            "r.yaml",
            one("removeFeatures: [race, race]"),
            "changes[0].removeFeatures[1]",
            "named twice"),
        new Bad(
            "r.yaml",
            one("removeFeatures: ['f[']"),
            "changes[0].removeFeatures[0]",
            "column[index]"),
        new Bad(
            "r.yaml", one("removeFeatures: [3]"), "changes[0].removeFeatures[0]", "not a number"),
        new Bad(
            "r.yaml",
            ok + "certificate: {epsilon: 1, delta: 0.1}",
            "certificate (line 4",
            "'rho' is missing"),
        new Bad(
            "r.yaml",
            ok + "certificate: {epsilon: '1', delta: 0.1, rho: 1}",
            "certificate.epsilon (line 4, column 24)",
            "must be a number"),
        new Bad(
            "r.yaml",
            ok + "certificate: {epsilon: 0, delta: 0.1, rho: 1}",
            "certificate (line 4",
            "epsilon must be"),
        new Bad(
            "r.yaml",
            ok + "certificate: {epsilon: 1, delta: 1, rho: 1}",
            "certificate",
            "delta must be"),
        new Bad(
            "r.yaml",
            ok + "certificate: {epsilon: 1, delta: -1e-300, rho: 1}",
            "certificate",
            "delta must be at least 0 and less than 1"),
        new Bad(
            "r.yaml",
            ok + "certificate: {epsilon: 1, delta: 0.1, rho: -1}",
            "certificate",
            "rho must be"),
        new Bad(
            "r.yaml",
            ok + "certificate: {epsilon: 1, delta: 0.1, rho: .inf}",
            "certificate",
            "rho"),
        new Bad(
            "r.yaml",
            ok + "method: newton",
            "method (line 4, column 9)",
            "'newton' is not one of first-order, second-order, refined"),
        new Bad("r.yaml", ok + "method: null", "method", "must be a string"),
        new Bad("r.yaml", ok + "tau: 1", "tau (line 4", "only for method first-order, not refined"),
        new Bad(
            "r.yaml",
            ok + "method: second-order\ntau: auto",
            "tau (line 5",
            "only for method first-order"),
        new Bad("r.yaml", ok + "method: first-order\ntau: 0", "tau (line 5", "greater than 0"),
        new Bad(
            "r.yaml",
            ok + "method: first-order\ntau: 's3cret'",
            "tau (line 5",
            "must be auto or a number"),
        new Bad("r.yaml", ok + "---\n" + ok, "one request"),
        new Bad(
            "r.yaml",
            "id: &i x\nchanges:\n  - removeRows: {where: *i}",
            "changes[0].removeRows.where (line 3",
            "anchors"),
        new Bad(
            "r.yaml",
            one("removeRows: {where: !!str s3cret}"),
            "changes[0].removeRows.where",
            "tags"),
        new Bad("r.yaml", one("removeRows: {where: \"s3cret}"), "(line ", "not valid YAML"),
        new Bad("r.yaml", one("removeRows: {where: a: s3cret}"), "(line 3", "not valid YAML"),
        new Bad("r.yaml", "id: x\n\tchanges: s3cret", "(line ", "not valid YAML"),
        new Bad("r.json", "{\"id\": \"x\", \"changes\": [s3cret]}", "(line 1", "not valid JSON"),
        new Bad("r.json", "{\"id\": \"x\"", "(line 1", "not valid JSON"),
        new Bad("r.json", ok, "not valid JSON"),
        new Bad("r.yaml", "[".repeat(40) + "]".repeat(40), "nested deeper"),
        new Bad("r.json", "[".repeat(5000), "nested"),
        new Bad("r.yaml", "id: x\n#" + "s3cret".repeat(200_000), "1048576"));
  }

  @ParameterizedTest
  @MethodSource("badDocuments")
  void read_badDocument_isRefusedWithThePlaceAndWithoutTheContent(Bad bad) {
    assertThatThrownBy(() -> RequestReader.read(bad.file(), bad.document()))
        .isInstanceOf(InvalidInputException.class)
        .hasNoCause()
        .hasMessageStartingWith(bad.file())
        .hasMessageContainingAll(bad.messageParts())
        .message()
        .doesNotContain("s3cret");
  }

  @Test
  void read_notUtf8_isRefused() {
    assertThatThrownBy(() -> RequestReader.read("r.yaml", new byte[] {'i', 'd', (byte) 0xC3, '('}))
        .isInstanceOf(InvalidInputException.class)
        .hasMessage("r.yaml: not valid UTF-8");
  }
}

package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.spark.JobLog;
import dev.lethe.spark.LocalSpark;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import scala.jdk.javaapi.CollectionConverters;

/** Several requests answered each by itself: real files, against single runs and retraining. */
class IndependentUnlearnTest {
  private static final double RHO = 1e-7;
  private static final String TERMS = "certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-7}\n";

  /** These share the table. */
  private static final Map<String, String> SHARING = new LinkedHashMap<>();

  static {
    SHARING.put("no-race", "changes:\n  - removeFeatures: [race]\n");
    SHARING.put("no-city", "changes:\n  - removeFeatures: [city]\n");
    SHARING.put("forget-u", "changes:\n  - removeRows: {where: \"user_id = 'u-4711'\"}\n");
    SHARING.put(
        "mixed",
        """
        changes:
          - removeFeatures: ["features[1]"]
          - relabel: {to: "1 - label", where: "user_id IN ('u-4711', 'u-4713')"}
          - replaceFeatures: {set: {age: "age + 1", weight: "2 * weight"}, where: "user_id = 'u-4720'"}
        """);
  }

  /** These cannot. */
  private static final Map<String, String> ALONE =
      Map.of(
          "second-order",
          "changes:\n  - removeRows: {where: \"user_id = 'u-4730'\"}\nmethod: second-order\n",
          "everybody",
          "changes:\n  - replaceFeatures: {set: {hours: \"hours + 1\"}, where: \"age > 0\"}\n");

  private static Path requests;
  private static Path out;
  private static Path vault;
  private static Outcome outcome;
  private static List<JobLog.Job> jobs;
  private static Set<Object> cachedBefore;
  private static Set<Object> cachedAfter;

  private static String request(String id, String changes) {
    return "id: " + id + "\n" + changes + TERMS;
  }

  private static Set<Object> cached() {
    return new HashSet<>(
        CollectionConverters.asJava(LocalSpark.session().sparkContext().getPersistentRDDs())
            .keySet());
  }

  private static Invocation invocation(Path requests, Path out, Path vault) {
    return Invocation.unlearn(People.model(), People.table(), requests, out, vault)
        .flag("--independent");
  }

  @BeforeAll
  static void unlearn() {
    Path place = Places.directory("independent");
    requests = place.resolve("requests");
    out = place.resolve("out");
    vault = place.resolve("vault");
    SHARING.forEach((id, changes) -> write(id + ".yaml", request(id, changes)));
    ALONE.forEach((id, changes) -> write(id + ".yaml", request(id, changes)));
    write(
        "matches-nobody.yaml",
        request("matches-nobody", "changes:\n  - removeRows: {where: \"user_id = 'nobody'\"}\n"));
    write("unknown.yaml", request("unknown", "changes:\n  - removeFeatures: [shoe_size]\n"));
    write(
        "unseen.yaml",
        request(
            "unseen",
            "changes:\n  - replaceFeatures: {set: {city: \"'Atlantis'\"}, where: \"user_id = 'u-4711'\"}\n"));
    write("broken.yaml", "id: broken\nchanges: 4\n");
    write("twice.yaml", request("no-race", SHARING.get("no-race")));
    cachedBefore = cached();
    try (JobLog log = JobLog.on(LocalSpark.session().sparkContext())) {
      outcome = invocation(requests, out, vault).run();
      jobs = log.jobs();
    }
    cachedAfter = cached();
  }

  private static void write(String file, String text) {
    Places.write(requests.resolve(file), text);
  }

  private static Releases.Release release(String id) {
    return new Releases.Release(
        People.model(), People.table(), requests.resolve(id + ".yaml"), out.resolve(id), vault);
  }

  @Test
  void unlearn_refusedRequestsAmongGoodOnes_publishesTheGoodOnesAndNamesTheOthers() {
    assertThat(outcome.code()).as("%s", outcome).isEqualTo(2);
    assertThat(out.toFile().list())
        .containsExactlyInAnyOrder(
            "no-race", "no-city", "forget-u", "mixed", "second-order", "everybody");
    assertThat(outcome.err().lines())
        .hasSize(4)
        .anyMatch(line -> line.contains("unseen.yaml: ") && !line.contains("Atlantis"))
        .anyMatch(
            line -> line.contains("matches-nobody.yaml: changes[0].removeRows.where: matches"))
        .anyMatch(line -> line.contains("unknown.yaml: changes[0].removeFeatures[0]"))
        .anyMatch(line -> line.contains("broken.yaml: changes"));
    assertThat(vault.toFile().list()).hasSize(6 + 1); // and the key
  }

  /** Both are within rho of the one minimiser. */
  @Test
  void unlearn_eachRequest_isWithinTwoRhoOfWhatItGivesByItself() {
    SHARING.forEach(
        (id, changes) -> {
          Releases.Release alone =
              Releases.unlearn(People.model(), People.table(), request(id, changes), 0);
          assertThat(Vectors.distance(release(id).parameters(), alone.parameters()))
              .as(id)
              .isLessThanOrEqualTo(2 * RHO);
          assertThat(release(id).certificate().get("zeroCoefficients"))
              .isEqualTo(alone.certificate().get("zeroCoefficients"));
          assertThat(release(id).certificate().get("verdict").asText()).isEqualTo("certified");
          assertThat(release(id).evidence().get("objective"))
              .isEqualTo(alone.evidence().get("objective"));
          assertThat(release(id).evidence().get("inputs").get("data").asText())
              .isEqualTo(People.table().toString());
        });
  }

  /** Reads the table by itself, digests it and measures the gradient on it. */
  @Test
  void verify_everyRelease_findsAllClaimsTrue() {
    for (String id : List.of("no-race", "no-city", "forget-u", "mixed", "everybody")) {
      Outcome verified =
          release(id).fullVerification().with("--original-model", People.model()).run();
      assertThat(verified.code()).as("%s: %s", id, verified).isZero();
    }
  }

  @Test
  void unlearn_requestsThatShare_readTheTableOnceAndPassTogether() {
    int longest = 0;
    int sum = 0;
    for (String id : SHARING.keySet()) {
      int passes = release(id).evidence().get("totals").get("passes").asInt();
      longest = Math.max(longest, passes);
      sum += passes;
    }
    // of eleven files one is no request, and one is there twice
    String name = "Lethe unlearn 9 independent requests";
    assertThat(passes(name, " sums")).isEqualTo(longest).isLessThan(sum);
    // of the shared rows, and of those that each of the four has as its own
    assertThat(passes(name, ": counts and moments")).isEqualTo(1 + SHARING.size());
    // of all their corrected examples and of the original ones
    assertThat(passes(name, ", keyed digests of the data")).isEqualTo(1);
    // what other tests had left may go meanwhile
    assertThat(cachedBefore).containsAll(cachedAfter);
  }

  private static long passes(String start, String end) {
    return jobs.stream()
        .map(JobLog.Job::description)
        .filter(description -> description.startsWith(start) && description.endsWith(end))
        .count();
  }

  /** Its model has lost a slot of a column that the table still has. */
  @Test
  void verify_releasesOfAModelThatWasReleasedBefore_findsAllClaimsTrue() {
    Releases.Release earlier =
        Releases.unlearn(
            People.model(),
            People.table(),
            request("earlier", "changes:\n  - removeFeatures: [\"features[1]\"]\n"),
            0);
    Path place = Places.directory("again");
    Path all = place.resolve("requests");
    Places.write(all.resolve("a.yaml"), request("a", SHARING.get("forget-u")));
    Places.write(all.resolve("b.yaml"), request("b", SHARING.get("no-city")));
    Path model = earlier.out().resolve("model");

    Outcome both =
        Invocation.unlearn(model, People.table(), all, place.resolve("out"), place.resolve("vault"))
            .flag("--independent")
            .run();

    assertThat(both.code()).as("%s", both).isZero();
    for (String id : List.of("a", "b")) {
      Releases.Release release =
          new Releases.Release(
              model,
              People.table(),
              all.resolve(id + ".yaml"),
              place.resolve("out").resolve(id),
              place.resolve("vault"));
      Outcome verified = release.fullVerification().with("--original-model", model).run();
      assertThat(verified.code()).as("%s: %s", id, verified).isZero();
    }
  }

  /** It fails in the pass that counts the rows of all requests. */
  @Test
  void unlearn_conditionThatFailsOnSomeRow_isRefusedAndTheOthersAreAnswered() {
    Path place = Places.directory("failing");
    Path all = place.resolve("requests");
    Places.write(all.resolve("a.yaml"), request("a", SHARING.get("forget-u")));
    Places.write(
        all.resolve("b.yaml"),
        request("b", "changes:\n  - removeRows: {where: \"CAST(user_id AS INT) = 3\"}\n"));
    Places.write(
        all.resolve("c.yaml"),
        request("c", "changes:\n  - removeRows: {where: \"user_id = 'u-4750'\"}\n"));

    Outcome some = invocation(all, place.resolve("out"), place.resolve("vault")).run();

    assertThat(some.code()).as("%s", some).isEqualTo(2);
    assertThat(some.err().lines())
        .singleElement()
        .asString()
        .contains("b.yaml: changes[0].removeRows.where: cannot be evaluated on some row");
    assertThat(place.resolve("out").toFile().list()).containsExactlyInAnyOrder("a", "c");
  }

  @Test
  void unlearn_someReleaseIsThereAlready_writesNothing() {
    Path place = Places.directory("taken");
    Places.write(place.resolve("requests/a.yaml"), request("a", SHARING.get("no-race")));
    Places.write(place.resolve("requests/b.yaml"), request("b", SHARING.get("no-city")));
    Places.write(place.resolve("out/b/note.txt"), "mine");
    Map<String, String> before = Places.content(place);

    Outcome refused =
        invocation(place.resolve("requests"), place.resolve("out"), place.resolve("vault")).run();

    assertThat(refused.code()).as("%s", refused).isEqualTo(2);
    assertThat(refused.err()).contains("already exists");
    assertThat(Places.content(place)).isEqualTo(before);
  }

  @Test
  void unlearn_whatIsNoMatterOfOneRequest_isRefused() {
    Path place = Places.directory("refused");
    Path all = place.resolve("requests");
    Places.write(all.resolve("a.yaml"), request("a", SHARING.get("no-race")));
    Path out = place.resolve("out");
    Path vault = place.resolve("vault");
    assertThat(invocation(all, out, vault).with("--id", "merged").run().err())
        .contains("--id: not with --independent");
    assertThat(
            invocation(all, out, vault)
                .without("--data")
                .with("--corrected", People.table())
                .run()
                .err())
        .contains("--independent: needs --data alone");
    Places.write(all.resolve("b.yaml"), request("a", SHARING.get("no-city")));
    Outcome ids = invocation(all, out, vault).run();
    assertThat(ids.code()).isEqualTo(2);
    assertThat(ids.err()).contains("a.yaml").contains("b.yaml").contains("the same id");
    Outcome empty = invocation(Places.directory("empty"), out, vault).run();
    assertThat(empty.err()).contains("has no request");
    assertThat(Files.exists(out)).isFalse();
  }
}

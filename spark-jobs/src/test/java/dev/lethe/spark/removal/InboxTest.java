package dev.lethe.spark.removal;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Outcome;
import dev.lethe.spark.job.Places;
import dev.lethe.spark.ledger.TrackedRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** {@code lethe submit --each}: what cannot be received keeps nothing else from it. */
@ExtendWith(LocalSpark.class)
class InboxTest {
  private static final String REMOVE = "- removeRows: {where: \"user_id = '%s'\"}";

  private static void put(Path inbox, String file, String id, String person) {
    Places.write(
        inbox.resolve(file), "id: " + id + "\nchanges:\n" + REMOVE.formatted(person).indent(2));
  }

  private static List<String> received(Night night) {
    return night.ledger().state().requests().stream().map(TrackedRequest::id).toList();
  }

  @Test
  void submit_badFilesAmongGoodOnes_receivesTheGoodAndNamesTheBad() throws Exception {
    Night night = Night.begin("");
    Path inbox = Places.directory("inbox");
    put(inbox, "a.yaml", "a", "u-4711");
    put(inbox, "b.yaml", "b", "u-4712");
    put(inbox, "c-twice.yaml", "a", "u-4713");
    Places.write(inbox.resolve("bad.yaml"), "id: bad\nchanges: [removeRows u-4714\n");
    Places.write(inbox.resolve("notes.txt"), "u-4715 has called");
    Files.createDirectory(inbox.resolve("old"));

    Outcome all = night.lethe("submit", inbox.toString());
    assertThat(all.code()).as("%s", all).isEqualTo(2);
    assertThat(night.ledger().chain().entries()).isEmpty();

    Outcome each = night.lethe("submit", "--each", inbox.toString());
    assertThat(each.code()).as("%s", each).isEqualTo(2);
    assertThat(received(night)).containsExactly("a", "b");
    assertThat(each.out().lines()).containsExactly("a: received", "b: received");
    assertThat(each.err().lines().filter(line -> line.startsWith("lethe: ")))
        .hasSize(4)
        .anyMatch(line -> line.contains("bad.yaml"))
        .anyMatch(line -> line.contains("c-twice.yaml: id a: given twice"))
        .anyMatch(line -> line.contains("'notes.txt' is no request"))
        .anyMatch(line -> line.contains("'old' is no request"));
    assertThat(each.err()).doesNotContain("u-47");

    // the next night: what was received is known, also where another has taken its id
    put(inbox, "d.yaml", "d", "u-4716");
    put(inbox, "b.yaml", "b", "u-4717");
    Outcome next = night.lethe("submit", "--each", inbox.toString());
    assertThat(next.code()).as("%s", next).isEqualTo(2);
    assertThat(next.out().lines()).containsExactly("a: received, known before", "d: received");
    assertThat(next.err()).contains("b.yaml: id b: a request of this id with another content");
    assertThat(received(night)).containsExactly("a", "b", "d");
  }

  @Test
  void submit_emptyInbox_isNothingToDo() {
    Night night = Night.begin("");
    Path inbox = Places.directory("inbox");

    assertThat(night.lethe("submit", inbox.toString()).code()).isEqualTo(2);
    assertThat(night.done("submit", "--each", inbox.toString()).out()).isEmpty();
    Outcome missing = night.lethe("submit", "--each", inbox.resolve("none").toString());
    assertThat(missing.code()).as("%s", missing).isEqualTo(2);
  }
}

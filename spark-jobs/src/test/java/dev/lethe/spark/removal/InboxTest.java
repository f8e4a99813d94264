package dev.lethe.spark.removal;

import static dev.lethe.spark.removal.Night.REMOVE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Outcome;
import dev.lethe.spark.job.Places;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.TrackedRequest;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;
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
  void submit_idThatBeginsWithAnUnderscore_isReceivedAndAnswered() {
    Night night = Night.begin("");
    Path inbox = Places.directory("inbox");
    put(inbox, "a.yaml", "_x", "u-4711");
    put(inbox, "b.yaml", "b", "u-4712");
    put(inbox, "c.yaml", "_", "nobody");

    assertThat(night.done("submit", "--each", inbox.toString()).out().lines())
        .containsExactly("_x: received", "b: received", "_: received");
    Outcome run = night.lethe("run");
    assertThat(run.code()).as("%s", run).isZero();

    assertThat(night.done("submit", "--each", inbox.toString()).out().lines())
        .containsExactly(
            "_x: published, known before",
            "b: published, known before",
            "_: refused, known before");
  }

  /** 70 files of almost 1 MiB: more than are held at a time. */
  @Test
  void submit_moreThanFitsIntoMemory_isReceivedInGroups() throws Exception {
    Night night = Night.begin("");
    Path inbox = Places.directory("inbox");
    String comment = ("# " + "x".repeat(997) + "\n").repeat(1000);
    for (int i = 0; i < 70; i++) {
      put(inbox, "r%03d.yaml".formatted(i), "r-" + i, "u-4711");
      Files.writeString(
          inbox.resolve("r%03d.yaml".formatted(i)), comment, StandardOpenOption.APPEND);
    }
    put(inbox, "s-twice.yaml", "r-0", "u-4712");

    Outcome all = night.lethe("submit", inbox.toString());
    assertThat(all.code()).as("%s", all).isEqualTo(2);
    assertThat(all.err()).contains("more than 67108864 bytes", "--each");
    assertThat(night.ledger().chain().entries()).isEmpty();

    Outcome each = night.lethe("submit", "--each", inbox.toString());
    assertThat(each.code()).as("%s", each).isEqualTo(2);
    assertThat(each.err())
        .contains("s-twice.yaml: id r-0: given twice, here and in")
        .contains("r000");
    List<String> ids = IntStream.range(0, 70).mapToObj(i -> "r-" + i).toList();
    assertThat(received(night)).containsExactlyElementsOf(ids);
    assertThat(each.out().lines()).hasSize(70);
    // the first entry opens the ledger
    assertThat(night.ledger().chain().entries().stream().skip(1))
        .extracting(entry -> ((Event.Received) entry.event()).requests().size())
        .containsExactly(68, 2);
  }

  /** A file system that may be full where the vault is. */
  public static final class Full extends RawLocalFileSystem {
    static volatile boolean full;

    @Override
    public URI getUri() {
      return URI.create("full:///");
    }

    @Override
    public FSDataOutputStream create(
        org.apache.hadoop.fs.Path path,
        FsPermission permission,
        boolean overwrite,
        int buffer,
        short replication,
        long block,
        Progressable progress)
        throws IOException {
      if (full && path.toString().contains("/vault/")) {
        throw new IOException("No space left on device");
      }
      return super.create(path, permission, overwrite, buffer, replication, block, progress);
    }
  }

  @Test
  void submit_vaultOnAFullDisk_failsAndRefusesNoFile() {
    LocalSpark.session()
        .sparkContext()
        .hadoopConfiguration()
        .setClass("fs.full.impl", Full.class, FileSystem.class);
    Night plain = Night.begin("lease: {single-writer: true}");
    Night night = new Night(plain.root(), plain.data(), plain.extra(), "full://");
    Path inbox = Places.directory("inbox");
    put(inbox, "a.yaml", "a", "u-4711");
    put(inbox, "b.yaml", "b", "u-4712");

    Full.full = true;
    try {
      Outcome full = night.lethe("submit", "--each", inbox.toString());
      assertThat(full.code()).as("%s", full).isEqualTo(5);
      assertThat(full.out()).isEmpty();
      assertThat(full.err().lines().filter(line -> line.startsWith("lethe: "))).hasSize(1);
      assertThat(received(night)).isEmpty();
    } finally {
      Full.full = false;
    }
    assertThat(night.done("submit", "--each", inbox.toString()).out().lines())
        .containsExactly("a: received", "b: received");
  }

  @Test
  void submit_oneFileCannotBeReadNow_othersAreReceivedAndItIsToBeTriedAgain() {
    FailingFileSystem.register(LocalSpark.session().sparkContext().hadoopConfiguration());
    Night night = Night.begin("");
    Path inbox = Places.directory("inbox");
    put(inbox, "a.yaml", "a", "u-4711");
    put(inbox, "b.yaml", "b", "u-4712");
    FailingFileSystem.reader =
        file -> {
          if (file.getName().equals("a.yaml")) {
            throw new SocketTimeoutException("no answer");
          }
        };
    try {
      Outcome away = night.lethe("submit", "--each", "failing:" + inbox);
      assertThat(away.code()).as("%s", away).isEqualTo(5);
      assertThat(away.out().lines()).containsExactly("b: received");
      assertThat(away.err()).contains("a.yaml");
    } finally {
      FailingFileSystem.reader = file -> {};
    }
    assertThat(night.done("submit", "--each", "failing:" + inbox).out().lines())
        .containsExactly("a: received", "b: received, known before");
  }

  @Test
  void submit_vaultMayNotBeWritten_refusesNoFile() throws Exception {
    Night night = Night.begin("");
    night.submit("first", REMOVE);
    Path inbox = Places.directory("inbox");
    put(inbox, "a.yaml", "a", "u-4711");
    Path keys = night.vault().resolve("keys");
    Path away = night.vault().resolve("away");
    Files.move(keys, away);
    Files.writeString(keys, "no folder");
    try {
      Outcome full = night.lethe("submit", "--each", inbox.toString());
      assertThat(full.code()).as("%s", full).isEqualTo(2);
      assertThat(full.err()).contains("vault: ").doesNotContain("a.yaml");
      assertThat(full.out()).isEmpty();
    } finally {
      Files.delete(keys);
      Files.move(away, keys);
    }
    assertThat(night.done("submit", "--each", inbox.toString()).out().lines())
        .containsExactly("a: received");
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

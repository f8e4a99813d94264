package dev.lethe.spark.removal;

import static dev.lethe.spark.removal.Night.RELABEL;
import static dev.lethe.spark.removal.Night.REMOVE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.job.Outcome;
import dev.lethe.spark.job.People;
import dev.lethe.spark.job.Places;
import dev.lethe.spark.ledger.Event;
import dev.lethe.spark.ledger.LedgerState;
import dev.lethe.spark.ledger.Spent;
import dev.lethe.spark.ledger.TrackedRequest;
import dev.lethe.spark.ledger.TrackedRequest.State;
import dev.lethe.spark.request.CertificateTerms;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.hadoop.metadata.ColumnChunkMetaData;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.spark.sql.SaveMode;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What stands in the way of a run, and who is not to suffer for it. */
@ExtendWith(LocalSpark.class)
class HeldUpTest {
  /** Where nobody listens. */
  private static final String NOWHERE = "hdfs://127.0.0.1:1";

  private static State state(Night night, String id) {
    LedgerState state = night.ledger().state();
    return state.state(state.request(id).orElseThrow());
  }

  private static Event.Cause lastCause(Night night) {
    List<Event.Abandoned> abandoned =
        night.ledger().chain().entries().stream()
            .filter(entry -> entry.event() instanceof Event.Abandoned)
            .map(entry -> (Event.Abandoned) entry.event())
            .toList();
    return abandoned.get(abandoned.size() - 1).cause();
  }

  @AfterEach
  void nobodyLooks() {
    FailingFileSystem.observer = (source, target) -> {};
    FailingFileSystem.reader = file -> {};
  }

  @Test
  void run_configuredRhoCannotBeProven_blamesNoRequest() {
    Night night = Night.begin("");
    night.submit("row", REMOVE);
    // decided when it seemed that it could: the rounding of sums over a large table says otherwise
    CertificateTerms terms = new CertificateTerms(0.1, 1e-6, 1e-17);
    night
        .ledger()
        .append(
            new Event.Decided(
                1,
                0,
                UUID.randomUUID().toString(),
                terms,
                Spent.planned(terms, 11),
                List.of("row"),
                List.of()));
    Path config =
        Places.write(
            night.root().resolve("strict.yaml"),
            Places.read(night.config()).replace("rho: 1e-8", "rho: 1e-17"));

    Outcome unreachable = Outcome.of(List.of("run", "--config", config.toString()));

    assertThat(unreachable.code()).as("%s", unreachable).isEqualTo(3);
    assertThat(lastCause(night)).isEqualTo(Event.Cause.TERMS_NOT_MET);
    assertThat(night.ledger().state().waiting()).hasSize(1);
    // it stands behind nobody that comes after it
    night.submit("label", RELABEL);
    night.done("run");
    assertThat(state(night, "row")).isEqualTo(State.PUBLISHED);
  }

  @Test
  void run_oneCannotBeCertified_othersAreAnsweredAndItStillWaits() {
    // enough for a row or two, too few for all labels turned
    Night night = Night.begin("solver: {method: cholesky, max-steps: 4}");
    night.submit("row", REMOVE);
    night.submit("all", "- relabel: {to: \"1 - label\", where: \"age > 0\"}");
    night.submit("more", "- removeRows: {where: \"user_id = 'u-4720'\"}");

    Outcome first = night.lethe("run");
    assertThat(first.code()).as("%s", first).isEqualTo(3);
    assertThat(lastCause(night)).isEqualTo(Event.Cause.NOT_CERTIFIED);
    assertThat(night.ledger().state().versions()).as("one attempt a night").hasSize(2);
    for (int later = 0; later < 6 && state(night, "more") != State.PUBLISHED; later++) {
      night.lethe("run");
    }

    assertThat(state(night, "row")).isIn(State.PUBLISHED, State.SUPERSEDED);
    assertThat(state(night, "more")).isEqualTo(State.PUBLISHED);
    assertThat(night.ledger().state().waiting())
        .extracting(TrackedRequest::id)
        .containsExactly("all");
    assertThat(night.done("status", "--reasons").out()).contains("waits again      all: ");
    // nobody else waits: it is tried, and keeps nobody that comes after it
    assertThat(night.lethe("run").code()).isEqualTo(3);
    night.submit("label", RELABEL);
    Outcome passed = night.done("run");
    assertThat(passed.out()).contains("could not be certified");
    assertThat(state(night, "label")).isEqualTo(State.PUBLISHED);
    assertThat(state(night, "all")).isEqualTo(State.ADMITTED);
  }

  @Test
  void run_twoCouldNotBeCertifiedAndOneNowCan_itIsTriedWithoutTheOther() {
    String all = "- relabel: {to: \"1 - label\", where: \"age > 0\"}";
    Night night = Night.begin("solver: {method: cholesky, max-steps: 1}");
    night.submit("all", all);
    night.submit("row", REMOVE);
    for (int run = 0; run < 3; run++) {
      assertThat(night.lethe("run").code()).isEqualTo(3);
    }
    assertThat(night.ledger().state().uncertifiable()).containsExactly("all", "row");

    Night enough =
        new Night(
            night.root(), night.data(), "solver: {method: cholesky, max-steps: 4}", night.scheme());
    for (int run = 0; run < 4 && state(enough, "row") != State.PUBLISHED; run++) {
      enough.lethe("run");
    }

    assertThat(state(enough, "row")).isEqualTo(State.PUBLISHED);
    assertThat(state(enough, "all")).isEqualTo(State.ADMITTED);
    // and one that could be certified alone all the time is not kept by newer ones
    Night plenty = new Night(night.root(), night.data(), "", night.scheme());
    plenty.submit("label", RELABEL);
    plenty.done("run");
    assertThat(state(plenty, "all")).isEqualTo(State.PUBLISHED);
    assertThat(state(plenty, "label")).isEqualTo(State.SUPERSEDED);
  }

  @Test
  void run_fileOfTheTableIsGoneWhileItIsRead_isNoRequestsFault() throws Exception {
    FailingFileSystem.register(LocalSpark.session().sparkContext().hadoopConfiguration());
    Path root = Places.directory("night");
    Path table = root.resolve("table");
    People.dataset().write().parquet(table.toString());
    Night night = new Night(root, "path: \"failing:" + table + "\"", "", "");
    night.submit("row", REMOVE);
    CertificateTerms terms = new CertificateTerms(0.1, 1e-6, 1e-8);
    night
        .ledger()
        .append(
            new Event.Decided(
                1,
                0,
                UUID.randomUUID().toString(),
                terms,
                Spent.planned(terms, 11),
                List.of("row"),
                List.of()));
    AtomicInteger gone = new AtomicInteger();
    FailingFileSystem.reader =
        file -> {
          boolean ofRows =
              StackWalker.getInstance()
                  .walk(
                      frames ->
                          frames.anyMatch(
                              frame -> frame.getClassName().contains("WithholdingRows")));
          if (ofRows && gone.getAndIncrement() == 0) {
            throw new FileNotFoundException(file.toString());
          }
        };

    Outcome held = night.lethe("run");

    assertThat(gone.get()).isPositive();
    assertThat(held.code()).as("%s", held).isEqualTo(2);
    assertThat(night.ledger().state().waiting()).isEmpty();
    assertThat(night.ledger().state().unfinished()).isPresent();
    night.done("run");
    assertThat(state(night, "row")).isEqualTo(State.PUBLISHED);
  }

  @Test
  void run_onlyRequestOfAVersionThatWasBegunSpoilsIt_nothingIsLeftToDo() {
    Night night = Night.begin("");
    night.submit("spoils", "- removeRows: {where: \"label = 1\"}"); // one class is left
    CertificateTerms terms = new CertificateTerms(0.1, 1e-6, 1e-8);
    night
        .ledger()
        .append(
            new Event.Decided(
                1,
                0,
                UUID.randomUUID().toString(),
                terms,
                Spent.planned(terms, 11),
                List.of("spoils"),
                List.of()));

    Outcome run = night.done("run");

    assertThat(run.out()).contains("nothing to do");
    assertThat(state(night, "spoils")).isEqualTo(State.REFUSED);
  }

  @Test
  void run_columnOfAConditionIsDamaged_isNoRequestsFault() throws Exception {
    Path root = Places.directory("night");
    Path table = root.resolve("table");
    People.dataset()
        .coalesce(1)
        .write()
        .option("parquet.enable.dictionary", "false")
        .option("compression", "none")
        .parquet(table.toString());
    Path file;
    try (Stream<Path> files = Files.list(table)) {
      file = files.filter(one -> one.toString().endsWith(".parquet")).findFirst().orElseThrow();
    }
    byte[] whole = Files.readAllBytes(file);
    byte[] damaged = whole.clone();
    try (ParquetFileReader reader =
        ParquetFileReader.open(
            HadoopInputFile.fromPath(
                new org.apache.hadoop.fs.Path(file.toUri()), new Configuration()))) {
      for (BlockMetaData block : reader.getFooter().getBlocks()) {
        for (ColumnChunkMetaData column : block.getColumns()) {
          if (column.getPath().toDotString().equals("user_id")) {
            int begin = (int) column.getStartingPos();
            Arrays.fill(damaged, begin, begin + 8, (byte) 0xff); // the header of a page
          }
        }
      }
    }
    assertThat(damaged).isNotEqualTo(whole);
    Night night = new Night(root, "path: " + table, "", "");
    night.submit("row", REMOVE);
    write(file, damaged);

    Outcome held = night.lethe("run");

    assertThat(held.code()).as("%s", held).isEqualTo(2);
    assertThat(held.err()).contains("could not be read");
    assertThat(state(night, "row")).isEqualTo(State.RECEIVED);
    write(file, whole);
    night.done("run");
    assertThat(state(night, "row")).isEqualTo(State.PUBLISHED);
  }

  private static void write(Path file, byte[] content) throws IOException {
    Files.write(file, content);
    Files.deleteIfExists(file.resolveSibling("." + file.getFileName() + ".crc"));
  }

  @Test
  void run_tableGrowsBeforeTheVersionIsVerified_isNoBrokenClaim() throws Exception {
    FailingFileSystem.register(LocalSpark.session().sparkContext().hadoopConfiguration());
    Path root = Places.directory("night");
    Path table = root.resolve("table");
    People.dataset().write().parquet(table.toString());
    Night night =
        new Night(root, "path: " + table, "lease: {length: 60s, single-writer: true}", "failing:");
    assertThat(night.submit("row", REMOVE).code()).isZero();
    FailingFileSystem.observer =
        (source, target) -> {
          if (target.getName().equals("000001")) {
            People.dataset().limit(5).write().mode(SaveMode.Append).parquet(table.toString());
          }
        };

    Outcome changed = night.lethe("run");

    assertThat(changed.code()).as("%s", changed).isEqualTo(3);
    assertThat(changed.out()).contains("the table is not the one that it was made of");
    assertThat(lastCause(night)).isEqualTo(Event.Cause.DATA_CHANGED);
    assertThat(night.version(1)).doesNotExist();
    assertThat(night.ledger().state().waiting()).hasSize(1);
    assertThat(night.ledger().state().releases().squaredMu()).as("it counts").isPositive();
    assertThat(night.done("status", "--reasons").out())
        .contains("waits again      row: " + Event.Cause.DATA_CHANGED.text());
    night.done("run");
    assertThat(night.ledger().state().current().number()).isEqualTo(2);
  }

  @Test
  void run_certificateOfTheBaseIsMissingOrAnother_isRefused() throws Exception {
    Night night = Night.begin("");
    night.submit("race", "- removeFeatures: [race]");
    night.done("run");
    night.submit("row", REMOVE);
    Path certificate = night.version(1).resolve("certificate.json");
    String document = Files.readString(certificate);

    Files.delete(certificate);
    Outcome missing = night.lethe("run");
    // of the same model, and silent on what was removed
    Files.writeString(
        certificate, document.replaceFirst("(\"zeroCoefficients\" : )\\[[^]]*]", "$1[ ]"));
    assertThat(Files.readString(certificate)).isNotEqualTo(document);
    Outcome another = night.lethe("run");

    for (Outcome refused : List.of(missing, another)) {
      assertThat(refused.code()).as("%s", refused).isEqualTo(2);
      assertThat(refused.err()).contains("is not the certificate of version 1");
    }
    Files.writeString(certificate, document);
    night.done("run");
    assertThat(night.certificate(2).zeroCoefficients()).containsExactly(8, 9);
  }

  @Test
  void commands_storeDoesNotAnswer_areAnOutageAndNoBrokenClaim() {
    Configuration hadoop = LocalSpark.session().sparkContext().hadoopConfiguration();
    hadoop.setInt("ipc.client.connect.max.retries", 0);
    try {
      Night night = Night.begin("");
      Path config =
          Places.write(
              night.root().resolve("away.yaml"),
              Places.read(night.config())
                  .replaceFirst("ledger: \\S+", "ledger: " + NOWHERE + "/l"));
      List<List<String>> commands =
          List.of(
              List.of("verify", "--ledger", NOWHERE + "/l"),
              List.of("status", "--config", config.toString()),
              List.of("run", "--config", config.toString()),
              List.of("submit", "--config", config.toString(), "--each", NOWHERE + "/inbox"));
      for (List<String> command : commands) {
        Outcome away = Outcome.of(command);
        assertThat(away.code()).as("%s: %s", command, away).isEqualTo(5);
        assertThat(away.err()).contains("a storage or network service could not be reached");
        assertThat(away.out()).doesNotContain("FAIL");
      }
    } finally {
      hadoop.unset("ipc.client.connect.max.retries");
    }
  }
}

package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.certificate.StorageContract;
import java.io.IOException;
import java.security.PrivilegedExceptionAction;
import java.util.List;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.security.AccessControlException;
import org.apache.hadoop.security.UserGroupInformation;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Everything on HDFS: a NameNode and a DataNode of the Hadoop of the Spark under test. */
@ExtendWith(PimaRelease.class)
class HdfsIT extends StorageContract {
  private static LoopbackHadoop hadoop;

  private final PimaRelease.Shared pima = PimaRelease.get();
  private final Path root = new Path(hadoop.url("/storage-" + UUID.randomUUID() + "/root"));

  @BeforeAll
  static void start() throws Exception {
    PimaRelease.Shared pima = PimaRelease.get();
    hadoop = LoopbackHadoop.start(pima.spark(), pima.path("hdfs"), false);
  }

  @AfterAll
  static void stop() throws Exception {
    if (hadoop != null) {
      hadoop.close();
    }
  }

  @Override
  protected Configuration conf() {
    return hadoop.configuration();
  }

  @Override
  protected Path root() {
    return root;
  }

  @Test
  void unlearn_everythingOnHdfs_sameBitsAndPrivateVault() throws Exception {
    String out = hadoop.url("/out");
    String vault = hadoop.url("/private/vault");

    Submission.Result run =
        pima.spark()
            .lethe(
                "unlearn-hdfs",
                List.of("--master", "local[2]"),
                List.of(
                    "unlearn",
                    "--model",
                    hadoop.put(pima.model(), "/model"),
                    "--data",
                    hadoop.put(pima.table(), "/table.csv"),
                    "--format",
                    "csv",
                    "--request",
                    hadoop.put(pima.request(), "/request.yaml"),
                    "--solver",
                    "cg",
                    "--partitions",
                    String.valueOf(PimaRelease.PARTITIONS),
                    "--out",
                    out,
                    "--vault",
                    vault));

    assertThat(run.exitCode()).as(run.described()).isZero();
    ClusterIT.assertCertified(hadoop.get(out, pima.path("hdfs/copy/out")));
    ClusterIT.assertSameBits(
        EvidenceFile.in(hadoop.get(vault, pima.path("hdfs/copy/vault"))),
        EvidenceFile.in(pima.vault()));
    assertPrivate(hadoop.hdfs(), new Path(vault));
    assertThat(hadoop.hdfs().listStatus(new Path(out).getParent()))
        .extracting(status -> status.getPath().getName())
        .as("nothing staged is left")
        .noneMatch(name -> name.startsWith("."));
  }

  @Test
  void staging_anotherAccount_readsNothingBeforeTheCommit() throws Exception {
    FileSystem hdfs = hadoop.hdfs();
    Path parent = new Path(hadoop.url("/models"));
    hdfs.mkdirs(parent);
    List<AclEntry> inherited =
        AclEntry.parseAclSpec("default:user:scorer:r-x,default:other::---", true);
    hdfs.modifyAclEntries(parent, inherited);
    Path ordinary = new Path(parent, "ordinary");
    hdfs.mkdirs(ordinary);
    Path out = new Path(parent, "out");
    UserGroupInformation scorer = UserGroupInformation.createRemoteUser("scorer");
    try (AtomicPublication publication =
            AtomicPublication.begin(hadoop.configuration(), out.toString());
        FileSystem theirs =
            scorer.doAs(
                (PrivilegedExceptionAction<FileSystem>)
                    () -> FileSystem.newInstance(hadoop.configuration()))) {
      publication.write("a", new byte[] {1});
      Path closed = publication.staging().getParent();
      assertThat(hdfs.getFileStatus(closed).getPermission())
          .isEqualTo(new FsPermission((short) 0700));
      assertThatThrownBy(() -> theirs.open(publication.resolve("a")).close())
          .isInstanceOf(AccessControlException.class);
      assertThatThrownBy(() -> theirs.listStatus(closed))
          .isInstanceOf(AccessControlException.class);

      publication.commit();

      theirs.open(new Path(out, "a")).close();
    }
    assertThat(hdfs.getAclStatus(out).getEntries())
        .isEqualTo(hdfs.getAclStatus(ordinary).getEntries())
        .isNotEmpty();
    assertThat(hdfs.getFileStatus(out).getPermission())
        .isEqualTo(hdfs.getFileStatus(ordinary).getPermission());
    assertThat(hdfs.listStatus(parent)).hasSize(2);
  }

  /** Modes of the vault and of everything in it. */
  static void assertPrivate(FileSystem hdfs, Path vault) throws IOException {
    assertThat(hdfs.getFileStatus(vault).getPermission()).isEqualTo(new FsPermission((short) 0700));
    int files = 0;
    RemoteIterator<LocatedFileStatus> all = hdfs.listFiles(vault, true);
    while (all.hasNext()) {
      FileStatus file = all.next();
      assertThat(file.getPermission())
          .as(file.getPath().toString())
          .isEqualTo(new FsPermission((short) 0600));
      assertThat(hdfs.getFileStatus(file.getPath().getParent()).getPermission())
          .as("of the folder of " + file.getPath())
          .isEqualTo(new FsPermission((short) 0700));
      files++;
    }
    assertThat(files).as("the key and the evidence").isEqualTo(2);
  }
}

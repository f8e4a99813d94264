package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Serializers that a site may have set. */
@ExtendWith(PimaRelease.class)
class SerializerIT {
  private final PimaRelease.Shared pima = PimaRelease.get();

  @Test
  void unlearn_kryo_sameBits() throws Exception {
    Path vault = pima.path("kryo/vault");

    Submission.Result run =
        pima.spark()
            .lethe(
                "unlearn-kryo",
                List.of(
                    "--master",
                    "local[2]",
                    "--conf",
                    "spark.serializer=org.apache.spark.serializer.KryoSerializer"),
                pima.unlearn(pima.table(), PimaRelease.PARTITIONS, pima.path("kryo/out"), vault));

    assertThat(run.exitCode()).as(run.described()).isZero();
    ClusterIT.assertCertified(pima.path("kryo/out"));
    ClusterIT.assertSameBits(EvidenceFile.in(vault), EvidenceFile.in(pima.vault()));
  }
}

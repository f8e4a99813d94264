package dev.lethe.spark.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Networks on executors in JVMs of their own, which get libtorch from the driver. */
@ExtendWith(PimaRelease.class)
class NetworkIT {
  private static final List<String> LOCAL_KRYO =
      List.of(
          "--master",
          "local[2]",
          "--conf",
          "spark.serializer=org.apache.spark.serializer.KryoSerializer");

  private final PimaRelease.Shared pima = PimaRelease.get();

  @Test
  void trainAndUnlearn_onCluster_sameBitsAsOnOneMachine() throws Exception {
    Path cluster = trainAndUnlearn("network-cluster", pima.onCluster());
    Path local = trainAndUnlearn("network-local", LOCAL_KRYO);

    for (String file : List.of("network/module.pt", "unlearned/model/module.pt")) {
      assertThat(cluster.resolve(file)).hasSameBinaryContentAs(local.resolve(file));
    }
    JsonNode report = report(cluster);
    assertThat(report.required("verdict").asText()).isEqualTo("empirical");
    assertThat(report.required("changed").required("removed").asLong()).isEqualTo(35);
    assertThat(report.required("after")).isEqualTo(report(local).required("after"));
    assertThat(report.required("update")).isEqualTo(report(local).required("update"));
  }

  private static JsonNode report(Path folder) throws IOException {
    return new ObjectMapper().readTree(folder.resolve("unlearned/report.json").toFile());
  }

  private Path trainAndUnlearn(String name, List<String> options) throws Exception {
    Path folder = Files.createDirectories(pima.path(name));
    Path request = folder.resolve("request.yaml");
    Files.writeString(
        request,
        """
        id: network-1
        changes:
          - relabel: {to: "0", where: "Pregnancies = 13"}
          - removeRows: {where: "BloodPressure = 0"}
        """);
    run(
        name + "-train",
        options,
        "train",
        "--features",
        "Pregnancies,Glucose,BloodPressure,Insulin",
        "--shape",
        "4",
        "--divisor",
        "100",
        "--label",
        "Outcome",
        "--outputs",
        "2",
        "--architecture",
        "mlp",
        "--hidden",
        "8",
        "--epochs",
        "3",
        "--batch",
        "64",
        "--out",
        folder.resolve("network").toString());
    run(
        name + "-unlearn",
        options,
        "unlearn",
        "--model",
        folder.resolve("network").toString(),
        "--request",
        request.toString(),
        "--rounds",
        "2",
        "--out",
        folder.resolve("unlearned").toString());
    return folder;
  }

  private void run(String name, List<String> options, String... words) throws Exception {
    List<String> all = new ArrayList<>(List.of("neural"));
    all.addAll(List.of(words));
    all.addAll(List.of("--data", pima.table().toString(), "--format", "csv", "--partitions", "3"));
    Submission.Result result = pima.spark().lethe(name, options, all);
    assertThat(result.exitCode()).as(result.described()).isZero();
  }
}

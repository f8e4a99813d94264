package dev.lethe.spark.cli;

import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkUnlearning;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.neural.NeuralReport;
import dev.lethe.spark.neural.NeuralSummary;
import dev.lethe.spark.neural.NeuralUnlearnJob;
import dev.lethe.spark.neural.NeuralUnlearnOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
    name = "unlearn",
    description = {
      "Makes a network forget what a request names, and measures what is left.",
      "",
      "Writes, all or nothing, OUT/model (network.json, module.pt) and OUT/report.json, which is"
          + " confidential. No certificate: the verdict is \"empirical\"."
    },
    footerHeading = "%n",
    footer = {
      "Example:",
      "  lethe neural unlearn --model models/texts --data texts --request forget.yaml \\",
      "                       --canary canary.json --out models/texts-2"
    })
final class NeuralUnlearnCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "DIR",
      description = "The network, as lethe neural train saves it")
  private String model;

  @Option(
      names = "--data",
      required = true,
      paramLabel = "PATH",
      description = "The table that it was trained on; the request's changes are applied to it")
  private String data;

  @Mixin private TableOptions table;

  @Option(
      names = "--request",
      required = true,
      paramLabel = "PATH",
      description =
          "What to forget (docs/requests.md), without a certificate: replaceText, relabel,"
              + " replaceFeatures, removeRows; a file or a directory, repeatable")
  private List<String> request = new ArrayList<>();

  @Option(names = "--id", paramLabel = "ID", description = "Of several requests that are merged")
  private @Nullable String id;

  @Mixin private RequestTable requestTable;

  @Option(
      names = "--method",
      paramLabel = "METHOD",
      description =
          "second-order (default; damped conjugate gradient), lissa, first-order; to compare with,"
              + " fine-tune (trains on) and retrain (trains anew). Options of other methods are"
              + " refused")
  private @Nullable String method;

  @Option(
      names = "--layers",
      paramLabel = "NAME",
      split = ",",
      description =
          "Beginnings of the names of the parameters that are updated (default: all). A cnn's last"
              + " layers are fc, its convolutions conv, its batch norms norm")
  private List<String> layers = new ArrayList<>();

  @Option(
      names = "--gradient",
      paramLabel = "KIND",
      description =
          "difference (default; of the changed examples, as the paper has it) or corrected (of all"
              + " corrected data: a Newton step towards their minimiser)")
  private @Nullable String gradient;

  @Option(
      names = "--curvature",
      paramLabel = "KIND",
      description = "gauss-newton (default; positive semidefinite) or hessian")
  private @Nullable String curvature;

  @Option(
      names = "--share",
      paramLabel = "X",
      description =
          "Share of the corrected data that a product is taken of (default: "
              + NetworkUnlearning.Options.SHARE
              + ")")
  private @Nullable Double share;

  @Option(
      names = "--loss-share",
      paramLabel = "X",
      description =
          "Share of the corrected data that a step is checked on (default: "
              + NetworkUnlearning.Options.LOSS_SHARE
              + ")")
  private @Nullable Double lossShare;

  @Option(
      names = "--loss-increase",
      paramLabel = "X",
      description =
          "What a step may raise the mean loss on it by, relative; a shorter step is tried instead"
              + " (default: "
              + NetworkUnlearning.Options.LOSS_INCREASE
              + ")")
  private @Nullable Double lossIncrease;

  @Option(
      names = "--remembered-beyond",
      paramLabel = "X",
      description =
          "An old target counts as remembered, or avoided, where its log odds are more than this"
              + " many standard deviations above, or below, their mean where it is no target"
              + " (default: "
              + NeuralUnlearnOptions.LABELS_BEYOND
              + "; of a text "
              + NeuralUnlearnOptions.TEXTS_BEYOND
              + ")")
  private @Nullable Double rememberedBeyond;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      description =
          "Updates at most, as long as changed examples are wrong, remembered or avoided (default: "
              + NetworkUnlearning.Options.ROUNDS
              + ")")
  private @Nullable Integer rounds;

  @Option(
      names = "--iterations",
      paramLabel = "N",
      description = "Of a solve at most (default: " + NetworkUnlearning.Options.ITERATIONS + ")")
  private @Nullable Integer iterations;

  @Option(
      names = "--tolerance",
      paramLabel = "X",
      description =
          "Of a solve: relative residual, or change of LiSSA (default: "
              + NetworkUnlearning.Options.TOLERANCE
              + ")")
  private @Nullable Double tolerance;

  @Option(
      names = "--rate",
      paramLabel = "X",
      description = "Of first order (default: 1 / the largest eigenvalue, by Lanczos)")
  private @Nullable Double rate;

  @Option(
      names = "--damping",
      paramLabel = "X",
      description =
          "Added to the curvature (default: 0.0001 times the largest eigenvalue); where the solver"
              + " finds no step it is multiplied by 8")
  private @Nullable Double damping;

  @Option(
      names = "--scale",
      paramLabel = "X",
      description = "Of LiSSA (default: twice the largest eigenvalue)")
  private @Nullable Double scale;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      description =
          "Of fine-tune (default: "
              + NeuralUnlearnOptions.EPOCHS
              + "); retrain takes the network's own")
  private @Nullable Integer epochs;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Of samples (default: " + NetworkUnlearning.Options.SEED + ")")
  private @Nullable Long seed;

  @Mixin private TestTable test;

  @Option(
      names = "--canary",
      paramLabel = "FILE",
      description =
          "A secret whose exposure is measured before and after: JSON with schemaVersion 1, context,"
              + " secret and alphabet. Confidential")
  private @Nullable String canary;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Where network and report appear; must not exist")
  private String out;

  @Mixin private FiguresOption figures;

  @Mixin private Standard standard;

  @Override
  public Integer call() {
    TableSource source = table.source("--data", data);
    NeuralUnlearnOptions options =
        NeuralUnlearnOptions.builder(model, source, requestTable.source(request, id), out)
            .method(method == null ? null : NeuralUnlearnOptions.Method.of(method))
            .layers(layers)
            .gradient(gradient())
            .curvature(curvature())
            .share(share)
            .lossShare(lossShare)
            .lossIncrease(lossIncrease)
            .rememberedBeyond(rememberedBeyond)
            .rounds(rounds)
            .iterations(iterations)
            .tolerance(tolerance)
            .rate(rate)
            .damping(damping)
            .scale(scale)
            .epochs(epochs)
            .seed(seed)
            .test(test.source(source))
            .canary(canary)
            .partitions(table.partitions())
            .build();
    try (LetheSession session = LetheSession.open("Lethe neural unlearn")) {
      NeuralReport report = new NeuralUnlearnJob(options, session.spark()).run();
      NeuralSummary.of(report, out, figures.shown()).print(spec.commandLine().getOut());
      return report.published() ? 0 : Lethe.NOT_ACHIEVED;
    }
  }

  private NetworkUnlearning.@Nullable Gradient gradient() {
    if (gradient == null) {
      return null;
    }
    return switch (gradient) {
      case "difference" -> NetworkUnlearning.Gradient.DIFFERENCE;
      case "corrected" -> NetworkUnlearning.Gradient.CORRECTED;
      default ->
          throw new InvalidInputException(
              "--gradient " + gradient + ": allowed are difference and corrected");
    };
  }

  private @Nullable Curvature curvature() {
    if (curvature == null) {
      return null;
    }
    return switch (curvature) {
      case "gauss-newton" -> Curvature.GAUSS_NEWTON;
      case "hessian" -> Curvature.HESSIAN;
      default ->
          throw new InvalidInputException(
              "--curvature " + curvature + ": allowed are gauss-newton and hessian");
    };
  }
}

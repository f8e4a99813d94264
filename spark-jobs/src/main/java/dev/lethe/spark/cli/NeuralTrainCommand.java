package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.neural.NetworkArchitecture;
import dev.lethe.spark.neural.NetworkSchedule;
import dev.lethe.spark.neural.NeuralSummary;
import dev.lethe.spark.neural.NeuralTrainJob;
import dev.lethe.spark.neural.NeuralTrainOptions;
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
    name = "train",
    description = {
      "Trains a network on Spark, or takes in a TorchScript module of your own.",
      "",
      "Synchronous and data-parallel: a step is one minibatch, to which every partition adds its"
          + " examples. Writes OUT/network.json and OUT/module.pt, a TorchScript module."
    },
    footerHeading = "%n",
    footer = {
      "Examples:",
      "  lethe neural train --data images --features pixels --shape 1,28,28 --divisor 255 \\",
      "        --label label --outputs 10 --architecture cnn --stages 16,32 --hidden 64 \\",
      "        --out models/images",
      "  lethe neural train --data texts --text body --window 24 --architecture lstm \\",
      "        --embedding 32 --hidden 128 --layers 2 --out models/texts"
    })
final class NeuralTrainCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(names = "--data", required = true, paramLabel = "PATH", description = "The table")
  private String data;

  @Mixin private TableOptions table;

  @Option(
      names = "--features",
      paramLabel = "COLUMN",
      split = ",",
      description = "Columns of numbers, arrays of numbers, vectors or bytes, one after the other")
  private List<String> features = new ArrayList<>();

  @Option(
      names = "--shape",
      paramLabel = "N",
      split = ",",
      description = "Shape of these numbers: of images channels, height, width")
  private List<Integer> shape = new ArrayList<>();

  @Option(
      names = "--divisor",
      paramLabel = "X",
      description = "Every number is divided by it (default: " + NeuralTrainOptions.DIVISOR + ")")
  private @Nullable Double divisor;

  @Option(
      names = "--text",
      paramLabel = "COLUMN",
      description =
          "Instead of --features: a column of texts, of which every character is predicted from those"
              + " before it")
  private @Nullable String text;

  @Option(
      names = "--window",
      paramLabel = "N",
      description =
          "Characters before the one that is predicted (default: "
              + NeuralTrainOptions.WINDOW
              + ")")
  private @Nullable Integer window;

  @Option(
      names = "--label",
      paramLabel = "COLUMN",
      description = "The label's column; not with --text. Classes are 0, 1, 2...")
  private @Nullable String label;

  @Option(
      names = "--outputs",
      paramLabel = "N",
      description =
          "Classes, or numbers of a label (default: "
              + NeuralTrainOptions.OUTPUTS
              + "); not with --text")
  private @Nullable Integer outputs;

  @Option(
      names = "--loss",
      paramLabel = "LOSS",
      description = "cross-entropy (default), binary-cross-entropy or squared")
  private @Nullable String loss;

  @Option(
      names = "--architecture",
      paramLabel = "KIND",
      description =
          "mlp (--hidden), lstm (--embedding, --hidden, --layers) or cnn (--stages, --hidden; pairs"
              + " of 3x3 convolutions with batch norm)")
  private @Nullable String architecture;

  @Option(
      names = "--hidden",
      paramLabel = "N",
      split = ",",
      description = "Sizes of hidden layers (default: 128)")
  private List<Integer> hidden = new ArrayList<>();

  @Option(
      names = "--embedding",
      paramLabel = "N",
      description = "Size of a character's vector (default: 64)")
  private @Nullable Integer embedding;

  @Option(names = "--layers", paramLabel = "N", description = "Layers of the lstm (default: 2)")
  private @Nullable Integer layers;

  @Option(
      names = "--stages",
      paramLabel = "N",
      split = ",",
      description = "Channels of each stage of the cnn (default: 32,64)")
  private List<Integer> stages = new ArrayList<>();

  @Option(
      names = "--module",
      paramLabel = "FILE",
      description =
          "Instead of --architecture: a TorchScript module of your own, which takes one tensor,"
              + " examples first, and gives one, examples first. With --epochs 0 it is taken as it is")
  private @Nullable String module;

  @Option(
      names = "--optimizer",
      paramLabel = "NAME",
      defaultValue = "adam",
      description = "adam (default) or sgd")
  private String optimizer;

  @Option(
      names = "--rate",
      paramLabel = "X",
      defaultValue = "0.001",
      description = "Step length of the optimizer (default: 0.001)")
  private double rate;

  @Option(
      names = "--momentum",
      paramLabel = "X",
      defaultValue = "0",
      description = "Of sgd (default: 0)")
  private double momentum;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "64",
      description = "Examples of a minibatch (default: 64)")
  private int batch;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      defaultValue = "10",
      description = "Passes over the data (default: 10)")
  private int epochs;

  @Option(
      names = "--reg-param",
      paramLabel = "LAMBDA",
      defaultValue = "0",
      description = "Of (1/n) sum_i l_i + LAMBDA/2 ||theta||^2 (default: 0)")
  private double regParam;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Of weights and minibatches (default: 1)")
  private long seed;

  @Option(
      names = "--checkpoint",
      paramLabel = "DIR",
      description =
          "Keeps how far the training is in this folder, and goes on from there; confidential, and"
              + " deleted at the end")
  private @Nullable String checkpoint;

  @Option(
      names = "--checkpoint-steps",
      paramLabel = "N",
      description =
          "Steps between checkpoints (default: " + NeuralTrainOptions.CHECKPOINT_STEPS + ")")
  private @Nullable Integer checkpointSteps;

  @Mixin private TestTable test;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Where to save the network; must not exist")
  private String out;

  @Mixin private FiguresOption figures;

  @Mixin private Standard standard;

  @Override
  public Integer call() {
    check();
    TableSource source = table.source("--data", data);
    NeuralTrainOptions options =
        NeuralTrainOptions.builder(
                source,
                architecture(),
                new NetworkSchedule(optimizer, rate, momentum, batch, epochs, regParam, seed),
                out)
            .numbers(features, shape)
            .divisor(divisor)
            .text(text)
            .window(window)
            .label(label)
            .outputs(outputs)
            .loss(loss)
            .module(module)
            .test(test.source(source))
            .checkpoint(checkpoint)
            .checkpointSteps(checkpointSteps)
            .partitions(table.partitions())
            .build();
    try (LetheSession session = LetheSession.open("Lethe neural train")) {
      NeuralTrainJob.Result result = new NeuralTrainJob(options, session.spark()).run();
      NeuralSummary.of(result, out, figures.shown()).print(spec.commandLine().getOut());
      return result.finished() ? 0 : Lethe.NOT_ACHIEVED;
    }
  }

  private NetworkArchitecture architecture() {
    if (module != null) {
      return NetworkArchitecture.own();
    }
    return new NetworkArchitecture(
        String.valueOf(architecture),
        hidden.isEmpty() ? List.of(128) : List.copyOf(hidden),
        embedding == null ? 64 : embedding,
        layers == null ? 2 : layers,
        stages.isEmpty() ? List.of(32, 64) : List.copyOf(stages));
  }

  private void check() {
    if ((architecture == null) == (module == null)) {
      throw new InvalidInputException("--architecture or --module: exactly one is needed");
    }
    if (text == null && (features.isEmpty() || label == null || shape.isEmpty())) {
      throw new InvalidInputException(
          "--features, --shape and --label, or --text: one of the two is needed");
    }
    if (text != null
        && (!features.isEmpty()
            || label != null
            || !shape.isEmpty()
            || divisor != null
            || outputs != null)) {
      throw new InvalidInputException(
          "--text: excludes --features, --shape, --divisor, --label and --outputs");
    }
    if (text == null && window != null) {
      throw new InvalidInputException("--window: needs --text");
    }
    if (module != null
        && (!hidden.isEmpty() || embedding != null || layers != null || !stages.isEmpty())) {
      throw new InvalidInputException(
          "--module: excludes --hidden, --embedding, --layers and --stages");
    }
    if ((embedding != null || layers != null) && !"lstm".equals(architecture)) {
      throw new InvalidInputException("--embedding and --layers: need --architecture lstm");
    }
    if (!stages.isEmpty() && !"cnn".equals(architecture)) {
      throw new InvalidInputException("--stages: needs --architecture cnn");
    }
    if (checkpoint == null && checkpointSteps != null) {
      throw new InvalidInputException("--checkpoint-steps: needs --checkpoint");
    }
  }
}

package dev.lethe.spark.cli;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.LetheSession;
import dev.lethe.spark.job.Summary;
import dev.lethe.spark.job.TrainJob;
import dev.lethe.spark.job.TrainOptions;
import dev.lethe.spark.ml.TrainableLoss;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
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
      "Trains a linear model to a stated gradient norm and saves it as Spark ML does.",
      "",
      "The objective is (1/W) sum_i w_i l_i + regParam/2 sum_j c_j theta_j^2, c_j as Spark ML has it"
          + " for the loss: the column's variance, or 1 with --no-standardization; for squared divided"
          + " by the label's deviation; for gamma 1, for poisson the mean label. The losses are Spark"
          + " ML's, but for the two hinges, which are smooth. With --like MODEL --request FILE it is the"
          + " retraining from scratch on the corrected data that unlearning is compared with."
    },
    footerHeading = "%n",
    footer = {
      "Example:",
      "  lethe train --data adult.csv --format csv --label income --reg-param 0.001 \\",
      "              --out models/adult"
    })
final class TrainCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Option(names = "--data", required = true, paramLabel = "PATH", description = "The table")
  private String data;

  @Mixin private TableOptions table;

  @Option(
      names = "--label",
      paramLabel = "COLUMN",
      description = "The table's label column; required without --like")
  private @Nullable String label;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Where to save the model; must not exist")
  private String out;

  @Option(
      names = "--features",
      paramLabel = "COLUMN",
      split = ",",
      description =
          "Columns to learn from (default: all but label and weight). Strings are indexed and one-hot"
              + " encoded; numbers, booleans and vectors are taken as they are")
  private List<String> features = new ArrayList<>();

  @Option(
      names = "--pipeline",
      paramLabel = "DIR",
      description =
          "Instead of --features: a saved Spark ML Pipeline or PipelineModel of featurizers")
  private @Nullable String pipeline;

  @Option(
      names = "--like",
      paramLabel = "DIR",
      description = "Instead: featurizer and hyperparameters of this model, coefficients from zero")
  private @Nullable String like;

  @Option(
      names = "--model-certificate",
      paramLabel = "FILE",
      description =
          "With --like, the model's certificate, where it comes from Lethe: what it says was removed stays removed"
              + " (default: DIR/../certificate.json, if it is there)")
  private @Nullable String modelCertificate;

  @Option(
      names = "--request",
      paramLabel = "PATH",
      description =
          "With --like: apply these corrections first; a file or a directory of requests,"
              + " repeatable")
  private List<String> request = new ArrayList<>();

  @Mixin private RequestTable requestTable;

  @Option(
      names = "--loss",
      paramLabel = "LOSS",
      description =
          "logistic (default), multinomial, squared, huber, smoothed-hinge, squared-hinge, binomial,"
              + " poisson or gamma: the Spark ML model that is saved is a LogisticRegressionModel for"
              + " the first two, a LinearRegressionModel for the next two, a LinearSVCModel for the"
              + " hinges, and a GeneralizedLinearRegressionModel for the others. Or"
              + " one-vs-rest-logistic, one-vs-rest-smoothed-hinge or one-vs-rest-squared-hinge: a"
              + " OneVsRestModel of these, labels 0, 1, 2...")
  private @Nullable String loss;

  @Option(
      names = "--reg-param",
      paramLabel = "LAMBDA",
      description =
          "Spark ML's regParam, on the mean loss (default: 0.001; for binomial, poisson and gamma 0)."
              + " binomial, and poisson without intercept, allow 0 only")
  private @Nullable Double regParam;

  @Option(
      names = "--no-standardization",
      description =
          "Penalise theta_j itself, not s_j theta_j (Spark ML's standardization = false); without"
              + " effect for binomial, poisson and gamma, which never standardise")
  private boolean noStandardization;

  @Option(names = "--no-intercept", description = "No intercept (Spark ML's fitIntercept = false)")
  private boolean noIntercept;

  @Option(
      names = "--weight",
      paramLabel = "COLUMN",
      description = "The row weights' column (default: every row weighs 1)")
  private @Nullable String weight;

  @Mixin private PerturbationOptions perturbation;

  @Mixin private VaultOptions vaultKey;

  @Option(
      names = "--gradient-norm",
      paramLabel = "G",
      defaultValue = "1e-9",
      description =
          "Gradient norm to reach, mean form: ||grad L||_2 / W (default: 1e-9; Spark ML's own fit"
              + " stops at about 1e-6)")
  private double gradientNorm;

  @Mixin private TestTable test;

  @Option(
      names = "--evidence",
      paramLabel = "FILE",
      description =
          "An evidence file of unlearn: prints the distance of its un-noised parameters to these")
  private @Nullable String evidence;

  @Mixin private SolverOptions solver;

  @Mixin private FiguresOption figures;

  @Mixin private Standard standard;

  @Override
  public Integer call() throws Exception {
    check();
    TableSource source = table.source("--data", data);
    TrainOptions options =
        new TrainOptions(
            source,
            label,
            out,
            like,
            modelCertificate,
            requestTable.optional(request),
            pipeline,
            features,
            fitted(),
            regParam(),
            !noStandardization && fitted().standardizes(),
            !noIntercept,
            weight,
            perturbation.perturbation(like, fitted(), regParam()),
            gradientNorm,
            test.source(source),
            evidence,
            solver.solver(),
            solver.maxSteps(),
            solver.maxCgIterations(),
            table.partitions(),
            solver.preconditioning());
    try (LetheSession session = LetheSession.open("Lethe train")) {
      TrainJob.Result result =
          new TrainJob(
                  options,
                  vaultKey.encryption(session.spark().sparkContext().hadoopConfiguration()),
                  session.spark())
              .run();
      Summary.of(result, out, figures.shown()).print(spec.commandLine().getOut());
      return result.converged() ? 0 : Lethe.NOT_ACHIEVED;
    }
  }

  private double regParam() {
    return regParam == null ? fitted().defaultRegParam() : regParam;
  }

  private TrainableLoss fitted() {
    return loss == null ? TrainableLoss.LOGISTIC : Objects.requireNonNull(TrainableLoss.of(loss));
  }

  private void check() {
    if (loss != null && TrainableLoss.of(loss) == null) {
      throw new InvalidInputException("--loss " + loss + ": allowed are " + TrainableLoss.words());
    }
    if (like == null) {
      if (label == null) {
        throw new InvalidInputException("--label: required without --like");
      }
      if (!request.isEmpty()) {
        throw new InvalidInputException(
            "--request: needs --like, the model whose training is repeated on corrected data");
      }
      if (pipeline != null && !features.isEmpty()) {
        throw new InvalidInputException("--features and --pipeline exclude each other");
      }
    } else if (pipeline != null
        || !features.isEmpty()
        || loss != null
        || regParam != null
        || noStandardization
        || noIntercept
        || weight != null) {
      throw new InvalidInputException(
          "--like takes featurizer and hyperparameters from the model: leave out --features,"
              + " --pipeline, --loss, --reg-param, --no-standardization, --no-intercept and --weight");
    }
    if (regParam != null && !(regParam >= 0 && Double.isFinite(regParam))) {
      throw new InvalidInputException(
          "--reg-param " + regParam + ": must be finite and at least 0");
    }
    if (!(gradientNorm > 0 && Double.isFinite(gradientNorm))) {
      throw new InvalidInputException(
          "--gradient-norm " + gradientNorm + ": must be finite and greater than 0");
    }
  }
}

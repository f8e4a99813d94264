package dev.lethe.spark.neural;

import static dev.lethe.spark.request.Method.REFINED;

import dev.lethe.core.neural.NetworkSum;
import dev.lethe.core.neural.NetworkSums.Recall;
import dev.lethe.core.neural.NetworkUnlearning;
import dev.lethe.core.neural.TypicalOdds;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.job.BuildInfo;
import dev.lethe.spark.job.LogContext;
import dev.lethe.spark.job.Progress;
import dev.lethe.spark.job.SparkFailures;
import dev.lethe.spark.neural.NeuralUnlearnOptions.Method;
import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.Impact;
import dev.lethe.spark.request.LabelDomain;
import dev.lethe.spark.request.Request;
import dev.lethe.spark.torch.Libtorch;
import java.util.List;
import java.util.Objects;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe neural unlearn}: changes a network as if it had been trained on the corrected data,
 * as far as that can be measured, and says what was measured. Or trains it on, or anew, to compare
 * with.
 */
public final class NeuralUnlearnJob {
  private static final String MODEL = "model/";
  private static final String REPORT = "report.json";

  private final NeuralUnlearnOptions options;
  private final SparkSession spark;

  public NeuralUnlearnJob(NeuralUnlearnOptions options, SparkSession spark) {
    this.options = options;
    this.spark = spark;
  }

  /**
   * Runs the job.
   *
   * @return what was published beside the network; nothing is published if the update diverged or
   *     the training ended with what is not a number
   * @throws InvalidInputException if something given cannot be used; nothing is written then
   */
  public NeuralReport run() {
    Libtorch.require();
    Request request = options.request().read(spark);
    requireForNetworks(request);
    Progress progress = Progress.onTerminal(spark, "Lethe neural unlearn " + request.id());
    try (LogContext log = LogContext.request(spark, request.id());
        AtomicPublication publication =
            AtomicPublication.begin(
                spark.sparkContext().hadoopConfiguration(),
                options.out(),
                options.model(),
                options.table().path())) {
      Network network = Network.load(spark, "--model", options.model());
      @Nullable Canary canary = NeuralEvaluateJob.canary(spark, options.canary());
      Dataset<Row> table = options.table().read(spark);
      NetworkDescription description = network.description();
      Corrections corrections =
          Corrections.of(
              spark,
              request,
              table.schema(),
              description.label(),
              null,
              options.request().toString(),
              Corrections.Lacking.NOTHING);
      if (!corrections.hasRowChanges()) {
        throw new InvalidInputException(
            options.request() + ": changes no row; a network forgets rows, labels and values");
      }
      NetworkTable.check(description, table, place());
      if (options.rememberedBeyond() != null && description.classes() == 0) {
        throw new InvalidInputException(
            "--remembered-beyond: the network's targets are numbers, which nothing is typical of");
      }
      if (options.test() != null) {
        NetworkTable.check(description, options.test().read(spark), options.test().name());
      }
      if (canary != null) {
        canary.requireKnown(description.input());
      }
      try (OpenNetwork open = open(network, progress)) { // --layers may be wrong: before any pass
        Impact impact = inspect(corrections, table, description, progress);
        return updated(
            request, network, open, corrections, table, impact, canary, publication, progress);
      }
    }
  }

  private Impact inspect(
      Corrections corrections,
      Dataset<Row> table,
      NetworkDescription description,
      Progress progress) {
    progress.phase("checking the request");
    return SparkFailures.sanitized(
        place(),
        () ->
            corrections.inspect(
                table,
                description.classes() > 1
                    ? LabelDomain.classes(description.classes())
                    : LabelDomain.any()));
  }

  /** Reads, updates, measures and publishes. */
  private NeuralReport updated(
      Request request,
      Network network,
      OpenNetwork open,
      Corrections corrections,
      Dataset<Row> table,
      Impact impact,
      @Nullable Canary canary,
      AtomicPublication publication,
      Progress progress) {
    try (ChangedExamples examples =
            ChangedExamples.of(
                open,
                request.changes(),
                corrections,
                table,
                corrections.corrected(table),
                options.partitions(),
                place());
        DistributedNetwork test =
            options.test() == null ? null : NeuralEvaluateJob.data(spark, open, options.test())) {
      NeuralTrainJob.requireRows(examples.corrected(), place());
      NeuralReport report =
          report(request, network, open, examples, test, impact, canary, progress);
      if (report.published()) {
        new Network(network.description(), open.module(open.model().parameters()))
            .stage(publication, MODEL);
        publication.write(REPORT, report.toJson());
        publication.commit();
      }
      return report;
    }
  }

  private OpenNetwork open(Network network, Progress progress) {
    List<String> layers = options.layers();
    Network opened = network;
    if (options.method() == Method.RETRAIN) {
      NetworkDescription description = network.description();
      opened =
          new Network(
              description,
              description
                  .architecture()
                  .module(
                      description.input(), description.outputs(), description.schedule().seed()));
    }
    OpenNetwork open = new OpenNetwork(spark, opened, free(layers), progress::description);
    if (open.size() == 0) {
      List<String> names;
      try (OpenNetwork all = new OpenNetwork(spark, opened, any -> true, progress::description)) {
        names = all.model().names();
      }
      open.close();
      throw new InvalidInputException(
          "--layers " + layers + ": no parameter's name begins so; they are " + names);
    }
    return open;
  }

  private static OpenNetwork.Free free(List<String> layers) {
    return name -> layers.isEmpty() || layers.stream().anyMatch(name::startsWith);
  }

  /**
   * @param given the network before
   * @param open what is updated or trained
   */
  private NeuralReport report(
      Request request,
      Network given,
      OpenNetwork open,
      ChangedExamples examples,
      @Nullable DistributedNetwork test,
      Impact impact,
      @Nullable Canary canary,
      Progress progress) {
    NeuralReport.Measured before;
    @Nullable TypicalOdds typical; // one yardstick for before and after: the given network's
    long begin = System.nanoTime();
    double typicalSeconds = 0;
    if (options.method() == Method.RETRAIN) {
      try (OpenNetwork old = new OpenNetwork(spark, given, any -> true, progress::description)) {
        ChangedExamples same = examples.with(old);
        typical = typical(old, same);
        before = measured(old, same, test == null ? null : test.with(old), typical, canary);
      }
    } else {
      typical = typical(open, examples);
      typicalSeconds = options.update() == null ? 0 : (System.nanoTime() - begin) / 1e9;
      before = measured(open, examples, test, typical, canary);
    }
    begin = System.nanoTime();
    boolean finite = true;
    NetworkUnlearning.@Nullable Result updated = null;
    switch (options.method()) {
      case RETRAIN ->
          finite = train(open, examples, open.network().description().schedule(), progress);
      case FINE_TUNE ->
          finite =
              train(
                  open,
                  examples,
                  open.network().description().schedule().withEpochs(options.epochs()),
                  progress);
      default -> updated = update(open, examples, typical, progress);
    }
    double seconds = examples.featureSeconds() + typicalSeconds + (System.nanoTime() - begin) / 1e9;
    return new NeuralReport(
        NeuralReport.SCHEMA_VERSION,
        request.id(),
        options.method().word(),
        NeuralReport.VERDICT,
        NeuralReport.STATEMENT,
        open.size(),
        new NeuralReport.Changed(
            impact.touchedRows(),
            impact.removedRows(),
            examples.before().rows(),
            examples.after().rows(),
            examples.targetAfter().rows()),
        updated == null ? List.of() : updated.rounds(),
        updated != null
            ? updated.outcome().name()
            : finite ? null : NetworkUnlearning.Outcome.DIVERGED.name(),
        before,
        measured(open, examples, test, typical, finite ? canary : null),
        seconds,
        examples.featureSeconds(),
        BuildInfo.version());
  }

  private NetworkUnlearning.Result update(
      OpenNetwork open,
      ChangedExamples examples,
      @Nullable TypicalOdds typical,
      Progress progress) {
    progress.phase("updating");
    NetworkUnlearning.Options given = Objects.requireNonNull(options.update());
    NetworkDescription network = open.network().description();
    double regParam = network.schedule().regParam();
    long rowsBefore =
        examples.corrected().rows() - examples.after().rows() + examples.before().rows();
    NetworkUnlearning.Options fitted =
        given.toBuilder()
            .beyond(rememberedBeyond(network))
            .rounds(rounds(network, given))
            .penalty(regParam * examples.corrected().rows(), regParam * rowsBefore)
            .build();
    NetworkUnlearning.Result result =
        new NetworkUnlearning(
                examples.changed(), examples.corrected(), typical, fitted, progress::update)
            .run(open.model().parameters());
    open.model().setParameters(result.theta());
    return result;
  }

  /** Where targets are numbers none is right or wrong, and nothing says when to repeat. */
  private static int rounds(NetworkDescription network, NetworkUnlearning.Options given) {
    return network.classes() == 0 && given.gradient() == NetworkUnlearning.Gradient.DIFFERENCE
        ? 1
        : given.rounds();
  }

  /** Nothing is typical of a number. */
  private @Nullable Double rememberedBeyond(NetworkDescription network) {
    if (network.classes() == 0) {
      return null;
    }
    if (options.rememberedBeyond() != null) {
      return options.rememberedBeyond();
    }
    return network.input().isText()
        ? NeuralUnlearnOptions.TEXTS_BEYOND
        : NeuralUnlearnOptions.LABELS_BEYOND;
  }

  /** Whether losses and parameters stayed finite. */
  private boolean train(
      OpenNetwork open, ChangedExamples examples, NetworkSchedule schedule, Progress progress) {
    NetworkTraining training = new NetworkTraining(open, examples.corrected(), schedule);
    boolean finite = training.run(schedule.epochs(), progress, () -> {});
    open.model().setParameters(training.theta());
    return finite;
  }

  private static void requireForNetworks(Request request) {
    if (request.certificate() != null) {
      throw new InvalidInputException(
          request.id()
              + ": asks for a certificate; the loss of a network is not convex, and nothing about"
              + " it is certified. Leave the key 'certificate' out");
    }
    if (request.method() != REFINED) {
      throw new InvalidInputException(
          request.id()
              + ": method "
              + request.method().word()
              + ": of a network's update it is an option of the command, --method; leave the key out");
    }
    if (request.featurizer() != FeaturizerPolicy.FROZEN) {
      throw new InvalidInputException(
          request.id() + ": featurizer: a network has none; leave the key out");
    }
    if (request.changes().stream().anyMatch(Change.RemoveFeatures.class::isInstance)) {
      throw new InvalidInputException(
          request.id()
              + ": removeFeatures: a network's inputs cannot be removed; replaceFeatures with a"
              + " constant makes them say nothing");
    }
  }

  private String place() {
    return options.table().name();
  }

  private static @Nullable TypicalOdds typical(OpenNetwork network, ChangedExamples examples) {
    return network.network().description().classes() == 0
        ? null
        : NetworkUnlearning.typical(
            examples.changed(), examples.corrected(), network.model().parameters());
  }

  /** The network on everything that is measured. */
  private NeuralReport.Measured measured(
      OpenNetwork network,
      ChangedExamples examples,
      @Nullable DistributedNetwork test,
      @Nullable TypicalOdds typical,
      @Nullable Canary canary) {
    double[] theta = network.model().parameters();
    NetworkDescription description = network.network().description();
    network.model().setBuffers(network.buffers());
    boolean classes = description.classes() > 0;
    @Nullable NetworkSum was = ofChanged(examples.targetBefore(), theta);
    @Nullable NetworkSum is = ofChanged(examples.targetAfter(), theta);
    @Nullable NetworkSum allWere = ofChanged(examples.before(), theta);
    @Nullable NetworkSum allAre = ofChanged(examples.after(), theta);
    @Nullable Double beyond = rememberedBeyond(description);
    @Nullable Recall recall =
        was == null || typical == null || beyond == null
            ? null
            : examples.targetBefore().recall(theta, typical, beyond);
    NetworkMeasures corrected =
        NetworkMeasures.of(description, examples.corrected().evaluate(theta));
    return new NeuralReport.Measured(
        corrected,
        allWere == null ? null : NetworkMeasures.of(description, allWere),
        allAre == null ? null : NetworkMeasures.of(description, allAre),
        was == null ? null : NetworkMeasures.of(description, was),
        is == null ? null : NetworkMeasures.of(description, is),
        recall == null ? null : recall.remembered(),
        recall == null ? null : recall.avoided(),
        is == null || !classes ? null : is.rows() - is.correct(),
        test == null ? null : NetworkMeasures.of(description, test.evaluate(theta)),
        canary == null || !Double.isFinite(corrected.meanLoss()) // strings then have no order
            ? null
            : canary.memory(network.model(), description.input(), NeuralEvaluateJob.CANARY_SEED));
  }

  private static @Nullable NetworkSum ofChanged(DistributedNetwork changed, double[] theta) {
    return changed.rows() == 0 ? null : changed.evaluate(theta);
  }
}

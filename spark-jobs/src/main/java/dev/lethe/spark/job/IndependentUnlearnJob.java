package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkFailedException;
import dev.lethe.spark.data.ReadTable;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/**
 * {@code lethe unlearn --independent}: every request is answered by itself, with a model, a
 * certificate and evidence of its own, in OUT/(request id). A request that is refused publishes
 * nothing, and keeps no other from being published.
 */
public final class IndependentUnlearnJob {
  private final UnlearnOptions options;
  private final ReleaseKeys keys;
  private final SparkSession spark;
  // one that was refused may delete the empty parent in which another is about to begin
  private final Object places = new Object();

  /**
   * @param options whose {@code out} is the directory of the releases; it may exist
   */
  public IndependentUnlearnJob(UnlearnOptions options, SparkSession spark) {
    this(options, ReleaseKeys.NONE, spark);
  }

  /**
   * @param options whose {@code out} is the directory of the releases; it may exist
   */
  public IndependentUnlearnJob(UnlearnOptions options, ReleaseKeys keys, SparkSession spark) {
    this.options = options;
    this.keys = keys;
    this.spark = spark;
  }

  /** What became of a request. */
  public sealed interface Answer {
    /**
     * Published.
     *
     * @param out directory of the release
     */
    record Published(String out, UnlearnJob.Result result) implements Answer {}

    /**
     * Nothing was written for it.
     *
     * @param name of the request
     */
    record Refused(String name, InvalidInputException reason) implements Answer {
      /** Why, behind the request's name. */
      public String message() {
        String message = String.valueOf(reason.getMessage());
        return message.contains(name) ? message : name + ": " + message;
      }
    }
  }

  /**
   * Runs the job.
   *
   * @return an answer to each request, in their order
   * @throws InvalidInputException if something given cannot be used that is not a matter of one
   *     request; nothing is written then
   * @throws SparkFailedException if Spark fails; what is published by then stays
   */
  public List<Answer> run() throws IOException {
    if (!(options.tables() instanceof GivenTables.Original given)) {
      throw new InvalidInputException(
          "--independent: needs --data alone; corrected rows are the answer to one request");
    }
    RequestSource source = Objects.requireNonNull(options.request());
    if (source.id() != null) {
      throw new InvalidInputException(
          "--id: not with --independent, where every request has its own id");
    }
    List<RequestSource.Single> requests = source.readEach(spark);
    LoadedModel model = LoadedModel.load(spark, "--model", options.model());
    if (model.linear().isPerturbed()) {
      throw new InvalidInputException(
          "--independent: the model was trained with loss perturbation and can be released once;"
              + " give one request");
    }
    checkPlaces(source, requests);
    EarlierRelease earlier = EarlierRelease.of(spark, options.model(), options.modelCertificate());
    GivenTables tables = new GivenTables.Original(ReadTable.of(spark, given.data()));
    Answer[] answers = new Answer[requests.size()];
    List<Integer> numbers = new ArrayList<>();
    List<ModelCorrection> corrections = new ArrayList<>();
    for (int i = 0; i < answers.length; i++) {
      RequestSource.Single single = requests.get(i);
      if (single.request() == null) {
        answers[i] = new Answer.Refused(single.name(), Objects.requireNonNull(single.refusal()));
      } else {
        numbers.add(i);
        corrections.add(
            UnlearnJob.correction(
                spark,
                options,
                model,
                earlier,
                null,
                tables,
                single.request(),
                single.name(),
                null));
      }
    }
    SiblingModels siblings = new SiblingModels(spark);
    Progress progress =
        Progress.onTerminal(spark, "Lethe unlearn " + corrections.size() + " independent requests");
    new IndependentCorrections(corrections, progress)
        .run(
            new IndependentCorrections.Listener() {
              @Override
              public void answered(int request, CorrectedModel corrected) throws IOException {
                int i = numbers.get(request);
                String out = out(Objects.requireNonNull(requests.get(i).request()));
                Release release;
                synchronized (places) {
                  release = Release.open(spark, out, options.vault(), keys, options.sources());
                }
                try {
                  answers[i] =
                      new Answer.Published(
                          out,
                          corrected.publish(
                              release, siblings, corrected.certificate().certificateId()));
                } finally {
                  synchronized (places) {
                    release.close();
                  }
                }
              }

              @Override
              public void refused(int request, InvalidInputException reason) {
                int i = numbers.get(request);
                answers[i] = new Answer.Refused(requests.get(i).name(), reason);
              }
            });
    return List.of(answers);
  }

  private String out(Request request) {
    return new Path(options.out(), request.id()).toString();
  }

  private void checkPlaces(RequestSource source, List<RequestSource.Single> requests) {
    Configuration configuration = spark.sparkContext().hadoopConfiguration();
    List<String> read = new ArrayList<>(options.sources());
    read.addAll(source.places());
    for (RequestSource.Single single : requests) {
      if (single.request() != null) {
        Release.check(configuration, out(single.request()), options.vault(), keys, read);
      }
    }
  }
}

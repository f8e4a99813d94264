package dev.lethe.spark.api;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.GivenDataset;
import dev.lethe.spark.job.RequestSource;
import dev.lethe.spark.request.CertificateTerms;
import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.FeatureRef;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.MergedRequest;
import dev.lethe.spark.request.Method;
import dev.lethe.spark.request.Request;
import dev.lethe.spark.request.RequestReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * What to forget. The same as a request file ({@code docs/requests.md}), made in code, read from a
 * text or from files. Confidential but for its id: conditions name people.
 */
public final class UnlearnRequest {
  private final Request request;

  private UnlearnRequest(Request request) {
    this.request = request;
  }

  /**
   * Begins a request.
   *
   * @param id public; 1 to 128 characters of {@code A-Z a-z 0-9 . _ -} that do not start with
   *     {@code .} or {@code -}
   * @return a builder without changes
   */
  public static Builder builder(String id) {
    return new Builder(id);
  }

  /**
   * Reads the text of a request file.
   *
   * @param text YAML, or JSON where it begins with a brace
   * @return the request
   * @throws InvalidInputException if it is no request
   */
  public static UnlearnRequest parse(String text) {
    String name = text.stripLeading().startsWith("{") ? "request.json" : "request";
    return new UnlearnRequest(RequestReader.read(name, text));
  }

  /**
   * Reads a request file.
   *
   * @param spark whose Hadoop file systems are used
   * @param file YAML or JSON
   * @return the request
   * @throws InvalidInputException if it does not exist or is no request
   */
  public static UnlearnRequest read(SparkSession spark, String file) {
    return new UnlearnRequest(named(() -> RequestSource.of(file).read(spark)));
  }

  /**
   * Reads many requests and merges them in order: files and directories as they are given, the
   * files of a directory by name.
   *
   * @param spark whose Hadoop file systems are used
   * @param id of the merged request
   * @param paths files and directories
   * @return the request
   * @throws InvalidInputException if one does not exist or is no request, or if two contradict each
   *     other
   */
  public static UnlearnRequest readAll(SparkSession spark, String id, String... paths) {
    return new UnlearnRequest(
        named(() -> new RequestSource(List.of(paths), null, id).readAll(spark)));
  }

  /**
   * Reads a table of requests and merges them, in the order of its columns {@code sequence} and
   * {@code received}, if it has them, and {@code id}: what {@code --request-format} is on the
   * command line.
   *
   * @param id of the merged request
   * @param requests a request in each row: its id in column {@code id}, the text of its file in
   *     column {@code request}; at least one and at most 1000
   * @return the request
   * @throws InvalidInputException if a column is missing, of the wrong type or NULL, if a row is no
   *     request, or if two contradict each other
   */
  public static UnlearnRequest ofRows(String id, Dataset<?> requests) {
    GivenDataset table = new GivenDataset("requests", requests.toDF());
    return new UnlearnRequest(
        named(
            () ->
                new RequestSource(List.of(table.path()), table, id)
                    .readAll(requests.sparkSession())));
  }

  private static Request named(Supplier<Request> read) {
    try {
      return read.get();
    } catch (InvalidInputException e) {
      throw ParamNames.in(e);
    }
  }

  /**
   * Many requests as one, with the meaning of one after the other.
   *
   * @param id of the merged request
   * @param requests in order, at least one; one that occurs twice counts once
   * @return the request
   * @throws InvalidInputException if two have the same id and differ, or ask for different methods
   *     or certificates
   */
  public static UnlearnRequest merge(String id, UnlearnRequest... requests) {
    if (requests.length == 0) {
      throw new InvalidInputException("requests: none is given; it takes at least one");
    }
    return new UnlearnRequest(
        MergedRequest.of(
            "requests",
            id,
            Arrays.stream(requests)
                .map(each -> new MergedRequest.Named(each.id(), each.request))
                .toList()));
  }

  /** {@return the public id} */
  public String id() {
    return request.id();
  }

  Request request() {
    return request;
  }

  /** Names the request, for messages. */
  String name() {
    return "request " + id();
  }

  /** Says nothing of the contents. */
  @Override
  public String toString() {
    return "UnlearnRequest[" + id() + "]";
  }

  /**
   * A request under construction. Every expression is Spark SQL and sees the original row. A method
   * that is given something that cannot be used throws {@link InvalidInputException}.
   */
  public static final class Builder {
    private final String id;
    private final List<Change> changes = new ArrayList<>();
    private @Nullable CertificateTerms terms;
    private Method method = Method.REFINED;
    private @Nullable Double tau;
    private FeaturizerPolicy featurizer = FeaturizerPolicy.FROZEN;

    private Builder(String id) {
      this.id = id;
    }

    /**
     * The model has these features no longer: their coefficients become exactly 0.
     *
     * @param features {@code column}, {@code column[index]} or {@code column[attribute]}, with
     *     backticks around a name that has dots, brackets or backticks
     * @return this
     */
    public Builder removeFeatures(String... features) {
      return add(
          "removeFeatures",
          () -> new Change.RemoveFeatures(Arrays.stream(features).map(FeatureRef::parse).toList()));
    }

    /**
     * A new value of a column in every row.
     *
     * @param column as it is, without backticks
     * @param value an expression
     * @return this
     */
    public Builder replaceFeature(String column, String value) {
      return add("replaceFeature", () -> new Change.ReplaceFeatures(Map.of(column, value), null));
    }

    /**
     * A new value of a column in some rows.
     *
     * @param column as it is, without backticks
     * @param value an expression
     * @param where which rows
     * @return this
     */
    public Builder replaceFeature(String column, String value, String where) {
      return replaceFeatures(Map.of(column, value), where);
    }

    /**
     * New values of several columns in some rows.
     *
     * @param values column to expression
     * @param where which rows
     * @return this
     */
    public Builder replaceFeatures(Map<String, String> values, String where) {
      return add("replaceFeatures", () -> new Change.ReplaceFeatures(values, where));
    }

    /**
     * A new label, as it stands in the table.
     *
     * @param to an expression
     * @param where which rows
     * @return this
     */
    public Builder relabel(String to, String where) {
      return add("relabel", () -> new Change.Relabel(to, where));
    }

    /**
     * Rows to be forgotten altogether.
     *
     * @param where which rows
     * @return this
     */
    public Builder removeRows(String where) {
      return add("removeRows", () -> new Change.RemoveRows(where));
    }

    /**
     * What the certificate has to promise; without it none is asked for, and no noise added.
     *
     * @param epsilon the privacy parameter, positive and finite
     * @param delta the probability of exceeding it, in [0, 1); 0 asks for pure epsilon
     * @param rho the distance to the minimiser on the corrected data that has to be proven, in the
     *     parameters' Euclidean norm; positive and finite
     * @return this
     */
    public Builder certificate(double epsilon, double delta, double rho) {
      terms = checked("certificate", () -> new CertificateTerms(epsilon, delta, rho));
      return this;
    }

    /**
     * How the parameters are updated.
     *
     * @param word {@code refined} (default), {@code second-order} or {@code first-order}; the first
     *     alone can be certified
     * @return this
     */
    public Builder method(String word) {
      method =
          Method.ofWord(word)
              .orElseThrow(
                  () ->
                      new InvalidInputException(
                          "method: must be refined, second-order or first-order, not " + word));
      return this;
    }

    /**
     * The step length of {@code first-order}; without it, it is chosen.
     *
     * @param step positive and finite
     * @return this
     */
    public Builder tau(double step) {
      tau = step;
      return this;
    }

    /**
     * What becomes of the state that the stages before and behind the predictor learned from the
     * data.
     *
     * @param word {@code frozen} (default): it is kept, and the certificate names these stages as
     *     not covered; {@code refit}: it is fitted again on the corrected data; {@code forbid}: a
     *     model that has such a stage is refused
     * @return this
     */
    public Builder featurizer(String word) {
      featurizer =
          FeaturizerPolicy.ofWord(word)
              .orElseThrow(
                  () ->
                      new InvalidInputException(
                          "featurizer: must be frozen, refit or forbid, not " + word));
      return this;
    }

    /**
     * The request.
     *
     * @return the request
     * @throws InvalidInputException if the id is none, or tau or featurizer does not fit the method
     */
    public UnlearnRequest build() {
      return new UnlearnRequest(
          checked("request", () -> new Request(id, changes, terms, method, tau, featurizer)));
    }

    private Builder add(String name, Supplier<Change> change) {
      changes.add(checked(name, change));
      return this;
    }

    private static <T> T checked(String name, Supplier<T> made) {
      try {
        return made.get();
      } catch (IllegalArgumentException e) {
        throw new InvalidInputException(name + ": " + e.getMessage(), e);
      }
    }
  }
}

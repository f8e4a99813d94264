package dev.lethe.spark.job;

import dev.lethe.core.certify.OutputMechanism;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.WithholdingRows;
import dev.lethe.spark.request.CertificateTerms;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.MergedRequest;
import dev.lethe.spark.request.Request;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/** What {@code lethe unlearn} would refuse before its first step, for many requests of a model. */
public final class RequestCheck {
  private final SparkSession spark;
  private final UnlearnOptions options;
  private final LoadedModel model;
  private final EarlierRelease earlier;

  private RequestCheck(
      SparkSession spark, UnlearnOptions options, LoadedModel model, EarlierRelease earlier) {
    this.spark = spark;
    this.options = options;
    this.model = model;
    this.earlier = earlier;
  }

  /**
   * Loads the model.
   *
   * @throws InvalidInputException if it cannot be loaded, or was trained with loss perturbation
   */
  public RequestCheck(UnlearnOptions options, SparkSession spark) {
    this(
        spark,
        options,
        LoadedModel.load(spark, "--model", options.model()),
        EarlierRelease.of(spark, options.model(), options.modelCertificate()));
    if (model.linear().isPerturbed()) {
      throw new InvalidInputException(
          "model "
              + options.model()
              + ": was trained with loss perturbation, which allows one release; a ledger is for"
              + " models without");
    }
  }

  /** The same model on other tables. */
  public RequestCheck on(GivenTables tables) {
    return new RequestCheck(spark, options.on(tables), model, earlier);
  }

  /** How many parameters the model has. */
  public int parameters() {
    return model.linear().layout().size();
  }

  /** The table's label column. */
  public String label() {
    return model.tableLabel(options.label());
  }

  /** The row weights' column; null if there is none. */
  public @Nullable String weight() {
    return model.linear().weightColumn();
  }

  /**
   * Checks a request against model and table; a Spark job where it changes rows.
   *
   * @param name names it, for messages
   * @throws InvalidInputException if it does not fit
   */
  public void check(Request request, String name) {
    UnlearnJob.correction(
            spark, options, model, earlier, null, options.tables(), request, name, null)
        .checked()
        .inspect(Progress.quiet(spark, "Lethe run, checking " + request.id()), options.place());
  }

  /**
   * The table that requests make of another, one after the other; neither is read.
   *
   * @param table before
   * @throws InvalidInputException if a request does not fit its columns
   */
  public Dataset<Row> corrected(Dataset<Row> table, List<MergedRequest.Named> requests) {
    return Corrections.corrected(table, corrections(table, requests, Corrections.Lacking.FEATURES));
  }

  /**
   * Looks for rows of a table that requests remove, and for rows that do not have the constants
   * that they set; one Spark job.
   *
   * @param requests each of the table that the one before it made
   * @throws InvalidInputException if there are such rows
   */
  public void requireCorrected(Dataset<Row> table, List<MergedRequest.Named> requests) {
    List<Corrections> corrections = corrections(table, requests, Corrections.Lacking.COLUMNS);
    SparkFailures.sanitized(
        options.place(), () -> Corrections.requireCorrected(corrections, table));
  }

  /**
   * Checks what the options say beside the table, so that no request is blamed for it.
   *
   * @throws InvalidInputException if the test table cannot be read or scored, or the solver is not
   *     for as many parameters
   */
  public void requireOptions() {
    CorrectedProblem.requireSolver(options.solver(), parameters());
    if (options.test() != null) {
      TestMetrics.of(spark, model, label(), options.test());
    }
  }

  /**
   * Checks the table without a request, so that what is wrong with it is blamed on none: one pass.
   *
   * @param refit whether the featurizer is going to be fitted again, so that the rows need not be
   *     such as the model knows
   * @throws InvalidInputException if the table lacks what the model reads, a row cannot be read or
   *     featurised, or the rows cannot train the model
   */
  public void requireReadable(boolean refit) {
    Dataset<Row> table = options.tables().tables().get(0).read(spark);
    FeatureChange unchanged =
        FeatureChange.of(model, table, List.of(), earlier.removedSlots(), label(), options.place());
    spark.sparkContext().setJobDescription("Lethe run, reading the table without a request");
    try {
      if (refit) {
        SparkFailures.sanitized(options.place(), () -> WithholdingRows.rdd(table).count());
        return;
      }
      CorrectedProblem.open(
              unchanged.featurized(table),
              model.columns(label()),
              model.linear(),
              earlier.removedSlots(),
              null,
              1,
              options.partitions(),
              Progress.quiet(spark, "Lethe run, reading the table without a request"),
              options.place())
          .close();
    } finally {
      spark.sparkContext().setJobDescription(null);
    }
  }

  /**
   * Why the terms of a request cannot be met for this model, whatever its table says.
   *
   * @return in words; empty if they can
   */
  public Optional<String> unmet(CertificateTerms terms) {
    try {
      int size = parameters();
      double deviation =
          OutputMechanism.calibrate(terms.epsilon(), terms.delta(), terms.rho(), size, size)
              .noise()
              .deviation();
      return ModelCorrection.visible(
          terms.rho(), deviation, Vectors.maxAbs(model.linear().parameters()));
    } catch (IllegalArgumentException e) {
      return Optional.of("certificate: " + e.getMessage());
    }
  }

  private List<Corrections> corrections(
      Dataset<Row> table, List<MergedRequest.Named> requests, Corrections.Lacking lacking) {
    StructType schema = table.schema();
    return requests.stream()
        .map(
            one ->
                Corrections.of(
                    spark, one.request(), schema, label(), weight(), one.name(), lacking))
        .toList();
  }
}

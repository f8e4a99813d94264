package dev.lethe.spark.job;

import dev.lethe.core.certify.DistanceBound;
import dev.lethe.core.certify.GaussianMechanism;
import dev.lethe.core.certify.NoiseTest;
import dev.lethe.core.certify.PublicationGrid;
import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.objective.Objective;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.ClaimCheck;
import dev.lethe.spark.certificate.DataDigest;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.certificate.ModelDigest;
import dev.lethe.spark.certificate.Vault;
import dev.lethe.spark.certificate.VaultKey;
import dev.lethe.spark.certificate.Verdict;
import dev.lethe.spark.data.ExampleTable;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.featurizer.FeatureRemoval;
import dev.lethe.spark.featurizer.RemovedFeature;
import dev.lethe.spark.ml.LogisticModel;
import dev.lethe.spark.request.CertificateTerms;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.Request;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.ml.param.Params;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * {@code lethe verify}: checks a certificate. Uses the published model, the evidence and the data;
 * no solver and no update.
 */
public final class VerifyJob {
  private final VerifyOptions options;
  private final SparkSession spark;

  public VerifyJob(VerifyOptions options, SparkSession spark) {
    this.options = options;
    this.spark = spark;
  }

  /** Every check, and the verdict that the certificate states. */
  public record Result(List<Check> checks, String verdict) {
    public boolean passed() {
      return checks.stream().allMatch(Check::passed);
    }
  }

  /**
   * Runs the checks.
   *
   * @throws InvalidInputException if something given cannot be read
   */
  public Result run() throws IOException {
    Certificate certificate = certificate();
    String verdict = certificate.verdict() == Verdict.CERTIFIED ? "certified" : "not-certified";
    ModelDigest digest = ModelDigest.of(configuration(), options.model());
    if (!digest.equals(certificate.modelDigest())) {
      // Not what was published: it may not even load, and nothing that it says is of interest.
      return new Result(
          List.of(
              new Check(
                  "model digest",
                  false,
                  "certificate "
                      + certificate.modelDigest().value()
                      + ", model "
                      + digest.value()
                      + "; nothing else is checked on another model")),
          verdict);
    }
    LoadedModel model = LoadedModel.load(spark, "--model", options.model());
    double[] published = model.logistic().parameters();
    List<Check> checks =
        new ArrayList<>(
            ClaimCheck.check(
                certificate,
                digest,
                published,
                (epsilon, delta, rho) -> sigma(epsilon, delta, rho, published.length)));
    if (certificate.verdict() == Verdict.CERTIFIED) {
      checks.add(rules(certificate, published.length));
    }
    if (options.vault() != null) {
      checks.addAll(
          recompute(
              certificate,
              model,
              published,
              options.vault(),
              Objects.requireNonNull(options.table())));
    }
    return new Result(checks, verdict);
  }

  /** The smallest sigma for these terms; infinite if no sigma is enough. */
  private static double sigma(double epsilon, double delta, double rho, int parameters) {
    try {
      return GaussianMechanism.calibrate(epsilon, delta, rho, parameters).sigma();
    } catch (IllegalArgumentException e) {
      return Double.POSITIVE_INFINITY;
    }
  }

  /**
   * That sigma and the grid are what Lethe's rules make of epsilon, delta and rho, so that no
   * figure of a certificate can be changed alone, not even to a weaker claim.
   */
  private static Check rules(Certificate certificate, int parameters) {
    double sigma = figure(certificate.sigma());
    double step = figure(certificate.gridStep());
    double required =
        sigma(
            figure(certificate.epsilon()),
            figure(certificate.delta()),
            figure(certificate.rho()),
            parameters);
    // sigma may differ in its last bits where another JVM rounds a logarithm differently
    boolean holds =
        Double.isFinite(required)
            && Math.abs(sigma - required) <= 1e-9 * required
            && sigma >= 0x1p-1000
            && step == PublicationGrid.of(sigma).step();
    return new Check(
        "sigma and grid step follow from the terms",
        holds,
        "sigma " + sigma + ", required " + required + ", grid step " + step);
  }

  private static double figure(@Nullable Double figure) {
    return Objects.requireNonNull(figure);
  }

  private Configuration configuration() {
    return spark.sparkContext().hadoopConfiguration();
  }

  private Certificate certificate() {
    return Certificate.read(
        InputFile.read(spark, "--certificate", options.certificate(), Integer.MAX_VALUE),
        options.certificate());
  }

  private List<Check> recompute(
      Certificate certificate,
      LoadedModel model,
      double[] published,
      String vaultPath,
      TableSource source)
      throws IOException {
    Progress progress = Progress.onTerminal("Lethe verify " + certificate.requestId());
    Vault vault = Vault.open(configuration(), vaultPath, options.model());
    VaultKey key = vault.key();
    Evidence evidence = vault.readEvidence(certificate.certificateId());
    List<Check> checks = new ArrayList<>();
    checks.add(
        new Check(
            "evidence is of this certificate",
            evidence.certificateId().equals(certificate.certificateId())
                && evidence.requestId().equals(certificate.requestId())
                && evidence.method().equals(certificate.method())
                && (certificate.rho() == null
                    || certificate.rho().equals(evidence.measurement().rho())),
            "certificate, request, method and rho"));
    String label =
        model.tableLabel(
            options.label() == null ? evidence.inputs().labelColumn() : options.label());
    ExampleTable.Columns columns = model.columns(label);
    Dataset<Row> corrected = corrected(model, source, label, checks, certificate, evidence, key);
    BitSet removed = new BitSet();
    certificate.zeroCoefficients().forEach(removed::set);
    String place = source.option() + " " + source.path();
    try (CorrectedProblem problem =
        CorrectedProblem.open(
            model.featurizer().transform(corrected),
            columns,
            model.logistic(),
            removed,
            options.partitions(),
            progress,
            place)) {
      checks.add(
          new Check(
              "corrected data digest",
              DataDigest.of(spark, problem.examples().blocks(), model.logistic().features(), key)
                  .equals(evidence.digests().correctedData()),
              "keyed digest over all corrected examples"));
      checks.addAll(measure(certificate, evidence, model.logistic(), problem, progress));
    }
    checks.add(noise(certificate, evidence, published));
    return checks;
  }

  /** The corrected rows: as given, or the original ones with the request's changes. */
  private Dataset<Row> corrected(
      LoadedModel model,
      TableSource source,
      String label,
      List<Check> checks,
      Certificate certificate,
      Evidence evidence,
      VaultKey key) {
    Dataset<Row> table = source.read(spark);
    Request request = null;
    if (options.request() != null) {
      request = RequestedChange.readRequest(spark, options.request());
      checks.add(
          new Check(
              "request digest",
              key.digest("request", request.canonicalBytes()).equals(evidence.digests().request()),
              "keyed digest of the request"));
    }
    Set<String> read = columnsRead(model, table);
    Dataset<Row> complete = RequestedChange.withPlaceholders(table, model.featurizer(), read);
    if (request == null) {
      return complete;
    }
    checks.add(terms(certificate, request));
    checks.add(removal(certificate, request, model, complete, label));
    if (options.corrected()) {
      return complete;
    }
    return Corrections.of(
            spark,
            request,
            complete.schema(),
            label,
            model.logistic().weightColumn(),
            String.valueOf(options.request()))
        .corrected(complete);
  }

  private static Check terms(Certificate certificate, Request request) {
    CertificateTerms terms = request.certificate();
    boolean same =
        certificate.requestId().equals(request.id())
            && certificate.method().equals(request.method().word())
            && (certificate.verdict() == Verdict.NOT_CERTIFIED
                || (terms != null
                    && terms.epsilon() == figure(certificate.epsilon())
                    && terms.delta() == figure(certificate.delta())
                    && terms.rho() == figure(certificate.rho())));
    return new Check("terms are the request's", same, "id, method, epsilon, delta, rho");
  }

  /**
   * That every slot which stems from a removed feature alone is among the certificate's zero
   * coefficients. A feature that no stage of the published model reads any more has left it.
   */
  private Check removal(
      Certificate certificate,
      Request request,
      LoadedModel model,
      Dataset<Row> complete,
      String label) {
    Set<String> known = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    known.addAll(inputs(model));
    known.add(model.logistic().featuresColumn());
    List<RemovedFeature> features =
        RequestedChange.removedFeatures(request, String.valueOf(options.request())).stream()
            .filter(feature -> known.contains(feature.column()))
            .toList();
    boolean[] slots =
        FeatureRemoval.of(
                model.featurizer(), complete, features, label, model.logistic().weightColumn())
            .removedSlots();
    int kept = 0;
    for (int j = 0; j < slots.length; j++) {
      kept += slots[j] && !certificate.zeroCoefficients().contains(j) ? 1 : 0;
    }
    int more = 0;
    for (int slot : certificate.zeroCoefficients()) {
      more += slot < slots.length && slots[slot] ? 0 : 1;
    }
    // A hasher that no longer reads the column does not tell which of its slots stemmed from it
    // alone.
    boolean hashed =
        model.featurizer().stages().stream().anyMatch(stage -> stage instanceof FeatureHasher);
    return new Check(
        "removed features have left the model",
        kept == 0 && (more == 0 || hashed),
        kept + " of their slots are not among the zero coefficients, " + more + " others are");
  }

  /** Every column that a stage of the featurizer reads. */
  private static Set<String> inputs(LoadedModel model) {
    Set<String> inputs = new TreeSet<>();
    for (Transformer stage : model.featurizer().stages()) {
      inputs.addAll(columns(stage, "inputCol", "inputCols"));
    }
    return inputs;
  }

  /** Raw columns that the published featurizer reads and the table may lack. */
  private static Set<String> columnsRead(LoadedModel model, Dataset<Row> table) {
    Set<String> made = new TreeSet<>(Arrays.asList(table.columns()));
    Set<String> read = new TreeSet<>();
    for (Transformer stage : model.featurizer().stages()) {
      for (String input : columns(stage, "inputCol", "inputCols")) {
        if (!made.contains(input)) {
          read.add(input);
        }
      }
      made.addAll(columns(stage, "outputCol", "outputCols"));
    }
    // The label is not a feature: a table without it is refused later.
    String label = model.featurizer().tableLabelColumn();
    if (label != null) {
      read.remove(label);
    }
    return read;
  }

  private static List<String> columns(Params stage, String single, String several) {
    if (stage.hasParam(several) && stage.isDefined(stage.getParam(several))) {
      return Arrays.asList((String[]) stage.getOrDefault(stage.getParam(several)));
    }
    if (stage.hasParam(single) && stage.isDefined(stage.getParam(single))) {
      return List.of((String) stage.getOrDefault(stage.getParam(single)));
    }
    return List.of();
  }

  private List<Check> measure(
      Certificate certificate,
      Evidence evidence,
      LogisticModel model,
      CorrectedProblem problem,
      Progress progress) {
    Objective objective = problem.objective();
    List<Check> checks = new ArrayList<>();
    Evidence.Objective stated = evidence.objective();
    checks.add(
        new Check(
            "objective",
            stated.n() == problem.statistics().rows()
                && stated.p() == objective.size()
                && Math.abs(stated.totalWeight() - problem.statistics().totalWeight())
                    <= 1e-12 * stated.totalWeight(),
            stated.n() + " rows, " + stated.p() + " parameters"));
    checks.add(
        new Check(
            "hyperparameters",
            stated.loss().equals(CorrectedProblem.LOSS.name())
                && stated.regParam() == model.regParam()
                && stated.standardization() == model.standardization()
                && stated.fitIntercept() == model.fitIntercept()
                && stated.d() == model.features(),
            "regParam " + model.regParam() + ", standardization " + model.standardization()));
    boolean sameFixed = Arrays.equals(fixed(objective.fixed()), evidence.fixedCoordinates());
    checks.add(
        new Check(
            "coordinates held at zero",
            sameFixed,
            evidence.fixedCoordinates().length + " removed or constant"));
    if (stated.p() != objective.size() || !sameFixed) {
      return checks;
    }
    progress.phase("measuring the gradient");
    double rho = certificate.rho() == null ? ModelUpdate.DEFAULT_RHO : certificate.rho();
    Objective.Measured measured = objective.evaluate(evidence.unnoisedParameters());
    double norm = Vectors.norm(measured.gradient());
    double rounding = Vectors.norm(measured.measurement().gradientError());
    Evidence.Measurement recorded = evidence.measurement();
    checks.add(
        new Check(
            "gradient norm as recorded",
            // each norm is within its bound of the exact one; other partitions change the bound
            // little
            Math.abs(norm - recorded.gradientNorm()) <= 2.1 * rounding,
            String.format(
                Locale.ROOT,
                "%.3e, recorded %.3e, rounding %.1e",
                norm,
                recorded.gradientNorm(),
                rounding)));
    if (certificate.verdict() == Verdict.CERTIFIED) {
      DistanceBound bound = objective.distanceBound(measured, rho);
      boolean proven = bound instanceof DistanceBound.Proven distance && distance.distance() <= rho;
      checks.add(
          new Check(
              "distance to the minimiser",
              proven,
              bound instanceof DistanceBound.Proven distance
                  ? String.format(Locale.ROOT, "%.3e <= rho = %s", distance.distance(), rho)
                  : ((DistanceBound.Unproven) bound).reason()));
    }
    return checks;
  }

  private static int[] fixed(boolean[] mask) {
    BitSet set = new BitSet();
    for (int j = 0; j < mask.length; j++) {
      set.set(j, mask[j]);
    }
    return set.stream().toArray();
  }

  private static Check noise(Certificate certificate, Evidence evidence, double[] published) {
    double[] unnoised = evidence.unnoisedParameters();
    @Nullable Double sigma = certificate.sigma();
    if (published.length != unnoised.length) {
      return new Check(
          "un-noised parameters",
          false,
          "the evidence has " + unnoised.length + ", the model " + published.length);
    }
    if (sigma == null) {
      return new Check(
          "no noise", Arrays.equals(published, unnoised), "published as they were computed");
    }
    boolean[] fixed = new boolean[published.length];
    boolean zero = true;
    for (int j : evidence.fixedCoordinates()) {
      fixed[j] = true;
      zero &= published[j] == 0;
    }
    NoiseTest test =
        NoiseTest.of(published, unnoised, fixed, sigma, NoiseTest.DEFAULT_FALSE_REJECTION_RATE);
    return new Check(
        "noise is N(0, sigma^2 I)",
        test.passed() && zero,
        String.format(
            Locale.ROOT,
            "%d coordinates; p-values %.2g (squares), %.2g (maximum), %.2g (mean), %.2g"
                + " (distribution); the others %s",
            test.count(),
            test.sumOfSquares(),
            test.maximum(),
            test.mean(),
            test.distribution(),
            zero ? "are 0" : "are NOT 0"));
  }
}

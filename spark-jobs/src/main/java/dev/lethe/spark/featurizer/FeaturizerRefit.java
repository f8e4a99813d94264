package dev.lethe.spark.featurizer;

import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.count_distinct;
import static org.apache.spark.sql.functions.not;
import static org.apache.spark.sql.functions.when;
import static org.apache.spark.sql.functions.xxhash64;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import dev.lethe.spark.WithholdingRows;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.Bucketizer;
import org.apache.spark.ml.feature.CountVectorizer;
import org.apache.spark.ml.feature.IndexToString;
import org.apache.spark.ml.feature.OneHotEncoderModel;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.MetadataBuilder;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.storage.StorageLevel;
import org.jspecify.annotations.Nullable;

/**
 * Fits a featurizer again, as {@code Pipeline.fit} would on the corrected rows: every stage that
 * learned from data is replaced by a fit of its estimator with the same params and uid, in pipeline
 * order. Stages no longer read removed columns.
 *
 * <p>The label's indexer is kept: another order of its labels would swap the classes.
 *
 * <p>What is learned is a function of the rows alone, not of how the table stores them: they are
 * placed and ordered by their contents before the first fit, and ties in a vocabulary are broken by
 * the alphabet. Spark ML adds partial sums in the order of their arrival, so sums are reproducible
 * up to rounding.
 */
public final class FeaturizerRefit {
  /**
   * The uid that Spark ML gives a Bucketizer; one that a QuantileDiscretizer made has its uid.
   * PySpark's {@code Bucketizer_} says nothing: its QuantileDiscretizer makes a Bucketizer anew.
   */
  private static final String GIVEN_BUCKETS = "bucketizer_";

  /** Where Spark ML keeps a column's attributes, the number of its categories among them. */
  private static final String ATTRIBUTES = "ml_attr";

  private static final String WITHOUT_ATTRIBUTES = "lethe.withoutAttributes";

  /**
   * A stage and what becomes of it.
   *
   * @param target an estimator to fit, or a transformer to keep
   */
  private record Step(Transformer stage, PipelineStage target, StageSupport.Refit refit) {}

  private final Featurizer featurizer;
  // one for each stage; empty for one that goes
  private final List<Optional<Step>> steps;

  private FeaturizerRefit(Featurizer featurizer, List<Optional<Step>> steps) {
    this.featurizer = featurizer;
    this.steps = steps;
  }

  /**
   * The featurizer after a refit.
   *
   * @param stages one for each of {@link Featurizer#stages}, in order; empty for one that only read
   *     removed columns
   * @param oldSlots for each slot of the new feature vector the slot of the same name in the old
   *     one, or -1
   */
  @SuppressWarnings("ArrayRecordComponent") // Made here for one reader.
  public record Fitted(List<Optional<Transformer>> stages, int[] oldSlots) {}

  /**
   * Rebuilds the estimators; reads no rows.
   *
   * @param removedColumns columns of the table that {@link FeatureRemoval} found removable
   * @param place where the request asks for it, for messages
   * @throws InvalidInputException if a stage cannot be fitted again, or a learned one is out of
   *     reach: behind the predictor, or in a tuning's estimator
   */
  public static FeaturizerRefit of(
      Featurizer featurizer, Collection<String> removedColumns, String place) {
    ColumnPruning pruning = new ColumnPruning(removedColumns);
    Set<String> labels = featurizer.labelColumns();
    List<Optional<Step>> steps = new ArrayList<>();
    for (Transformer stage : featurizer.stages()) {
      int inputs = StageColumns.inputs(stage).size();
      int[] kept = pruning.keptInputs(stage);
      if (inputs > 0 && kept.length == 0) {
        steps.add(Optional.empty());
        continue;
      }
      StageSupport.Refit refit = refit(stage, place);
      boolean fits = isFitted(refit) && !makesLabelAlone(stage, kept, labels);
      PipelineStage target = stage;
      if (fits) {
        target = estimator(stage);
      } else if (kept.length < inputs) {
        target = stage.copy(ParamMap.empty());
      }
      if (kept.length < inputs) {
        pruning.restrict(target, kept);
      }
      steps.add(Optional.of(new Step(stage, target, refit)));
    }
    for (Transformer stage : featurizer.stagesAfter()) {
      requireKept(stage, "it stands behind the predictor", place);
      requireSameInputs(stage, pruning, featurizer.madeColumns(), place);
    }
    for (Transformer stage : featurizer.tunedStages()) {
      requireKept(stage, "it is a fitted stage in the estimator of a tuning", place);
    }
    return new FeaturizerRefit(featurizer, steps);
  }

  /**
   * Stages that learned, or may have, and are left as they are: the label's indexers, given splits
   * and labels, and all that a refit does not reach.
   */
  public static LearnedState kept(Featurizer featurizer) {
    List<Transformer> labelStages = List.copyOf(featurizer.labelStages());
    return LearnedState.of(
        featurizer.allStages().stream()
            .filter(
                stage ->
                    stage instanceof Bucketizer
                        || stage instanceof IndexToString
                        || labelStages.contains(stage)
                        || !featurizer.stages().contains(stage))
            .toList());
  }

  /** Refuses a stage that learned where nothing is fitted again. */
  private static void requireKept(Transformer stage, String where, String place) {
    StageSupport support = StageSupport.of(stage);
    if (support == null
        || support.learned() == StageSupport.Learned.YES
        || (stage instanceof Bucketizer buckets && !isGiven(buckets))) {
      throw refused(
          place,
          stage,
          where
              + " and would be published with what it learned, or may have learned, from the"
              + " original data; use featurizer: frozen, or a model without it");
    }
  }

  /** Refuses a stage behind the predictor whose input columns leave or get other slots. */
  private static void requireSameInputs(
      Transformer stage, ColumnPruning pruning, Set<String> made, String place) {
    List<String> inputs = StageColumns.inputs(stage);
    if (pruning.keptInputs(stage).length < inputs.size()) {
      throw refused(
          place,
          stage,
          "it stands behind the predictor and reads a column that the request removes; use"
              + " featurizer: frozen, or a model without it");
    }
    StageSupport support = StageSupport.of(stage);
    if (support != null
        && support.refit() == StageSupport.Refit.KEPT_IF_SLOTS_STAY
        && inputs.stream().anyMatch(input -> made.stream().anyMatch(input::equalsIgnoreCase))) {
      throw refused(
          place,
          stage,
          "it stands behind the predictor, and its params count the slots of a column that a refit"
              + " makes anew; use featurizer: frozen, or a model without it");
    }
  }

  private static boolean isFitted(StageSupport.Refit refit) {
    return refit == StageSupport.Refit.FITTED || refit == StageSupport.Refit.FITTED_IN_ONE_TASK;
  }

  private static boolean makesLabelAlone(Transformer stage, int[] kept, Set<String> labels) {
    List<String> outputs = StageColumns.outputs(stage);
    return stage instanceof StringIndexerModel
        && Arrays.stream(kept).allMatch(i -> labels.contains(outputs.get(i)));
  }

  private static StageSupport.Refit refit(Transformer stage, String place) {
    StageSupport support = StageSupport.of(stage);
    StageSupport.Refit refit = support == null ? StageSupport.Refit.REFUSED : support.refit();
    String reason = null;
    if (refit == StageSupport.Refit.REFUSED) {
      reason = "what a " + stage.getClass().getName() + " learned cannot be fitted again from it";
    } else if (refit == StageSupport.Refit.KEPT_IF_GIVEN && !isGiven((Bucketizer) stage)) {
      reason =
          "its splits may come from a QuantileDiscretizer, whose numBuckets and relativeError are"
              + " not kept (one made by hand has a uid that begins with "
              + GIVEN_BUCKETS
              + ", or splits that begin or end with a finite number)";
    }
    if (reason != null) {
      throw refused(
          place,
          stage,
          reason
              + "; use featurizer: frozen, or write the corrected table with lethe apply and train"
              + " a new model");
    }
    return refit;
  }

  /** Whether no QuantileDiscretizer found the splits: those span all numbers. */
  private static boolean isGiven(Bucketizer buckets) {
    double[][] splits =
        buckets.isSet(buckets.splitsArray())
            ? buckets.getSplitsArray()
            : new double[][] {buckets.getSplits()};
    return buckets.uid().startsWith(GIVEN_BUCKETS)
        || Arrays.stream(splits)
            .anyMatch(s -> Double.isFinite(s[0]) || Double.isFinite(s[s.length - 1]));
  }

  /** Spark ML calls the model of an estimator by its name; they share all params. */
  private static Estimator<?> estimator(Transformer model) {
    String name = model.getClass().getName();
    try {
      Estimator<?> estimator =
          Class.forName(name.substring(0, name.length() - "Model".length()))
              .asSubclass(Estimator.class)
              .getConstructor(String.class)
              .newInstance(model.uid());
      model.copyValues(estimator, ParamMap.empty());
      return estimator;
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(StageColumns.name(model) + " has no estimator", e);
    }
  }

  private static InvalidInputException refused(String place, Transformer stage, String reason) {
    return new InvalidInputException(
        place + ": featurizer: refit: stage " + StageColumns.name(stage) + ": " + reason);
  }

  /**
   * Where a model's stages and params differ from those that this refit publishes, the fitted state
   * aside.
   */
  public List<String> differences(Featurizer published) {
    List<PipelineStage> expected = new ArrayList<>();
    steps.forEach(step -> step.ifPresent(s -> expected.add(s.target())));
    expected.add(featurizer.predictor());
    expected.addAll(featurizer.stagesAfter());
    return published.differences(expected);
  }

  /**
   * A table without the attributes of the columns that a OneHotEncoder reads: its fit believes the
   * number of categories that they tell, and they may have been made of rows that are gone. Where a
   * featurizer is fitted again, the corrected rows have to be seen so.
   */
  public static Dataset<Row> withoutCategories(Featurizer featurizer, Dataset<Row> table) {
    Set<String> encoded = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    for (Transformer stage : featurizer.stages()) {
      if (stage instanceof OneHotEncoderModel) {
        encoded.addAll(StageColumns.inputs(stage));
      }
    }
    // a stage that cannot be seen into may hand a column on under another name
    boolean any = !encoded.isEmpty() && featurizer.tableColumns().isEmpty();
    Dataset<Row> seen = table;
    for (StructField field : table.schema().fields()) {
      if (field.metadata().contains(ATTRIBUTES)
          && !SlotWalk.isVector(field)
          && (any || encoded.contains(field.name()))) {
        Column column = TableColumns.column(field.name());
        seen =
            seen.withColumn(
                field.name(), column.as(field.name(), withoutAttributes(field.metadata())));
      }
    }
    return seen;
  }

  private static Metadata withoutAttributes(Metadata metadata) {
    return new MetadataBuilder()
        .withMetadata(metadata)
        .remove(ATTRIBUTES)
        // Spark 3.5 takes empty metadata for none, and gives the new column those of the old one
        .putBoolean(WITHOUT_ATTRIBUTES, true)
        .build();
  }

  /**
   * Fits to the corrected rows: a pass to place them, then those that each estimator makes.
   *
   * @param old rows that the old stages read, for the names of the old slots
   * @param corrected the corrected rows, not featurised
   * @param partitions of the placed rows; 0 for the default parallelism
   * @param place names the rows, for messages
   * @throws InvalidInputException if a class of the label vanished or appeared, or a stage that
   *     counts its slots would count others
   */
  public Fitted fit(Dataset<Row> old, Dataset<Row> corrected, int partitions, String place) {
    SlotNames oldNames = new SlotNames(withoutCategories(featurizer, old));
    featurizer.stages().forEach(oldNames::step);
    Dataset<Row> placed =
        placed(withoutCategories(featurizer, corrected), partitions)
            .persist(StorageLevel.MEMORY_AND_DISK());
    try {
      requireSameClasses(placed, place);
      SlotNames names = new SlotNames(placed);
      List<Optional<Transformer>> stages = new ArrayList<>();
      for (Optional<Step> step : steps) {
        Optional<Transformer> fitted = step.map(s -> fit(s, oldNames, names, place));
        fitted.ifPresent(names::step);
        stages.add(fitted);
      }
      String features = featurizer.featuresCol();
      return new Fitted(stages, matches(oldNames.names(features), names.names(features)));
    } finally {
      placed.unpersist(false);
    }
  }

  /**
   * The learned stages of this featurizer that a fit to these rows does not give again, by name.
   *
   * @param corrected the corrected rows, not featurised
   */
  public List<String> disagreements(Dataset<Row> corrected, int partitions, String place) {
    List<Optional<Transformer>> again = fit(corrected, corrected, partitions, place).stages();
    List<String> disagreements = new ArrayList<>();
    for (int i = 0; i < steps.size(); i++) {
      Transformer stage = featurizer.stages().get(i);
      Transformer fitted = again.get(i).orElse(null);
      boolean learned = steps.get(i).filter(s -> s.target() instanceof Estimator).isPresent();
      if (fitted == null || (learned && !StageState.of(stage).agrees(StageState.of(fitted)))) {
        disagreements.add(StageColumns.name(stage));
      }
    }
    return disagreements;
  }

  private Transformer fit(Step step, SlotNames oldNames, SlotNames names, String place) {
    if (step.refit() == StageSupport.Refit.KEPT_IF_SLOTS_STAY) {
      for (String input : StageColumns.inputs(step.stage())) {
        if (!Arrays.equals(oldNames.names(input), names.names(input))) {
          throw refused(
              place,
              step.stage(),
              "its params count the slots of column '"
                  + input
                  + "', which are others after the refit; use featurizer: frozen");
        }
      }
    }
    if (!(step.target() instanceof Estimator<?> estimator)) {
      return (Transformer) step.target();
    }
    Dataset<Row> rows = names.rows();
    if (step.refit() == StageSupport.Refit.FITTED_IN_ONE_TASK) {
      Column key =
          xxhash64(StageColumns.inputs(estimator).stream().map(rows::col).toArray(Column[]::new));
      rows = rows.repartition(1).sortWithinPartitions(key);
    }
    Transformer fitted =
        estimator instanceof CountVectorizer vectorizer
            ? Vocabulary.fit(vectorizer, rows)
            : estimator.fit(rows);
    return fitted instanceof StringIndexerModel indexer
        ? withLabels(indexer, (StringIndexerModel) step.stage())
        : fitted;
  }

  /** The new indexer, with the old labels where it indexes the label. */
  private StringIndexerModel withLabels(StringIndexerModel fitted, StringIndexerModel old) {
    Set<String> labels = featurizer.labelColumns();
    List<String> outputs = StageColumns.outputs(fitted);
    String[][] merged = fitted.labelsArray();
    boolean any = false;
    for (int i = 0; i < merged.length; i++) {
      if (labels.contains(outputs.get(i))) {
        merged[i] = old.labelsArray()[StageColumns.outputs(old).indexOf(outputs.get(i))];
        any = true;
      }
    }
    if (!any) {
      return fitted;
    }
    StringIndexerModel indexer = new StringIndexerModel(fitted.uid(), merged);
    fitted.copyValues(indexer, ParamMap.empty());
    return indexer;
  }

  /** The rows by their contents: in partitions, and in order within each. */
  private Dataset<Row> placed(Dataset<Row> corrected, int partitions) {
    Column[] read = read(corrected);
    Dataset<Row> rows = WithholdingRows.of(read.length == 0 ? corrected : corrected.select(read));
    Column key =
        xxhash64(
            Arrays.stream(rows.schema().fields())
                // a map has no hash
                .filter(field -> !field.dataType().catalogString().contains("map<"))
                .map(field -> TableColumns.column(field.name()))
                .toArray(Column[]::new));
    int parallelism = rows.sparkSession().sparkContext().defaultParallelism();
    return rows.repartition(partitions > 0 ? partitions : parallelism, key)
        .sortWithinPartitions(key);
  }

  /** The columns of the table that the stages read; none if that cannot be seen. */
  private Column[] read(Dataset<Row> table) {
    Set<String> wanted = new LinkedHashSet<>();
    for (Optional<Step> step : steps) {
      if (step.isPresent()) {
        StageSupport support = StageSupport.of(step.get().stage());
        if (support == null || support.rule() == null) {
          return new Column[0];
        }
        wanted.addAll(StageColumns.inputs(step.get().target()));
        String label = StageColumns.string(step.get().target(), "labelCol");
        if (label != null) {
          wanted.add(label);
        }
      }
    }
    String label = featurizer.tableLabelColumn();
    if (label != null) {
      wanted.add(label);
    }
    Set<String> found = new LinkedHashSet<>();
    for (String column : wanted) {
      // a field of a struct comes with the struct
      int dot = column.indexOf('.');
      StructField field = TableColumns.find(table.schema(), column);
      if (field == null && dot > 0) {
        field = TableColumns.find(table.schema(), column.substring(0, dot));
      }
      if (field != null) {
        found.add(field.name());
      }
    }
    return found.stream().map(TableColumns::column).toArray(Column[]::new);
  }

  private void requireSameClasses(Dataset<Row> corrected, String place) {
    List<StringIndexerModel> indexers = featurizer.labelStages();
    String column = featurizer.tableLabelColumn();
    if (indexers.isEmpty() || column == null) {
      return;
    }
    StringIndexerModel indexer = indexers.get(0);
    String[] labels = indexer.labelsArray()[StageColumns.inputs(indexer).indexOf(column)];
    Column label = TableColumns.column(column).cast("string");
    Column known = label.isin((Object[]) labels);
    Row counts =
        corrected.agg(count_distinct(when(known, label)), count(when(not(known), label))).first();
    if (counts.getLong(0) < labels.length || counts.getLong(1) > 0) {
      throw new InvalidInputException(
          place
              + ": featurizer: refit: column '"
              + column
              + "': the corrected rows have "
              + counts.getLong(0)
              + " of the "
              + labels.length
              + " labels that stage "
              + StageColumns.name(indexer)
              + " knows, and "
              + (counts.getLong(1) > 0 ? "others" : "no others")
              + "; a refit keeps the classes, so they must be the same. Use featurizer: frozen, or"
              + " train a new model");
    }
  }

  private static int[] matches(@Nullable String[] old, @Nullable String[] names) {
    Map<String, Integer> at = new HashMap<>();
    for (int j = 0; j < old.length; j++) {
      if (old[j] != null) {
        // a name that two slots have matches neither
        at.merge(old[j], j, (a, b) -> -1);
      }
    }
    int[] slots = new int[names.length];
    for (int j = 0; j < slots.length; j++) {
      slots[j] = names[j] == null ? -1 : at.getOrDefault(names[j], -1);
    }
    return slots;
  }
}

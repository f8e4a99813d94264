package dev.lethe.spark.featurizer;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.PredictionModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.attribute.AttributeGroup;
import org.apache.spark.ml.classification.OneVsRestModel;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.param.ParamPair;
import org.apache.spark.ml.param.Params;
import org.apache.spark.ml.tuning.CrossValidatorModel;
import org.apache.spark.ml.tuning.TrainValidationSplitModel;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.MetadataBuilder;
import org.apache.spark.sql.types.StructField;
import org.jspecify.annotations.Nullable;
import scala.jdk.javaapi.CollectionConverters;

/**
 * A saved Spark ML model, split into the fitted stages that make its feature vector, the predictor,
 * and the stages behind it.
 *
 * <p>Nested {@link PipelineModel}s, and the best model of a CrossValidatorModel or
 * TrainValidationSplitModel, are flattened here; {@link #publish} puts them back.
 *
 * <p>A stage with {@code handleInvalid = "skip"} (StringIndexerModel, VectorAssembler, Bucketizer,
 * VectorIndexerModel, VectorSizeHint) drops rows in {@link #transform}; those rows take no part in
 * training or unlearning, as they took none when Spark ML fitted the model.
 */
public final class Featurizer {
  /** Scores of a tuning are statistics of the original data, so they are not published again. */
  private static final double[] NO_METRICS = {};

  private final Transformer model;
  private final List<Transformer> stages;
  private final Model<?> predictor;
  private final List<Transformer> stagesAfter;
  private final List<Transformer> tunedStages;

  private Featurizer(
      Transformer model,
      List<Transformer> stages,
      Model<?> predictor,
      List<Transformer> stagesAfter,
      List<Transformer> tunedStages) {
    this.model = model;
    this.stages = List.copyOf(stages);
    this.predictor = predictor;
    this.stagesAfter = List.copyOf(stagesAfter);
    this.tunedStages = List.copyOf(tunedStages);
  }

  /**
   * Splits a model.
   *
   * @param model a PipelineModel with exactly one predictor, or a predictor alone
   * @throws InvalidInputException if there is no predictor or more than one, or a tuning's
   *     estimator holds another
   */
  public static Featurizer of(Transformer model) {
    List<Transformer> all = leaves(model);
    List<Model<?>> predictors = new ArrayList<>();
    int at = -1;
    for (int i = 0; i < all.size(); i++) {
      Transformer stage = all.get(i);
      if (isPredictor(stage)) {
        predictors.add((Model<?>) stage);
        at = i;
      }
    }
    if (predictors.size() != 1) {
      throw new InvalidInputException(
          "the model must contain exactly one predictor (a Spark ML classification or regression"
              + " model), found "
              + (predictors.isEmpty() ? "none" : predictors.size() + ": " + names(predictors))
              + "; its stages are "
              + (all.isEmpty() ? "none" : names(all)));
    }
    List<Transformer> tuned = new ArrayList<>();
    tunings(model).forEach(tuning -> tuned.addAll(held(tuning)));
    return new Featurizer(
        model, all.subList(0, at), predictors.get(0), all.subList(at + 1, all.size()), tuned);
  }

  private static boolean isPredictor(Transformer stage) {
    return stage instanceof PredictionModel<?, ?> || stage instanceof OneVsRestModel;
  }

  /** The stages before the predictor, flattened, in order. */
  public List<Transformer> stages() {
    return stages;
  }

  /**
   * Whether it is known of every stage that it maps each row by itself, so that some of a table's
   * rows can be featurised without the others. What a SQLTransformer's statement does is not known.
   */
  public boolean mapsRowsByThemselves() {
    return stages.stream()
        .map(StageSupport::of)
        .allMatch(support -> support != null && support.rule() != null);
  }

  /** Whether some stage drops rows for what they hold. */
  public boolean dropsRows() {
    return stages.stream().anyMatch(stage -> StageColumns.handlesInvalidBy(stage, "skip"));
  }

  /** The predictor. */
  public Model<?> predictor() {
    return predictor;
  }

  /** The stages behind the predictor (IndexToString, for example), flattened, in order. */
  public List<Transformer> stagesAfter() {
    return stagesAfter;
  }

  /** Fitted stages in the params of a tuning, its estimator for one; they are published with it. */
  public List<Transformer> tunedStages() {
    return tunedStages;
  }

  /** Every stage that is published but the predictor; one may be listed twice. */
  public List<Transformer> allStages() {
    return Stream.of(stages, stagesAfter, tunedStages).flatMap(List::stream).toList();
  }

  /** Every column that a stage before the predictor reads, in order. */
  public Set<String> readColumns() {
    Set<String> read = new LinkedHashSet<>();
    stages.forEach(stage -> read.addAll(StageColumns.inputs(stage)));
    return read;
  }

  /** Every column that a stage before the predictor makes, in order. */
  public Set<String> madeColumns() {
    Set<String> made = new LinkedHashSet<>();
    stages.forEach(stage -> made.addAll(StageColumns.outputs(stage)));
    return made;
  }

  /**
   * The table's columns that decide the feature vector, nested ones as {@code column.field}; empty
   * if what some stage reads cannot be seen.
   */
  public Optional<Set<String>> tableColumns() {
    for (Transformer stage : stages) {
      StageSupport support = StageSupport.of(stage);
      if (support == null || support.rule() == null) {
        return Optional.empty();
      }
    }
    Set<String> columns = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    columns.addAll(readColumns());
    columns.add(featuresCol());
    madeColumns().forEach(columns::remove);
    return Optional.of(columns);
  }

  /**
   * What the slots of the model's feature vector are called, where the stages or the table tell;
   * null for a slot without a name. May read a row, to learn the size of a vector column.
   *
   * @param table rows as the stages read them
   */
  public @Nullable String[] slotNames(Dataset<Row> table) {
    SlotNames names = new SlotNames(table);
    stages.forEach(names::step);
    @Nullable String[] slots = names.names(featuresCol());
    if (slots.length != numFeatures()) {
      return new String[numFeatures()];
    }
    if (stages.isEmpty()) {
      // positions alone say nothing
      Arrays.setAll(slots, j -> featuresCol() + "[" + j + "]");
    }
    return slots;
  }

  /** A table whose columns tell nothing beyond name, type, and the size of a vector. */
  public static Dataset<Row> withoutAttributes(Dataset<Row> table) {
    Column[] columns = new Column[table.columns().length];
    StructField[] fields = table.schema().fields();
    for (int i = 0; i < fields.length; i++) {
      int size =
          SlotWalk.isVector(fields[i]) ? AttributeGroup.fromStructField(fields[i]).size() : -1;
      Metadata metadata =
          size < 0
              ? new MetadataBuilder().putBoolean("lethe", true).build()
              : new AttributeGroup(fields[i].name(), size).toMetadata();
      // metadata must not be empty: Spark 3.5 takes it for none, and keeps the old
      columns[i] = TableColumns.column(fields[i].name()).as(fields[i].name(), metadata);
    }
    return table.select(columns);
  }

  /** The vector column that the predictor reads. */
  public String featuresCol() {
    String column = StageColumns.string(predictor, "featuresCol");
    if (column == null) {
      throw new InvalidInputException(
          "predictor " + StageColumns.name(predictor) + " names no featuresCol");
    }
    return column;
  }

  /** The label column that the predictor was fitted on, made by {@link #labelStages} if any. */
  public @Nullable String labelCol() {
    return StageColumns.string(predictor, "labelCol");
  }

  /** The weight column that the predictor was fitted on; null if the rows had no weights. */
  public @Nullable String weightCol() {
    String column = StageColumns.string(predictor, "weightCol");
    return column == null || column.isEmpty() ? null : column;
  }

  /** The number of slots of the feature vector, from the predictor. */
  public int numFeatures() {
    return predictor instanceof PredictionModel<?, ?> prediction
        ? prediction.numFeatures()
        : ((OneVsRestModel) predictor).models()[0].numFeatures();
  }

  /**
   * The stages that make the predictor's label from a column of the table: StringIndexerModels, in
   * pipeline order; empty if the label is a column of the table.
   *
   * @throws InvalidInputException if another kind of stage makes the label
   */
  public List<StringIndexerModel> labelStages() {
    Deque<StringIndexerModel> found = new ArrayDeque<>();
    traceLabel(found);
    return List.copyOf(found);
  }

  /**
   * The column of the table that the label comes from: {@link #labelCol}, or the input of the first
   * of the {@link #labelStages}; null if the predictor has no label column.
   *
   * @throws InvalidInputException if another kind of stage than a StringIndexerModel makes the
   *     label
   */
  public @Nullable String tableLabelColumn() {
    return traceLabel(new ArrayDeque<>());
  }

  /** The columns that {@link #labelStages} make of the label, and {@link #labelCol}. */
  Set<String> labelColumns() {
    Set<String> columns = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    String column = labelCol();
    if (column != null) {
      columns.add(column);
    }
    List<StringIndexerModel> indexers = labelStages();
    for (int i = indexers.size() - 1; i > 0; i--) {
      StringIndexerModel indexer = indexers.get(i);
      List<String> outputs = StageColumns.outputs(indexer);
      for (int k = 0; k < outputs.size(); k++) {
        if (columns.contains(outputs.get(k))) {
          columns.add(StageColumns.inputs(indexer).get(k));
        }
      }
    }
    return columns;
  }

  private @Nullable String traceLabel(Deque<StringIndexerModel> found) {
    String column = labelCol();
    for (int i = stages.size() - 1; i >= 0 && column != null; i--) {
      Transformer stage = stages.get(i);
      int output = indexOf(StageColumns.outputs(stage), column);
      if (output < 0) {
        continue;
      }
      if (!(stage instanceof StringIndexerModel indexer)) {
        throw new InvalidInputException(
            "label column '"
                + column
                + "' is made by stage "
                + StageColumns.name(stage)
                + "; only a StringIndexerModel may make the label, so that a label in the table can"
                + " be mapped");
      }
      found.addFirst(indexer);
      column = StageColumns.inputs(indexer).get(output);
    }
    return column;
  }

  /** The rows with every column that the featurizer stages make; lazy, like any Spark ML stage. */
  public Dataset<Row> transform(Dataset<Row> rows) {
    return transform(stages, rows);
  }

  /** The rows through other stages, for example those that a removal publishes. */
  public static Dataset<Row> transform(List<Transformer> stages, Dataset<Row> rows) {
    Dataset<Row> out = rows;
    for (Transformer stage : stages) {
      out = stage.transform(out);
    }
    return out;
  }

  /**
   * The same for blocks of examples, which do not mind how features are stored: where the last
   * stage assembles columns of numbers, the features are an array of doubles.
   */
  public static Dataset<Row> assemble(List<Transformer> stages, Dataset<Row> rows) {
    int last = stages.size() - 1;
    return last >= 0 && stages.get(last) instanceof VectorAssembler assembler
        ? AssembledColumns.transform(assembler, transform(stages.subList(0, last), rows))
        : transform(stages, rows);
  }

  /**
   * The model to save: this one with other featurizer stages and another predictor, everything else
   * (stages behind, nesting, uids) as it was.
   *
   * @param newStages one for each of {@link #stages}, in order
   * @param newPredictor instead of {@link #predictor}
   * @return a PipelineModel if the model was one, else the new predictor
   */
  public Transformer publish(List<Transformer> newStages, Transformer newPredictor) {
    return publishKept(newStages.stream().map(Optional::of).toList(), newPredictor);
  }

  /**
   * As {@link #publish}, where stages may go.
   *
   * @param newStages one for each of {@link #stages}, in order; empty for one that goes
   */
  public Transformer publishKept(List<Optional<Transformer>> newStages, Transformer newPredictor) {
    if (newStages.size() != stages.size()) {
      throw new IllegalArgumentException(
          "expected " + stages.size() + " featurizer stages, got " + newStages.size());
    }
    Deque<Optional<Transformer>> leaves = new ArrayDeque<>(newStages);
    leaves.add(Optional.of(newPredictor));
    stagesAfter.forEach(stage -> leaves.add(Optional.of(stage)));
    return rebuild(model, leaves).orElseThrow();
  }

  /**
   * Where this model's stages and params differ from another's, the fitted state aside: names of
   * stages and params. The columns that a FeatureHasher reads are no difference.
   */
  public List<String> differences(Featurizer other) {
    return differences(leaves(other.model));
  }

  /** The same from stages that may not be fitted yet: an estimator stands for its model. */
  List<String> differences(List<? extends PipelineStage> others) {
    List<Transformer> own = leaves(model);
    if (own.size() != others.size()) {
      return List.of(own.size() + " stages instead of " + others.size());
    }
    List<String> differences = new ArrayList<>();
    for (int i = 0; i < own.size(); i++) {
      Transformer stage = own.get(i);
      PipelineStage counterpart = others.get(i);
      String fitted = counterpart.getClass().getName();
      fitted = counterpart instanceof Estimator<?> ? fitted + "Model" : fitted;
      if (!stage.getClass().getName().equals(fitted) || !stage.uid().equals(counterpart.uid())) {
        differences.add(StageColumns.name(stage) + " instead of " + StageColumns.name(counterpart));
        continue;
      }
      for (Param<?> param : stage.params()) {
        boolean hashed = stage instanceof FeatureHasher && param.name().equals("inputCols");
        if (!hashed
            && !areAlike(
                StageColumns.value(stage, param.name()),
                StageColumns.value(counterpart, param.name()))) {
          differences.add(StageColumns.name(stage) + "." + param.name());
        }
      }
      if (stage instanceof OneVsRestModel reduction
          && counterpart instanceof OneVsRestModel another
          && !areAlike(reduction.models(), another.models())) {
        differences.add(StageColumns.name(stage) + ".models");
      }
    }
    return differences;
  }

  /** Whether two values of a param are equal; stages are by their classes, uids and params. */
  private static boolean areAlike(@Nullable Object one, @Nullable Object other) {
    if (one instanceof Object[] own && other instanceof Object[] others) {
      return own.length == others.length
          && IntStream.range(0, own.length).allMatch(i -> areAlike(own[i], others[i]));
    }
    if (one instanceof PipelineStage stage && other instanceof PipelineStage counterpart) {
      return stage.getClass().equals(counterpart.getClass())
          && stage.uid().equals(counterpart.uid())
          && Arrays.stream(stage.params())
              .map(Param::name)
              .allMatch(
                  name ->
                      areAlike(
                          StageColumns.value(stage, name), StageColumns.value(counterpart, name)));
    }
    return Objects.deepEquals(one, other);
  }

  private static Optional<Transformer> rebuild(
      Transformer node, Deque<Optional<Transformer>> leaves) {
    if (node instanceof CrossValidatorModel tuned) {
      Model<?> best = (Model<?>) rebuild(tuned.bestModel(), leaves).orElseThrow();
      return Optional.of(copied(tuned, new CrossValidatorModel(tuned.uid(), best, NO_METRICS)));
    }
    if (node instanceof TrainValidationSplitModel tuned) {
      Model<?> best = (Model<?>) rebuild(tuned.bestModel(), leaves).orElseThrow();
      return Optional.of(
          copied(tuned, new TrainValidationSplitModel(tuned.uid(), best, NO_METRICS)));
    }
    if (!(node instanceof PipelineModel pipeline)) {
      return leaves.removeFirst();
    }
    List<Transformer> rebuilt = new ArrayList<>();
    for (Transformer child : pipeline.stages()) {
      rebuild(child, leaves).ifPresent(rebuilt::add);
    }
    return Optional.of(new PipelineModel(pipeline.uid(), rebuilt.toArray(Transformer[]::new)));
  }

  private static Transformer copied(Model<?> from, Model<?> made) {
    from.copyValues(made, ParamMap.empty());
    return made;
  }

  /** What tuned hyperparameters on the data, as {@code class uid}. */
  public List<String> tuning() {
    return tunings(model).stream()
        .map(tuning -> tuning.getClass().getName() + " " + tuning.uid())
        .toList();
  }

  private static List<Model<?>> tunings(Transformer node) {
    List<Model<?>> found = new ArrayList<>();
    collectTunings(node, found);
    return found;
  }

  private static void collectTunings(Transformer node, List<Model<?>> found) {
    if (node instanceof CrossValidatorModel tuned) {
      found.add(tuned);
      collectTunings(tuned.bestModel(), found);
    } else if (node instanceof TrainValidationSplitModel tuned) {
      found.add(tuned);
      collectTunings(tuned.bestModel(), found);
    } else if (node instanceof PipelineModel pipeline) {
      for (Transformer child : pipeline.stages()) {
        collectTunings(child, found);
      }
    }
  }

  private static List<Transformer> held(Model<?> tuning) {
    List<Transformer> held = new ArrayList<>();
    collectHeldByParams(tuning, held);
    for (Transformer stage : held) {
      if (isPredictor(stage)) {
        throw new InvalidInputException(
            "the estimator of "
                + StageColumns.name(tuning)
                + " holds the fitted predictor "
                + StageColumns.name(stage)
                + ", which would be published with the parameters that it has; save and use the"
                + " best model alone");
      }
    }
    return held;
  }

  /** The fitted stages in a param's value: an estimator's, a pipeline's, a grid's. */
  private static void collectHeld(@Nullable Object value, List<Transformer> found) {
    if (value instanceof Object[] values) {
      for (Object one : values) {
        collectHeld(one, found);
      }
    } else if (value instanceof ParamMap map) {
      for (ParamPair<?> pair : CollectionConverters.asJava(map.toSeq())) {
        collectHeld(pair.value(), found);
      }
    } else if (value instanceof Transformer fitted) {
      found.addAll(leaves(fitted));
      tunings(fitted).forEach(tuning -> collectHeldByParams(tuning, found));
    } else if (value instanceof Params holder) {
      collectHeldByParams(holder, found);
    }
  }

  private static void collectHeldByParams(Params holder, List<Transformer> found) {
    for (Param<?> param : holder.params()) {
      collectHeld(StageColumns.value(holder, param.name()), found);
    }
  }

  /**
   * The stages of a model in order, those of nested pipelines, and of the best model of a tuning,
   * in their place.
   */
  public static List<Transformer> leaves(Transformer model) {
    List<Transformer> leaves = new ArrayList<>();
    flatten(model, leaves);
    return leaves;
  }

  private static void flatten(Transformer node, List<Transformer> leaves) {
    if (node instanceof PipelineModel pipeline) {
      for (Transformer child : pipeline.stages()) {
        flatten(child, leaves);
      }
    } else if (node instanceof CrossValidatorModel tuned) {
      flatten(tuned.bestModel(), leaves);
    } else if (node instanceof TrainValidationSplitModel tuned) {
      flatten(tuned.bestModel(), leaves);
    } else {
      leaves.add(node);
    }
  }

  private static int indexOf(List<String> columns, String column) {
    String lower = column.toLowerCase(Locale.ROOT);
    for (int i = 0; i < columns.size(); i++) {
      if (columns.get(i).toLowerCase(Locale.ROOT).equals(lower)) {
        return i;
      }
    }
    return -1;
  }

  private static String names(List<? extends Transformer> stages) {
    return stages.stream().map(StageColumns::name).collect(Collectors.joining(", "));
  }
}

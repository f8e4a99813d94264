package dev.lethe.spark.featurizer;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Predicate;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.Binarizer;
import org.apache.spark.ml.feature.BucketedRandomProjectionLSHModel;
import org.apache.spark.ml.feature.Bucketizer;
import org.apache.spark.ml.feature.ChiSqSelectorModel;
import org.apache.spark.ml.feature.CountVectorizerModel;
import org.apache.spark.ml.feature.DCT;
import org.apache.spark.ml.feature.ElementwiseProduct;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.ml.feature.HashingTF;
import org.apache.spark.ml.feature.IDFModel;
import org.apache.spark.ml.feature.ImputerModel;
import org.apache.spark.ml.feature.IndexToString;
import org.apache.spark.ml.feature.Interaction;
import org.apache.spark.ml.feature.MaxAbsScalerModel;
import org.apache.spark.ml.feature.MinHashLSHModel;
import org.apache.spark.ml.feature.MinMaxScalerModel;
import org.apache.spark.ml.feature.NGram;
import org.apache.spark.ml.feature.Normalizer;
import org.apache.spark.ml.feature.OneHotEncoderModel;
import org.apache.spark.ml.feature.PCAModel;
import org.apache.spark.ml.feature.PolynomialExpansion;
import org.apache.spark.ml.feature.RFormulaModel;
import org.apache.spark.ml.feature.RegexTokenizer;
import org.apache.spark.ml.feature.RobustScalerModel;
import org.apache.spark.ml.feature.SQLTransformer;
import org.apache.spark.ml.feature.StandardScalerModel;
import org.apache.spark.ml.feature.StopWordsRemover;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.ml.feature.Tokenizer;
import org.apache.spark.ml.feature.UnivariateFeatureSelectorModel;
import org.apache.spark.ml.feature.VarianceThresholdSelectorModel;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.feature.VectorIndexerModel;
import org.apache.spark.ml.feature.VectorSizeHint;
import org.apache.spark.ml.feature.VectorSlicer;
import org.apache.spark.ml.feature.Word2VecModel;
import org.jspecify.annotations.Nullable;

/**
 * What Lethe knows of one class of Spark ML stages.
 *
 * <p>Looked up by the exact class: a subclass may read other columns, so it is unknown.
 *
 * @param rule how the stage's output slots stem from its input slots; null if it cannot be seen
 * @param learned whether its state comes from data
 * @param refit what fitting the featurizer again does to it
 */
record StageSupport(@Nullable Rule rule, Learned learned, Refit refit) {

  enum Learned {
    YES("fitted on the training data"),
    POSSIBLY("its splits or labels may come from a QuantileDiscretizer or a StringIndexer"),
    NO("");

    final String note;

    Learned(String note) {
      this.note = note;
    }
  }

  /** What {@code featurizer: refit} does to a stage. */
  enum Refit {
    /** The estimator with the model's params is fitted to the corrected rows. */
    FITTED("fitted again"),
    /** The same in one task, because its result depends on the order of the rows. */
    FITTED_IN_ONE_TASK("fitted again, in one task"),
    /** It learned nothing. */
    KEPT("kept"),
    /** It learned nothing, but names its input's slots by position, or has a number for each. */
    KEPT_IF_SLOTS_STAY("kept; refused if the slots of its input change"),
    /**
     * Its splits are a parameter if they were given, learned if a QuantileDiscretizer made them.
     */
    KEPT_IF_GIVEN("kept if made by hand, else refused"),
    /** Its estimator cannot be rebuilt. */
    REFUSED("refused");

    final String words;

    Refit(String words) {
      this.words = words;
    }
  }

  /** Derives the slots of a stage's output columns. */
  @FunctionalInterface
  interface Rule {
    void apply(Transformer stage, StageRules rules);
  }

  /** Every known stage by class name, in the order of docs/featurizers.md. */
  static final Map<String, StageSupport> BY_CLASS = known();

  static @Nullable StageSupport of(Transformer stage) {
    return BY_CLASS.get(stage.getClass().getName());
  }

  private static Map<String, StageSupport> known() {
    Map<String, StageSupport> map = new LinkedHashMap<>();

    Rule scalars = columnwise((stage, i) -> 1);
    put(map, StringIndexerModel.class, Learned.YES, Refit.FITTED, scalars);
    put(
        map,
        OneHotEncoderModel.class,
        Learned.YES,
        Refit.FITTED,
        columnwise((stage, i) -> width((OneHotEncoderModel) stage, i)));
    // by name: Spark 3.5 does not have this class
    map.put(
        "org.apache.spark.ml.feature.TargetEncoderModel",
        new StageSupport(scalars, Learned.YES, Refit.REFUSED));
    put(map, IndexToString.class, Learned.POSSIBLY, Refit.KEPT, scalars);
    put(map, Bucketizer.class, Learned.POSSIBLY, Refit.KEPT_IF_GIVEN, scalars);
    put(map, ImputerModel.class, Learned.YES, Refit.FITTED_IN_ONE_TASK, scalars);
    put(map, Tokenizer.class, Learned.NO, Refit.KEPT, scalars);
    put(map, RegexTokenizer.class, Learned.NO, Refit.KEPT, scalars);
    put(map, NGram.class, Learned.NO, Refit.KEPT, scalars);
    put(map, StopWordsRemover.class, Learned.NO, Refit.KEPT, scalars);
    put(
        map,
        HashingTF.class,
        Learned.NO,
        Refit.KEPT,
        columnwise((stage, i) -> ((HashingTF) stage).getNumFeatures()));
    put(
        map,
        CountVectorizerModel.class,
        Learned.YES,
        Refit.FITTED,
        columnwise((stage, i) -> ((CountVectorizerModel) stage).vocabulary().length));
    put(
        map,
        Word2VecModel.class,
        Learned.YES,
        Refit.FITTED_IN_ONE_TASK,
        columnwise((stage, i) -> ((Word2VecModel) stage).getVectorSize()));

    put(
        map,
        VectorAssembler.class,
        Learned.NO,
        Refit.KEPT,
        (stage, rules) -> rules.assemble(stage));
    put(
        map,
        FeatureHasher.class,
        Learned.NO,
        Refit.KEPT,
        (stage, rules) -> rules.hash((FeatureHasher) stage));

    put(
        map,
        StandardScalerModel.class,
        Learned.YES,
        Refit.FITTED,
        slotwise(stage -> !((StandardScalerModel) stage).getWithMean()));
    put(map, MinMaxScalerModel.class, Learned.YES, Refit.FITTED, slotwise(stage -> false));
    put(map, MaxAbsScalerModel.class, Learned.YES, Refit.FITTED, slotwise(stage -> true));
    put(
        map,
        RobustScalerModel.class,
        Learned.YES,
        Refit.FITTED_IN_ONE_TASK,
        slotwise(stage -> !((RobustScalerModel) stage).getWithCentering()));
    put(
        map,
        ElementwiseProduct.class,
        Learned.NO,
        Refit.KEPT_IF_SLOTS_STAY,
        slotwise(stage -> true));
    put(map, IDFModel.class, Learned.YES, Refit.FITTED, slotwise(stage -> true));
    put(map, Binarizer.class, Learned.NO, Refit.KEPT, slotwise(stage -> false));
    put(map, VectorIndexerModel.class, Learned.YES, Refit.FITTED, slotwise(stage -> false));
    put(
        map,
        VectorSizeHint.class,
        Learned.NO,
        Refit.KEPT_IF_SLOTS_STAY,
        (stage, rules) -> rules.hint((VectorSizeHint) stage));

    put(
        map,
        VectorSlicer.class,
        Learned.NO,
        Refit.KEPT_IF_SLOTS_STAY,
        (stage, rules) -> rules.slice((VectorSlicer) stage));
    put(
        map,
        ChiSqSelectorModel.class,
        Learned.YES,
        Refit.FITTED,
        (stage, rules) ->
            rules.select(stage, sorted(((ChiSqSelectorModel) stage).selectedFeatures())));
    put(
        map,
        UnivariateFeatureSelectorModel.class,
        Learned.YES,
        Refit.FITTED,
        (stage, rules) ->
            rules.select(
                stage, sorted(((UnivariateFeatureSelectorModel) stage).selectedFeatures())));
    put(
        map,
        VarianceThresholdSelectorModel.class,
        Learned.YES,
        Refit.FITTED,
        (stage, rules) ->
            rules.select(stage, ((VarianceThresholdSelectorModel) stage).selectedFeatures()));

    put(map, Normalizer.class, Learned.NO, Refit.KEPT, (stage, rules) -> rules.normalize(stage));
    put(map, PCAModel.class, Learned.YES, Refit.FITTED, (stage, rules) -> rules.mix(stage));
    put(map, DCT.class, Learned.NO, Refit.KEPT, (stage, rules) -> rules.mix(stage));
    put(map, PolynomialExpansion.class, Learned.NO, Refit.KEPT, (stage, rules) -> rules.mix(stage));
    put(map, Interaction.class, Learned.NO, Refit.KEPT, (stage, rules) -> rules.mix(stage));
    // their hash functions are drawn from the seed, not fitted
    put(
        map,
        BucketedRandomProjectionLSHModel.class,
        Learned.NO,
        Refit.KEPT_IF_SLOTS_STAY,
        (stage, rules) -> rules.mix(stage));
    put(
        map,
        MinHashLSHModel.class,
        Learned.NO,
        Refit.KEPT_IF_SLOTS_STAY,
        (stage, rules) -> rules.mix(stage));

    put(map, SQLTransformer.class, Learned.NO, Refit.KEPT, null);
    put(map, RFormulaModel.class, Learned.YES, Refit.REFUSED, null);
    return map;
  }

  private static void put(
      Map<String, StageSupport> map,
      Class<? extends Transformer> stage,
      Learned learned,
      Refit refit,
      @Nullable Rule rule) {
    map.put(stage.getName(), new StageSupport(rule, learned, refit));
  }

  /** Output column i stems from input column i alone. */
  private static Rule columnwise(OutputSize size) {
    return (stage, rules) -> rules.columnwise(stage, size);
  }

  /** Output slot j stems from input slot j alone. */
  private static Rule slotwise(Predicate<Transformer> mapsZeroToZero) {
    return (stage, rules) -> rules.slotwise(stage, mapsZeroToZero.test(stage));
  }

  /** The number of slots of a stage's output column i. */
  @FunctionalInterface
  interface OutputSize {
    int of(Transformer stage, int i);
  }

  /** These models list their features by rank but put them out in the order of the input. */
  private static int[] sorted(int[] selected) {
    int[] copy = selected.clone();
    Arrays.sort(copy);
    return copy;
  }

  private static int width(OneHotEncoderModel encoder, int i) {
    int kept = StageColumns.handlesInvalidBy(encoder, "keep") ? 1 : 0;
    int dropped = encoder.getDropLast() ? 1 : 0;
    return encoder.categorySizes()[i] + kept - dropped;
  }
}

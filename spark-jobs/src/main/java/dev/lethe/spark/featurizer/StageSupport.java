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
 */
record StageSupport(@Nullable Rule rule, Learned learned) {

  enum Learned {
    YES("fitted on the training data"),
    POSSIBLY("its splits may have been fitted by a QuantileDiscretizer"),
    NO("");

    final String note;

    Learned(String note) {
      this.note = note;
    }
  }

  /** Derives the slots of a stage's output columns. */
  @FunctionalInterface
  interface Rule {
    void apply(Transformer stage, SlotWalk walk);
  }

  /** Every known stage by class name, in the order of docs/featurizers.md. */
  static final Map<String, StageSupport> BY_CLASS = known();

  static @Nullable StageSupport of(Transformer stage) {
    return BY_CLASS.get(stage.getClass().getName());
  }

  private static Map<String, StageSupport> known() {
    Map<String, StageSupport> map = new LinkedHashMap<>();

    Rule scalars = columnwise((stage, i) -> 1);
    put(map, StringIndexerModel.class, Learned.YES, scalars);
    put(
        map,
        OneHotEncoderModel.class,
        Learned.YES,
        columnwise((stage, i) -> width((OneHotEncoderModel) stage, i)));
    // by name: Spark 3.5 does not have this class
    map.put(
        "org.apache.spark.ml.feature.TargetEncoderModel", new StageSupport(scalars, Learned.YES));
    put(map, IndexToString.class, Learned.NO, scalars);
    put(map, Bucketizer.class, Learned.POSSIBLY, scalars);
    put(map, ImputerModel.class, Learned.YES, scalars);
    put(map, Tokenizer.class, Learned.NO, scalars);
    put(map, RegexTokenizer.class, Learned.NO, scalars);
    put(map, NGram.class, Learned.NO, scalars);
    put(map, StopWordsRemover.class, Learned.NO, scalars);
    put(
        map,
        HashingTF.class,
        Learned.NO,
        columnwise((stage, i) -> ((HashingTF) stage).getNumFeatures()));
    put(
        map,
        CountVectorizerModel.class,
        Learned.YES,
        columnwise((stage, i) -> ((CountVectorizerModel) stage).vocabulary().length));
    put(
        map,
        Word2VecModel.class,
        Learned.YES,
        columnwise((stage, i) -> ((Word2VecModel) stage).getVectorSize()));

    put(map, VectorAssembler.class, Learned.NO, (stage, walk) -> walk.assemble(stage));
    put(map, FeatureHasher.class, Learned.NO, (stage, walk) -> walk.hash((FeatureHasher) stage));

    put(
        map,
        StandardScalerModel.class,
        Learned.YES,
        slotwise(stage -> !((StandardScalerModel) stage).getWithMean()));
    put(map, MinMaxScalerModel.class, Learned.YES, slotwise(stage -> false));
    put(map, MaxAbsScalerModel.class, Learned.YES, slotwise(stage -> true));
    put(
        map,
        RobustScalerModel.class,
        Learned.YES,
        slotwise(stage -> !((RobustScalerModel) stage).getWithCentering()));
    put(map, ElementwiseProduct.class, Learned.NO, slotwise(stage -> true));
    put(map, IDFModel.class, Learned.YES, slotwise(stage -> true));
    put(map, Binarizer.class, Learned.NO, slotwise(stage -> false));
    put(map, VectorIndexerModel.class, Learned.YES, slotwise(stage -> false));
    put(map, VectorSizeHint.class, Learned.NO, (stage, walk) -> walk.hint((VectorSizeHint) stage));

    put(map, VectorSlicer.class, Learned.NO, (stage, walk) -> walk.slice((VectorSlicer) stage));
    put(
        map,
        ChiSqSelectorModel.class,
        Learned.YES,
        (stage, walk) ->
            walk.select(stage, sorted(((ChiSqSelectorModel) stage).selectedFeatures())));
    put(
        map,
        UnivariateFeatureSelectorModel.class,
        Learned.YES,
        (stage, walk) ->
            walk.select(
                stage, sorted(((UnivariateFeatureSelectorModel) stage).selectedFeatures())));
    put(
        map,
        VarianceThresholdSelectorModel.class,
        Learned.YES,
        (stage, walk) ->
            walk.select(stage, ((VarianceThresholdSelectorModel) stage).selectedFeatures()));

    put(map, Normalizer.class, Learned.NO, (stage, walk) -> walk.normalize(stage));
    put(map, PCAModel.class, Learned.YES, (stage, walk) -> walk.mix(stage));
    put(map, DCT.class, Learned.NO, (stage, walk) -> walk.mix(stage));
    put(map, PolynomialExpansion.class, Learned.NO, (stage, walk) -> walk.mix(stage));
    put(map, Interaction.class, Learned.NO, (stage, walk) -> walk.mix(stage));
    // their hash functions are drawn from the seed, not fitted
    put(map, BucketedRandomProjectionLSHModel.class, Learned.NO, (stage, walk) -> walk.mix(stage));
    put(map, MinHashLSHModel.class, Learned.NO, (stage, walk) -> walk.mix(stage));

    put(map, SQLTransformer.class, Learned.NO, null);
    put(map, RFormulaModel.class, Learned.YES, null);
    return map;
  }

  private static void put(
      Map<String, StageSupport> map,
      Class<? extends Transformer> stage,
      Learned learned,
      @Nullable Rule rule) {
    map.put(stage.getName(), new StageSupport(rule, learned));
  }

  /** Output column i stems from input column i alone. */
  private static Rule columnwise(OutputSize size) {
    return (stage, walk) -> walk.columnwise(stage, size);
  }

  /** Output slot j stems from input slot j alone. */
  private static Rule slotwise(Predicate<Transformer> mapsZeroToZero) {
    return (stage, walk) -> walk.slotwise(stage, mapsZeroToZero.test(stage));
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

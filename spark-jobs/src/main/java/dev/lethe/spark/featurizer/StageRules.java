package dev.lethe.spark.featurizer;

import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.ml.feature.VectorSizeHint;
import org.apache.spark.ml.feature.VectorSlicer;

/**
 * The ways in which a stage's output slots stem from its input slots, for everybody who follows
 * them through a pipeline. {@link StageSupport} says which stage goes which way.
 */
interface StageRules {
  /** Output column i stems from input column i alone. */
  void columnwise(Transformer stage, StageSupport.OutputSize size);

  /** Output slot j of column i stems from slot j of input column i alone. */
  void slotwise(Transformer stage, boolean mapsZeroToZero);

  /** The column stays as it is. */
  void hint(VectorSizeHint stage);

  /** The output is the inputs, one behind the other. */
  void assemble(Transformer stage);

  /** The output is these slots of the input, in this order. */
  void select(Transformer stage, int[] selected);

  /** The output is the slots that the stage names. */
  void slice(VectorSlicer stage);

  /** Output slot j stems from slot j, and from the norm of the row. */
  void normalize(Transformer stage);

  /** Every output slot may stem from every input slot. */
  void mix(Transformer stage);

  /** The inputs are added up in slots that their names and values decide. */
  void hash(FeatureHasher stage);
}

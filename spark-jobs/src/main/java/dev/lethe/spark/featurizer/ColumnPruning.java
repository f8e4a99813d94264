package dev.lethe.spark.featurizer;

import java.lang.reflect.Array;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.ml.feature.VectorSizeHint;
import org.apache.spark.ml.feature.VectorSlicer;
import org.apache.spark.ml.param.Param;

/**
 * Takes removed columns out of the params of stages, in pipeline order: a stage no longer reads
 * them, and what it made of them alone is removed, too. A stage of which nothing is left goes.
 *
 * <p>That the columns can be removed is {@link FeatureRemoval}'s to check.
 */
final class ColumnPruning implements StageRules {
  /** Array params with an entry for each input column. */
  private static final Set<String> PER_INPUT =
      Set.of("inputCols", "outputCols", "splitsArray", "thresholds");

  private final Set<String> removed = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);

  ColumnPruning(Collection<String> columns) {
    removed.addAll(columns);
  }

  /** Positions of the inputs that the stage keeps, ascending. */
  int[] keptInputs(Transformer stage) {
    List<String> inputs = StageColumns.inputs(stage);
    int[] kept =
        IntStream.range(0, inputs.size()).filter(i -> !removed.contains(inputs.get(i))).toArray();
    StageSupport support = StageSupport.of(stage);
    if (kept.length < inputs.size() && support != null && support.rule() != null) {
      support.rule().apply(stage, this);
    }
    return kept;
  }

  /**
   * Sets the params of a stage, which are changed, to these inputs alone.
   *
   * @param kept positions among its inputs, ascending
   */
  void restrict(PipelineStage stage, int[] kept) {
    for (Param<?> known : stage.params()) {
      Param<Object> param = stage.getParam(known.name());
      if (!stage.isSet(param)) {
        continue;
      }
      Object value = stage.getOrDefault(param);
      if (PER_INPUT.contains(param.name())) {
        stage.set(param, pick(value, kept));
      } else if (param.name().equals("categoricalCols")) {
        stage.set(
            param,
            Arrays.stream((String[]) value)
                .filter(column -> !removed.contains(column))
                .toArray(String[]::new));
      }
    }
  }

  private static Object pick(Object array, int[] kept) {
    Object picked = Array.newInstance(array.getClass().getComponentType(), kept.length);
    for (int i = 0; i < kept.length; i++) {
      Array.set(picked, i, Array.get(array, kept[i]));
    }
    return picked;
  }

  private void pairwise(Transformer stage) {
    List<String> inputs = StageColumns.inputs(stage);
    List<String> outputs = StageColumns.outputs(stage);
    for (int i = 0; i < inputs.size(); i++) {
      if (removed.contains(inputs.get(i))) {
        removed.add(outputs.get(i));
      }
    }
  }

  private void together(Transformer stage) {
    if (removed.containsAll(StageColumns.inputs(stage))) {
      removed.addAll(StageColumns.outputs(stage));
    }
  }

  @Override
  public void columnwise(Transformer stage, StageSupport.OutputSize size) {
    pairwise(stage);
  }

  @Override
  public void slotwise(Transformer stage, boolean mapsZeroToZero) {
    pairwise(stage);
  }

  @Override
  public void hint(VectorSizeHint stage) {}

  @Override
  public void assemble(Transformer stage) {
    together(stage);
  }

  @Override
  public void select(Transformer stage, int[] selected) {
    together(stage);
  }

  @Override
  public void slice(VectorSlicer stage) {
    together(stage);
  }

  @Override
  public void normalize(Transformer stage) {
    together(stage);
  }

  @Override
  public void mix(Transformer stage) {
    together(stage);
  }

  @Override
  public void hash(FeatureHasher stage) {
    together(stage);
  }
}

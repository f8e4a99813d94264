package dev.lethe.spark.featurizer;

import dev.lethe.spark.TableColumns;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.CountVectorizerModel;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.ml.feature.HashingTF;
import org.apache.spark.ml.feature.OneHotEncoderModel;
import org.apache.spark.ml.feature.VectorSizeHint;
import org.apache.spark.ml.feature.VectorSlicer;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructField;
import org.jspecify.annotations.Nullable;

/**
 * Names the slots of columns by what they mean, so that the slots of two fits of one pipeline can
 * be matched: two slots of the same name stem from the same columns, categories or terms.
 *
 * <p>Names are those of Spark ML's attributes. Where Spark ML gives none, or numbers slots instead
 * (behind a scaler), they are carried on from the input; terms name the slots of a
 * CountVectorizerModel, positions those of vectors in the table and of hashed columns. Other slots
 * have no name.
 */
final class SlotNames implements StageRules {
  /** The one slot of a column that is not a vector. */
  private static final String SCALAR = "";

  private final Map<String, @Nullable String[]> columns = new HashMap<>();
  private final Map<String, @Nullable String[]> outputs = new LinkedHashMap<>();
  private Dataset<Row> rows;
  private Dataset<Row> next;
  // behind a stage that cannot be seen into, positions of a vector mean nothing
  private boolean seen = true;

  SlotNames(Dataset<Row> table) {
    rows = table;
    next = table;
  }

  /** The rows through the stages so far. */
  Dataset<Row> rows() {
    return rows;
  }

  void step(Transformer stage) {
    StageSupport support = StageSupport.of(stage);
    next = stage.transform(rows);
    outputs.clear();
    if (support == null || support.rule() == null) {
      columns.clear();
      seen = false;
    } else {
      support.rule().apply(stage, this);
    }
    rows = next;
    columns.putAll(outputs);
  }

  /** The names of a column's slots, null for a slot without one. */
  @Nullable String[] names(String column) {
    StructField found = TableColumns.find(rows.schema(), column);
    if (found == null) {
      return new String[1];
    }
    return columns.computeIfAbsent(found.name(), name -> unmade(found));
  }

  private @Nullable String[] unmade(StructField field) {
    if (!SlotWalk.isVector(field)) {
      return new String[] {SCALAR};
    }
    int size = SlotWalk.size(rows, field);
    return seen ? positions(size) : attributes(field, size);
  }

  private static @Nullable String[] positions(int size) {
    return IntStream.range(0, size).mapToObj(Integer::toString).toArray(String[]::new);
  }

  private static @Nullable String[] attributes(StructField field, int size) {
    List<String> names = SlotWalk.slotNames(field);
    @Nullable String[] slots = new String[size];
    for (int j = 0; j < Math.min(size, names.size()); j++) {
      slots[j] = names.get(j).isEmpty() ? null : names.get(j);
    }
    return slots;
  }

  @Override
  public void columnwise(Transformer stage, StageSupport.OutputSize size) {
    List<String> out = StageColumns.outputs(stage);
    for (int i = 0; i < out.size(); i++) {
      StructField field = SlotWalk.field(next, out.get(i));
      @Nullable String[] slots = {SCALAR};
      if (stage instanceof CountVectorizerModel vectorizer) {
        slots = vectorizer.vocabulary();
      } else if (stage instanceof HashingTF) {
        slots = positions(size.of(stage, i));
      } else if (stage instanceof OneHotEncoderModel) {
        slots = attributes(field, size.of(stage, i));
      } else if (SlotWalk.isVector(field)) {
        slots = new String[size.of(stage, i)];
      }
      outputs.put(field.name(), slots);
    }
  }

  @Override
  public void slotwise(Transformer stage, boolean mapsZeroToZero) {
    List<String> inputs = StageColumns.inputs(stage);
    List<String> out = StageColumns.outputs(stage);
    for (int i = 0; i < out.size(); i++) {
      outputs.put(out.get(i), names(inputs.get(i)));
    }
  }

  @Override
  public void hint(VectorSizeHint stage) {
    String column = stage.getInputCol();
    outputs.put(SlotWalk.field(next, column).name(), names(column));
  }

  @Override
  public void assemble(Transformer stage) {
    List<@Nullable String> slots = new ArrayList<>();
    for (String input : StageColumns.inputs(stage)) {
      for (String slot : names(input)) {
        slots.add(slot == null ? null : slot.equals(SCALAR) ? input : input + "_" + slot);
      }
    }
    output(stage, slots.toArray(new String[0]));
  }

  @Override
  public void select(Transformer stage, int[] selected) {
    @Nullable String[] slots = names(StageColumns.inputs(stage).get(0));
    output(stage, Arrays.stream(selected).mapToObj(j -> slots[j]).toArray(String[]::new));
  }

  @Override
  public void slice(VectorSlicer stage) {
    select(stage, SlotWalk.selected(stage, SlotWalk.field(rows, stage.getInputCol())));
  }

  @Override
  public void normalize(Transformer stage) {
    output(stage, names(StageColumns.inputs(stage).get(0)));
  }

  @Override
  public void mix(Transformer stage) {
    int inputs = StageColumns.inputs(stage).stream().mapToInt(input -> names(input).length).sum();
    int size = SlotWalk.mixedSize(stage, inputs, next);
    output(stage, attributes(SlotWalk.field(next, StageColumns.outputs(stage).get(0)), size));
  }

  @Override
  public void hash(FeatureHasher stage) {
    output(stage, positions(stage.getNumFeatures()));
  }

  private void output(Transformer stage, @Nullable String[] slots) {
    outputs.put(StageColumns.outputs(stage).get(0), slots);
  }
}

package dev.lethe.spark.featurizer;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.IndexToString;

/**
 * The stages whose state was computed from the data that the model was fitted on: label lists,
 * means, vocabularies. A certificate does not cover them, and says so by uid and class.
 *
 * <p>A stage that Lethe does not know is taken to be learned.
 *
 * @param stages each once, in pipeline order
 */
public record LearnedState(List<Stage> stages) {

  /**
   * One stage.
   *
   * @param uid the stage's uid
   * @param className its class, fully qualified
   * @param note why it counts
   */
  public record Stage(String uid, String className, String note) {
    /** How certificates name it. */
    public String name() {
      return className + " " + uid;
    }
  }

  public LearnedState {
    stages = List.copyOf(stages);
  }

  public static LearnedState of(List<Transformer> stages) {
    List<Stage> learned = new ArrayList<>();
    for (Transformer stage : stages) {
      StageSupport support = StageSupport.of(stage);
      String note = support == null ? "unknown stage, taken to be learned" : support.learned().note;
      if (support == null || (support.learned() != StageSupport.Learned.NO && !isEmpty(stage))) {
        learned.add(new Stage(stage.uid(), stage.getClass().getName(), note));
      }
    }
    return new LearnedState(learned.stream().distinct().toList());
  }

  /** An IndexToString without labels, which takes them from its column's metadata. */
  private static boolean isEmpty(Transformer stage) {
    return stage instanceof IndexToString
        && !(StageColumns.value(stage, "labels") instanceof String[] labels && labels.length > 0);
  }

  /** How certificates name the stages. */
  public List<String> names() {
    return stages.stream().map(Stage::name).toList();
  }
}

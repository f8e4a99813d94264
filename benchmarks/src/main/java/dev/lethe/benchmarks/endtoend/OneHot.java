package dev.lethe.benchmarks.endtoend;

import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.OneHotEncoder;
import org.apache.spark.ml.feature.OneHotEncoderModel;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Numbers as they are and categories as indicators, in one vector.
 *
 * @param unseen what a StringIndexer does with a category that it does not know; {@code keep} makes
 *     all indicators of it 0
 */
record OneHot(List<String> numbers, List<String> categories, String unseen) {
  PipelineStage[] stages() {
    return new PipelineStage[] {
      new StringIndexer()
          .setInputCols(columns(categories, ""))
          .setOutputCols(columns(categories, "_i"))
          .setHandleInvalid(unseen),
      new OneHotEncoder()
          .setInputCols(columns(categories, "_i"))
          .setOutputCols(columns(categories, "_v")),
      assembler(categories)
    };
  }

  private static String[] columns(List<String> names, String suffix) {
    return names.stream().map(name -> name + suffix).toArray(String[]::new);
  }

  private VectorAssembler assembler(List<String> encoded) {
    return new VectorAssembler()
        .setInputCols(
            Stream.concat(numbers.stream(), encoded.stream().map(name -> name + "_v"))
                .toArray(String[]::new))
        .setOutputCol(Case.FEATURES);
  }

  /**
   * Rows without some categorical columns, with the categories that the model's own stages know,
   * which spares the retraining a fit.
   */
  Dataset<Row> without(List<String> removed, PipelineModel model, Dataset<Row> table) {
    Dataset<Row> rows = table;
    for (Transformer stage : model.stages()) {
      if (stage instanceof StringIndexerModel || stage instanceof OneHotEncoderModel) {
        rows = stage.transform(rows);
      }
    }
    return assembler(categories.stream().filter(name -> !removed.contains(name)).toList())
        .transform(rows)
        .select(Case.FEATURES, Case.LABEL);
  }
}

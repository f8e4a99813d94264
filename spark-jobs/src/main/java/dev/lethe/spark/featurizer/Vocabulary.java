package dev.lethe.spark.featurizer;

import static org.apache.spark.sql.functions.array_distinct;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.count;
import static org.apache.spark.sql.functions.explode;
import static org.apache.spark.sql.functions.lit;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import org.apache.spark.ml.feature.CountVectorizer;
import org.apache.spark.ml.feature.CountVectorizerModel;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * The fit of a CountVectorizer, with ties between equally frequent terms broken by the alphabet.
 * Spark ML's own fit breaks them by how the rows lie in partitions, which may depend on rows that
 * are gone.
 */
final class Vocabulary {
  private Vocabulary() {}

  /**
   * The {@code vocabSize} most frequent terms among those of at least minDF and at most maxDF
   * documents (a number, or a fraction below 1), most frequent first.
   *
   * @throws InvalidInputException if no term is left
   */
  static CountVectorizerModel fit(CountVectorizer estimator, Dataset<Row> rows) {
    Dataset<Row> documents =
        rows.select(TableColumns.column(estimator.getInputCol()).as("document"));
    Column document = col("document");
    double minimum = estimator.getMinDF();
    double maximum = estimator.getMaxDF();
    double n = minimum < 1 || maximum < 1 ? documents.count() : 0;
    Dataset<Row> counts =
        documents.select(explode(document).as("term")).groupBy("term").agg(count(lit(1)).as("n"));
    Dataset<Row> frequencies =
        documents
            .select(explode(array_distinct(document)).as("term"))
            .groupBy("term")
            .agg(count(lit(1)).as("df"))
            .where(
                col("df")
                    .between(
                        minimum < 1 ? minimum * n : minimum, maximum < 1 ? maximum * n : maximum));
    String[] terms =
        counts
            .join(frequencies, "term")
            .orderBy(col("n").desc(), col("term"))
            .limit(estimator.getVocabSize())
            .select("term")
            .collectAsList()
            .stream()
            .map(row -> row.getString(0))
            .toArray(String[]::new);
    if (terms.length == 0) {
      throw new InvalidInputException(
          "stage "
              + StageColumns.name(estimator)
              + ": the corrected rows have no term that minDF = "
              + minimum
              + " and maxDF = "
              + maximum
              + " let into the vocabulary");
    }
    CountVectorizerModel model = new CountVectorizerModel(estimator.uid(), terms);
    estimator.copyValues(model, ParamMap.empty());
    return model;
  }
}

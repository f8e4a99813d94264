package dev.lethe.spark.api;

import dev.lethe.spark.LocalSpark;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.feature.OneHotEncoder;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/** 300 made-up members of a club and a model of who leaves it, fitted by Spark ML. */
final class Members {
  /** Slots of the city, behind age and visits. */
  static final int[] CITY = {2, 3};

  private static PipelineModel model;

  private Members() {}

  static Dataset<Row> data() {
    return LocalSpark.session()
        .range(0, 300, 1, 2)
        .selectExpr(
            "id AS member",
            "double(18 + pmod(hash(id, 1), 60)) AS age",
            "double(pmod(hash(id, 2), 30)) AS visits",
            "element_at(array('Bonn', 'Kiel', 'Ulm'), int(1 + pmod(hash(id, 3), 3))) AS city",
            "double(pmod(hash(id, 4), 60) < pmod(hash(id, 1), 60)) AS label");
  }

  static synchronized PipelineModel model() {
    if (model == null) {
      model =
          new Pipeline()
              .setStages(
                  new PipelineStage[] {
                    new StringIndexer()
                        .setInputCol("city")
                        .setOutputCol("city_index")
                        .setStringOrderType("alphabetAsc"),
                    new OneHotEncoder().setInputCol("city_index").setOutputCol("city_vector"),
                    new VectorAssembler()
                        .setInputCols(new String[] {"age", "visits", "city_vector"})
                        .setOutputCol("features"),
                    new LogisticRegression().setRegParam(0.01)
                  })
              .fit(data());
    }
    return model;
  }

  static UnlearnRequest.Builder changes(String id) {
    return UnlearnRequest.builder(id)
        .removeFeatures("city")
        .replaceFeature("visits", "visits + 1", "member IN (11, 12)")
        .relabel("1 - label", "member BETWEEN 20 AND 25")
        .removeRows("member = 7");
  }

  static UnlearnRequest request(String id) {
    return changes(id).certificate(0.5, 1e-5, 1e-7).build();
  }

  /** The same as a file. */
  static String file(String id) {
    return """
        id: %s
        changes:
          - removeFeatures: [city]
          - replaceFeatures: {set: {visits: "visits + 1"}, where: "member IN (11, 12)"}
          - relabel: {to: "1 - label", where: "member BETWEEN 20 AND 25"}
          - removeRows: {where: "member = 7"}
        certificate: {epsilon: 0.5, delta: 1e-5, rho: 1e-7}
        """
        .formatted(id);
  }

  /** The rows that the changes make. */
  static Dataset<Row> corrected() {
    return data()
        .where("member <> 7")
        .selectExpr(
            "member",
            "age",
            "CASE WHEN member IN (11, 12) THEN visits + 1 ELSE visits END AS visits",
            "city",
            "CASE WHEN member BETWEEN 20 AND 25 THEN 1 - label ELSE label END AS label");
  }
}

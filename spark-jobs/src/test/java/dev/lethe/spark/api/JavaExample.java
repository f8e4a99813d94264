package dev.lethe.spark.api;

import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Check;
import java.util.List;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.classification.LogisticRegression;
import org.apache.spark.ml.feature.StringIndexer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** The example in Java of docs/api.md, between the two marks. */
final class JavaExample {
  private JavaExample() {}

  static Certificate forget(SparkSession spark, String place) throws Exception {
    // example begins
    Dataset<Row> visits =
        spark
            .range(0, 1000, 1, 4)
            .selectExpr(
                "concat('u-', id) AS user_id",
                "double(18 + pmod(hash(id, 1), 60)) AS age",
                "double(pmod(hash(id, 2), 30)) AS pages",
                "element_at(array('m', 'f'), int(1 + pmod(hash(id, 3), 2))) AS sex",
                "double(pmod(hash(id, 4), 60) < pmod(hash(id, 1), 60)) AS bought");
    PipelineModel model =
        new Pipeline()
            .setStages(
                new PipelineStage[] {
                  new StringIndexer().setInputCol("sex").setOutputCol("sex_index"),
                  new VectorAssembler()
                      .setInputCols(new String[] {"age", "pages", "sex_index"})
                      .setOutputCol("features"),
                  new LogisticRegression().setLabelCol("bought").setRegParam(0.01)
                })
            .fit(visits);

    UnlearnRequest request =
        UnlearnRequest.builder("shop-2026-118")
            .removeFeatures("sex")
            .relabel("0", "user_id IN ('u-17', 'u-21')")
            .removeRows("user_id = 'u-471'")
            .certificate(0.5, 1e-5, 1e-6)
            .build();

    Unlearner unlearner = new Unlearner().setMaxSteps(20);
    TrainingData data = TrainingData.original(visits);
    try (UnlearnedModel unlearned = unlearner.unlearn(model, data, request)) {
      Certificate certificate = unlearned.certificate();
      System.out.println(certificate.verdict() + ": " + certificate.guarantee());

      Dataset<Row> scored = unlearned.model().transform(visits); // as any Spark ML model
      scored.select("user_id", "prediction").show(3);

      List<Check> checks = unlearner.verify(unlearned, model, data, request);
      checks.forEach(check -> System.out.println(check.passed() + " " + check.name()));

      unlearned.save(place + "/shop", place + "/vault"); // only if it is to be published
      // example ends
      return certificate;
    }
  }
}

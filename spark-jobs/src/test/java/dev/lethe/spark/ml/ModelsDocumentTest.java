package dev.lethe.spark.ml;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.core.loss.LossFunction;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.classification.LogisticRegressionModel;
import org.apache.spark.ml.classification.OneVsRestModel;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.regression.GeneralizedLinearRegressionModel;
import org.apache.spark.ml.regression.LinearRegressionModel;
import org.apache.spark.sql.types.Metadata;
import org.junit.jupiter.api.Test;

/** That the table of models in docs/models.md is what the code does. */
class ModelsDocumentTest {

  private static Path document() {
    for (Path at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      Path file = at.resolve("docs/models.md");
      if (Files.exists(file)) {
        return file;
      }
    }
    throw new AssertionError("docs/models.md is not above " + Path.of("").toAbsolutePath());
  }

  private static String line(String name, Model<?> model) {
    LinearModel linear = LinearModel.of(model, "test");
    LossFunction loss = linear.loss();
    String curvature =
        !loss.isSelfConcordant()
            ? "bounded in a ball"
            : loss.selfConcordance() == 0
                ? "constant"
                : String.format(Locale.ROOT, "self-concordant, M = %.4g", loss.selfConcordance());
    String onePass = loss.isSeparable() ? "yes" : "no";
    return "| %s | %s | %s | `%s` | %s | %s |"
        .formatted(
            name,
            loss.name(),
            loss.labelDomain(),
            linear.penaltyRule().description(),
            curvature,
            onePass);
  }

  private static Model<?> trainable(TrainableLoss loss) {
    return loss.untrained(new TrainableLoss.Params(0.1, true, true, "f", "y", null, false), 2, 3);
  }

  private static LinearRegressionModel normal() {
    LinearRegressionModel model =
        (LinearRegressionModel) trainable(TrainableLoss.SQUARED).copy(ParamMap.empty());
    model.set(model.solver(), "normal");
    return model;
  }

  private static Model<?> binomial() {
    Model<?> model = trainable(TrainableLoss.BINOMIAL);
    model.set("regParam", 0.0);
    return model;
  }

  private static Model<?> gaussian() {
    return new GeneralizedLinearRegressionModel("g", Vectors.zeros(2), 0);
  }

  private static Model<?> oneVsRest() {
    LogisticRegressionModel binary = new LogisticRegressionModel("b", Vectors.zeros(2), 0);
    return new OneVsRestModel(
        "o", Metadata.empty(), new LogisticRegressionModel[] {binary, binary, binary});
  }

  @Test
  void table_isWhatTheCodeDoes() throws Exception {
    List<String> expected = new ArrayList<>();
    expected.add(line("LogisticRegressionModel, binomial", trainable(TrainableLoss.LOGISTIC)));
    expected.add(
        line("LogisticRegressionModel, multinomial", trainable(TrainableLoss.MULTINOMIAL)));
    expected.add(line("LinearRegressionModel, l-bfgs", trainable(TrainableLoss.SQUARED)));
    expected.add(line("LinearRegressionModel, normal", normal()));
    expected.add(line("LinearRegressionModel, huber", trainable(TrainableLoss.HUBER)));
    expected.add(line("LinearSVCModel, smoothed hinge", trainable(TrainableLoss.SMOOTHED_HINGE)));
    expected.add(line("LinearSVCModel, squared hinge", trainable(TrainableLoss.SQUARED_HINGE)));
    expected.add(line("GeneralizedLinearRegressionModel, gaussian", gaussian()));
    expected.add(line("GeneralizedLinearRegressionModel, binomial", binomial()));
    expected.add(
        line("GeneralizedLinearRegressionModel, poisson", trainable(TrainableLoss.POISSON)));
    expected.add(line("GeneralizedLinearRegressionModel, gamma", trainable(TrainableLoss.GAMMA)));
    expected.add(line("OneVsRestModel of a LogisticRegressionModel", oneVsRest()));
    expected.add(
        line(
            "OneVsRestModel of a LinearSVCModel, smoothed hinge",
            trainable(TrainableLoss.ONE_VS_REST_SMOOTHED_HINGE)));
    expected.add(
        line(
            "OneVsRestModel of a LinearSVCModel, squared hinge",
            trainable(TrainableLoss.ONE_VS_REST_SQUARED_HINGE)));
    List<String> documented =
        Files.readAllLines(document()).stream()
            .filter(text -> text.startsWith("| ") && text.contains("`lambda_j"))
            .toList();
    assertThat(documented).containsExactlyElementsOf(expected);
  }
}

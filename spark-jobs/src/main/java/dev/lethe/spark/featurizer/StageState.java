package dev.lethe.spark.featurizer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.ChiSqSelectorModel;
import org.apache.spark.ml.feature.CountVectorizerModel;
import org.apache.spark.ml.feature.IDFModel;
import org.apache.spark.ml.feature.ImputerModel;
import org.apache.spark.ml.feature.MaxAbsScalerModel;
import org.apache.spark.ml.feature.MinMaxScalerModel;
import org.apache.spark.ml.feature.OneHotEncoderModel;
import org.apache.spark.ml.feature.PCAModel;
import org.apache.spark.ml.feature.RobustScalerModel;
import org.apache.spark.ml.feature.StandardScalerModel;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.ml.feature.UnivariateFeatureSelectorModel;
import org.apache.spark.ml.feature.VarianceThresholdSelectorModel;
import org.apache.spark.ml.feature.VectorIndexerModel;
import org.apache.spark.ml.feature.Word2VecModel;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.sql.Row;

/**
 * What a stage learned, as words and figures, so that two fits can be compared.
 *
 * <p>Spark ML adds partial sums in the order of their arrival, so two fits to the same rows differ
 * by rounding. A figure agrees with another if they differ by at most {@value #TOLERANCE} of the
 * larger one, or of its column's mean or standard deviation where that is larger (StandardScaler),
 * or absolutely (principal components, which are unit vectors). Words agree if they are equal.
 */
final class StageState {
  static final double TOLERANCE = 1e-9;

  /** One figure and the size of what it was computed from. */
  private record Figure(double value, double scale) {
    boolean agrees(Figure other) {
      return Double.compare(value, other.value) == 0
          || Math.abs(value - other.value) <= TOLERANCE * Math.max(scale, other.scale);
    }
  }

  private final List<String> words = new ArrayList<>();
  private final List<Figure> figures = new ArrayList<>();

  private StageState() {}

  /**
   * The state of a stage that {@link StageSupport} calls refitted.
   *
   * @throws IllegalArgumentException for any other stage
   */
  static StageState of(Transformer stage) {
    StageState state = new StageState();
    if (stage instanceof StringIndexerModel indexer) {
      for (String[] labels : indexer.labelsArray()) {
        state.figure(labels.length);
        state.words.addAll(Arrays.asList(labels));
      }
    } else if (stage instanceof OneHotEncoderModel encoder) {
      state.figures(encoder.categorySizes());
    } else if (stage instanceof CountVectorizerModel vectorizer) {
      state.words.addAll(Arrays.asList(vectorizer.vocabulary()));
    } else if (stage instanceof StandardScalerModel scaler) {
      double[] mean = scaler.mean().toArray();
      double[] deviation = scaler.std().toArray();
      for (int j = 0; j < mean.length; j++) {
        double scale = Math.max(Math.abs(mean[j]), deviation[j]);
        state.figures.add(new Figure(mean[j], scale));
        state.figures.add(new Figure(deviation[j], scale));
      }
    } else if (stage instanceof MinMaxScalerModel scaler) {
      state.figures(scaler.originalMin(), scaler.originalMax());
    } else if (stage instanceof MaxAbsScalerModel scaler) {
      state.figures(scaler.maxAbs());
    } else if (stage instanceof RobustScalerModel scaler) {
      state.figures(scaler.median(), scaler.range());
    } else if (stage instanceof IDFModel idf) {
      state.figure(idf.numDocs());
      state.figures(idf.idf());
    } else if (stage instanceof ImputerModel imputer) {
      Row surrogates = imputer.surrogateDF().first();
      for (int i = 0; i < surrogates.size(); i++) {
        state.figure(surrogates.<Number>getAs(i).doubleValue());
      }
    } else if (stage instanceof PCAModel pca) {
      state.figure(pca.pc().numRows());
      for (double value : pca.pc().toArray()) {
        state.figures.add(new Figure(value, 1));
      }
      state.figures(pca.explainedVariance());
    } else if (stage instanceof VectorIndexerModel indexer) {
      state.categories(indexer);
    } else if (stage instanceof Word2VecModel model) {
      for (Row row : model.getVectors().orderBy("word").collectAsList()) {
        state.words.add(row.getString(0));
        state.figures(row.<Vector>getAs(1));
      }
    } else if (stage instanceof ChiSqSelectorModel selector) {
      state.figures(Arrays.stream(selector.selectedFeatures()).sorted().toArray());
    } else if (stage instanceof UnivariateFeatureSelectorModel selector) {
      state.figures(Arrays.stream(selector.selectedFeatures()).sorted().toArray());
    } else if (stage instanceof VarianceThresholdSelectorModel selector) {
      state.figures(Arrays.stream(selector.selectedFeatures()).sorted().toArray());
    } else {
      throw new IllegalArgumentException("no state is known of " + stage.getClass().getName());
    }
    return state;
  }

  /** Whether both fits found the same, up to rounding. */
  boolean agrees(StageState other) {
    if (!words.equals(other.words) || figures.size() != other.figures.size()) {
      return false;
    }
    for (int k = 0; k < figures.size(); k++) {
      if (!figures.get(k).agrees(other.figures.get(k))) {
        return false;
      }
    }
    return true;
  }

  private void categories(VectorIndexerModel indexer) {
    figure(indexer.numFeatures());
    for (Map.Entry<Integer, Map<Double, Integer>> slot :
        new TreeMap<>(indexer.javaCategoryMaps()).entrySet()) {
      figure(slot.getKey());
      for (Map.Entry<Double, Integer> category : new TreeMap<>(slot.getValue()).entrySet()) {
        figure(category.getKey());
        figure(category.getValue());
      }
    }
  }

  private void figure(double value) {
    figures.add(new Figure(value, Math.abs(value)));
  }

  private void figures(int[] values) {
    figure(values.length);
    for (int value : values) {
      figure(value);
    }
  }

  private void figures(Vector... vectors) {
    for (Vector vector : vectors) {
      for (double value : vector.toArray()) {
        figure(value);
      }
    }
  }
}

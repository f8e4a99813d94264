package dev.lethe.spark.featurizer;

import static org.apache.spark.ml.functions.array_to_vector;
import static org.apache.spark.sql.functions.array;
import static org.apache.spark.sql.functions.lit;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.TableColumns;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.Binarizer;
import org.apache.spark.ml.feature.BucketedRandomProjectionLSHModel;
import org.apache.spark.ml.feature.Bucketizer;
import org.apache.spark.ml.feature.CountVectorizerModel;
import org.apache.spark.ml.feature.DCT;
import org.apache.spark.ml.feature.ElementwiseProduct;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.ml.feature.HashingTF;
import org.apache.spark.ml.feature.IDFModel;
import org.apache.spark.ml.feature.ImputerModel;
import org.apache.spark.ml.feature.IndexToString;
import org.apache.spark.ml.feature.Interaction;
import org.apache.spark.ml.feature.MaxAbsScalerModel;
import org.apache.spark.ml.feature.MinMaxScalerModel;
import org.apache.spark.ml.feature.NGram;
import org.apache.spark.ml.feature.Normalizer;
import org.apache.spark.ml.feature.OneHotEncoderModel;
import org.apache.spark.ml.feature.PCAModel;
import org.apache.spark.ml.feature.PolynomialExpansion;
import org.apache.spark.ml.feature.RegexTokenizer;
import org.apache.spark.ml.feature.RobustScalerModel;
import org.apache.spark.ml.feature.StandardScalerModel;
import org.apache.spark.ml.feature.StopWordsRemover;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.ml.feature.Tokenizer;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.feature.VectorIndexerModel;
import org.apache.spark.ml.feature.VectorSizeHint;
import org.apache.spark.ml.feature.Word2VecModel;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructField;
import org.jspecify.annotations.Nullable;

/**
 * Stands in for removed columns that a corrected table no longer has, so that the unchanged stages
 * still run.
 *
 * <p>The value is one that every stage that reads the column accepts without dropping the row: a
 * label that StringIndexerModels know, 0 or a number within a Bucketizer's splits, an empty text,
 * no tokens, a vector of zeros, or NULL where only FeatureHashers read it. It carries no
 * information: every slot that stems from it is removed, and a published FeatureHasher does not
 * read it.
 */
public final class PlaceholderColumns {

  private PlaceholderColumns() {}

  /**
   * Adds the removed columns that the table lacks.
   *
   * <p>A missing column that VectorAssembler, Binarizer or Interaction alone read is taken to be a
   * number; if it was a vector, {@link FeatureRemoval#of} refuses with both numbers of slots, and
   * the corrected table must keep the column (with zeros, for example).
   *
   * @param corrected the corrected table
   * @param stages the featurizer stages, as fitted or as published
   * @param removedColumns the whole columns that the request removes; those present stay as they
   *     are
   * @throws InvalidInputException if no stage reads a missing column, or no value suits all stages
   *     that do
   */
  public static Dataset<Row> fill(
      Dataset<Row> corrected, List<Transformer> stages, Collection<String> removedColumns) {
    Dataset<Row> out = corrected;
    for (String column : removedColumns) {
      if (TableColumns.find(out.schema(), column) == null) {
        Demands demands = Demands.of(column, stages);
        out = out.withColumn(demands.spelling(), demands.placeholder());
      }
    }
    return out;
  }

  /**
   * Puts placeholders in place of removed columns that the table has, so that their values drop no
   * row and fail no stage. A vector column stays, since its size is not known without its rows, and
   * so does a column for which no placeholder suits.
   */
  public static Dataset<Row> replace(
      Dataset<Row> rows, List<Transformer> stages, Collection<String> removedColumns) {
    Dataset<Row> out = rows;
    for (StructField field : rows.schema().fields()) {
      boolean removed = removedColumns.stream().anyMatch(field.name()::equalsIgnoreCase);
      if (removed && !field.dataType().equals(SQLDataTypes.VectorType())) {
        Optional<Column> placeholder = placeholder(field.name(), stages);
        if (placeholder.isPresent()) {
          out = out.withColumn(field.name(), placeholder.get());
        }
      }
    }
    return out;
  }

  private static Optional<Column> placeholder(String column, List<Transformer> stages) {
    try {
      return Optional.of(Demands.of(column, stages).placeholder());
    } catch (InvalidInputException none) {
      return Optional.empty();
    }
  }

  private enum Kind {
    /** Any text or number, matched against labels. */
    LABEL,
    TEXT,
    TOKENS,
    NUMBER,
    VECTOR
  }

  /** What the stages ask of one column. */
  private static final class Demands {
    private final String column;
    private final List<String> readers = new ArrayList<>();
    private final Set<Kind> kinds = EnumSet.noneOf(Kind.class);
    private final List<Set<String>> labelSets = new ArrayList<>();
    private final List<String> labelsInOrder = new ArrayList<>();
    private final List<Double> numbers = new ArrayList<>(List.of(0.0));
    private final List<Predicate<Double>> numberTests = new ArrayList<>();
    private final List<VectorIndexerModel> vectorIndexers = new ArrayList<>();
    // a scalar and a vector both do
    private boolean numberOrVector;
    private int vectorSize = -1;
    private @Nullable String spelling;

    private Demands(String column) {
      this.column = column;
    }

    static Demands of(String column, List<Transformer> stages) {
      Demands demands = new Demands(column);
      stages.forEach(demands::add);
      return demands;
    }

    /** The name as the first stage that reads it spells it. */
    String spelling() {
      return spelling == null ? column : spelling;
    }

    void add(Transformer stage) {
      StageSupport support = StageSupport.of(stage);
      if (support == null || support.rule() == null) {
        throw impossible("what stage " + StageColumns.name(stage) + " reads cannot be seen");
      }
      List<String> inputs = StageColumns.inputs(stage);
      for (int i = 0; i < inputs.size(); i++) {
        if (inputs.get(i).equalsIgnoreCase(column)) {
          readers.add(StageColumns.name(stage));
          spelling = spelling == null ? inputs.get(i) : spelling;
          add(stage, i);
        }
      }
    }

    private void add(Transformer stage, int i) {
      if (stage instanceof StringIndexerModel indexer) {
        kinds.add(Kind.LABEL);
        if (!StageColumns.handlesInvalidBy(stage, "keep")) {
          List<String> labels = List.of(indexer.labelsArray()[i]);
          labelSets.add(Set.copyOf(labels));
          labelsInOrder.addAll(labels);
        }
      } else if (stage instanceof Tokenizer || stage instanceof RegexTokenizer) {
        kinds.add(Kind.TEXT);
      } else if (stage instanceof StopWordsRemover
          || stage instanceof NGram
          || stage instanceof HashingTF
          || stage instanceof CountVectorizerModel
          || stage instanceof Word2VecModel) {
        kinds.add(Kind.TOKENS);
      } else if (stage instanceof VectorAssembler
          || stage instanceof Binarizer
          || stage instanceof Interaction) {
        numberOrVector = true;
      } else if (stage instanceof ImputerModel) {
        kinds.add(Kind.NUMBER);
      } else if (stage instanceof Bucketizer bucketizer) {
        kinds.add(Kind.NUMBER);
        addBuckets(bucketizer, i);
      } else if (stage instanceof OneHotEncoderModel encoder) {
        kinds.add(Kind.NUMBER);
        int size = encoder.categorySizes()[i];
        numberTests.add(value -> value >= 0 && value < size && value == Math.rint(value));
      } else if (stage instanceof IndexToString strings) {
        kinds.add(Kind.NUMBER);
        int size = strings.isDefined(strings.labels()) ? strings.getLabels().length : 0;
        numberTests.add(value -> value >= 0 && value < size && value == Math.rint(value));
      } else if (!(stage instanceof FeatureHasher)) {
        // a FeatureHasher passes over NULL and takes any scalar
        addVector(stage);
      }
    }

    private void addBuckets(Bucketizer bucketizer, int i) {
      double[] splits =
          bucketizer.isSet(bucketizer.inputCols())
              ? bucketizer.getSplitsArray()[i]
              : bucketizer.getSplits();
      double low = splits[0];
      double high = splits[splits.length - 1];
      numberTests.add(value -> value >= low && value <= high);
      for (double split : splits) {
        if (Double.isFinite(split)) {
          numbers.add(split);
        }
      }
    }

    private void addVector(Transformer stage) {
      kinds.add(Kind.VECTOR);
      int size = -1;
      if (stage instanceof StandardScalerModel scaler) {
        size = scaler.std().size();
      } else if (stage instanceof MinMaxScalerModel scaler) {
        size = scaler.originalMin().size();
      } else if (stage instanceof MaxAbsScalerModel scaler) {
        size = scaler.maxAbs().size();
      } else if (stage instanceof RobustScalerModel scaler) {
        size = scaler.range().size();
      } else if (stage instanceof ElementwiseProduct product) {
        size = product.getScalingVec().size();
      } else if (stage instanceof IDFModel idf) {
        size = idf.idf().size();
      } else if (stage instanceof PCAModel pca) {
        size = pca.pc().numRows();
      } else if (stage instanceof VectorSizeHint hint) {
        size = hint.getSize();
      } else if (stage instanceof VectorIndexerModel indexer) {
        size = indexer.numFeatures();
        vectorIndexers.add(indexer);
      } else if (!(stage instanceof Normalizer
          || stage instanceof DCT
          || stage instanceof PolynomialExpansion
          || stage instanceof BucketedRandomProjectionLSHModel)) {
        throw impossible("no value is sure to suit stage " + StageColumns.name(stage));
      }
      if (size >= 0 && vectorSize >= 0 && size != vectorSize) {
        throw impossible("its readers want " + size + " and " + vectorSize + " slots");
      }
      vectorSize = Math.max(size, vectorSize);
    }

    Column placeholder() {
      if (readers.isEmpty()) {
        throw new InvalidInputException(
            "neither the table nor the model has a column '"
                + column
                + "': no featurizer stage reads it");
      }
      if (kinds.contains(Kind.VECTOR)) {
        require(kinds.size() == 1);
        return vector();
      }
      if (numberOrVector) {
        kinds.add(Kind.NUMBER);
      }
      if (kinds.isEmpty()) {
        return lit(null).cast("string");
      }
      if (kinds.contains(Kind.TOKENS)) {
        require(kinds.size() == 1);
        return array().cast("array<string>");
      }
      return lit(scalar());
    }

    private Object scalar() {
      List<Object> candidates = new ArrayList<>();
      if (!kinds.contains(Kind.NUMBER)) {
        candidates.addAll(labelsInOrder);
        candidates.add("");
      } else if (!kinds.contains(Kind.TEXT)) {
        labelsInOrder.forEach(label -> number(label).ifPresent(candidates::add));
        candidates.addAll(numbers);
      }
      return candidates.stream()
          .filter(this::suits)
          .findFirst()
          .orElseThrow(() -> impossible("no value suits all stages that read it"));
    }

    /** A whole number if the text is one, since a double would print as 39.0. */
    private static Optional<Object> number(String text) {
      try {
        return Optional.of(Long.valueOf(text));
      } catch (NumberFormatException notWhole) {
        try {
          return Optional.of(Double.valueOf(text));
        } catch (NumberFormatException notNumber) {
          return Optional.empty();
        }
      }
    }

    private boolean suits(Object value) {
      // a StringIndexerModel casts its input to text
      return labelSets.stream().allMatch(labels -> labels.contains(value.toString()))
          && (!(value instanceof Number number)
              || numberTests.stream().allMatch(test -> test.test(number.doubleValue())));
    }

    private Column vector() {
      if (vectorSize < 0) {
        throw impossible("no stage that reads it tells its number of slots");
      }
      double[] slots = new double[vectorSize];
      for (int j = 0; j < vectorSize; j++) {
        int slot = j;
        List<Set<Double>> categories =
            vectorIndexers.stream()
                .filter(indexer -> indexer.javaCategoryMaps().containsKey(slot))
                .map(indexer -> indexer.javaCategoryMaps().get(slot).keySet())
                .toList();
        double value = 0.0;
        if (!categories.isEmpty()) {
          value =
              categories.get(0).stream()
                  .filter(candidate -> categories.stream().allMatch(c -> c.contains(candidate)))
                  .findFirst()
                  .orElseThrow(() -> impossible("no value suits slot " + slot));
        }
        slots[j] = value;
      }
      // One literal, not one expression a slot: a default HashingTF has 262144.
      return array_to_vector(lit(slots));
    }

    private void require(boolean compatible) {
      if (!compatible) {
        throw impossible("the stages that read it want different types");
      }
    }

    private InvalidInputException impossible(String reason) {
      return new InvalidInputException(
          "the table has no column '"
              + column
              + "', which the model's stages read"
              + (readers.isEmpty()
                  ? ""
                  : readers.stream().collect(Collectors.joining(", ", " (", ")")))
              + ", and no placeholder can stand in: "
              + reason
              + "; keep the column in the table, with any value that these stages accept");
    }
  }
}

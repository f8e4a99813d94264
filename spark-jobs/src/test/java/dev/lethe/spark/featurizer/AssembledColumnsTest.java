package dev.lethe.spark.featurizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.spark.LocalSpark;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.ml.feature.VectorAssembler;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The same vectors as Spark ML's own stage, the truth here, in every row that it accepts. */
@ExtendWith(LocalSpark.class)
class AssembledColumnsTest {
  private static final String[] INPUTS = {"flag", "Tiny", "a whole", "price", "ratio"};

  private static VectorAssembler assembler(String... inputs) {
    return new VectorAssembler().setInputCols(inputs).setOutputCol("x");
  }

  private static Dataset<Row> rows(String ratio) {
    return LocalSpark.session()
        .range(40)
        .selectExpr(
            "id % 3 = 0 AS flag",
            "CAST(id % 7 - 3 AS TINYINT) AS Tiny",
            "id * 1000003 AS `a whole`",
            "CAST(id / 7 AS DECIMAL(12, 5)) AS price",
            ratio + " AS ratio",
            "id");
  }

  private static List<double[]> vectors(Dataset<Row> assembled) {
    return assembled.orderBy("id").select("x").collectAsList().stream()
        .map(row -> row.<Vector>getAs(0).toArray())
        .toList();
  }

  private static List<double[]> arrays(Dataset<Row> assembled) {
    return assembled.orderBy("id").select("x").collectAsList().stream()
        .map(row -> row.<Double>getList(0).stream().mapToDouble(x -> x).toArray())
        .toList();
  }

  private static void assertSame(VectorAssembler stage, Dataset<Row> rows) {
    Dataset<Row> ours = AssembledColumns.transform(stage, rows);
    Dataset<Row> truth = stage.transform(rows);
    assertThat(ours.schema().fieldNames()).isEqualTo(truth.schema().fieldNames());
    List<double[]> expected = vectors(truth);
    List<double[]> found = arrays(ours);
    assertThat(found).hasSameSizeAs(expected).isNotEmpty();
    for (int i = 0; i < expected.size(); i++) {
      assertThat(bits(found.get(i))).isEqualTo(bits(expected.get(i)));
    }
  }

  /** Zeros of both signs are equal: nothing tells them apart. */
  private static long[] bits(double[] values) {
    return Arrays.stream(values).map(v -> v + 0.0).mapToLong(Double::doubleToLongBits).toArray();
  }

  @Test
  void transform_numbersOfEveryType_sameBits() {
    assertSame(assembler(INPUTS), rows("CAST(sqrt(id) AS FLOAT)"));
    assertSame(assembler("ratio"), rows("CAST('Infinity' AS DOUBLE)"));
    assertSame(assembler("ratio"), rows("-0.0D"));
    String[] many = IntStream.range(0, 700).mapToObj(j -> "c" + j).toArray(String[]::new);
    Dataset<Row> wide =
        LocalSpark.session()
            .range(5)
            .selectExpr(
                Stream.concat(Arrays.stream(many).map(c -> "rand(1) AS " + c), Stream.of("id"))
                    .toArray(String[]::new));
    assertSame(assembler(many), wide);
  }

  @ParameterizedTest
  @ValueSource(strings = {"keep", "skip"})
  void transform_nullAndNan_asTheStageSays(String handleInvalid) {
    Dataset<Row> some =
        rows("CASE id % 5 WHEN 0 THEN NULL WHEN 1 THEN double('NaN') ELSE sqrt(id) END");
    assertSame(assembler(INPUTS).setHandleInvalid(handleInvalid), some);
  }

  @ParameterizedTest
  @ValueSource(strings = {"NULL", "double('NaN')"})
  void transform_nullOrNanIsAnError_isNullInTheArray(String cell) {
    Dataset<Row> some = rows("CASE WHEN id = 17 THEN " + cell + " ELSE 1.5D END");

    assertThatThrownBy(() -> vectors(assembler(INPUTS).transform(some)))
        .hasStackTraceContaining("while assembling a row");
    List<Row> ours =
        AssembledColumns.transform(assembler(INPUTS), some)
            .orderBy("id")
            .select("x")
            .collectAsList();
    for (int i = 0; i < ours.size(); i++) {
      assertThat(ours.get(i).getList(0).contains(null)).isEqualTo(i == 17);
    }
  }

  @Test
  void transform_vectorsOrFieldsOfStructs_areLeftToTheStage() {
    Dataset<Row> nested =
        rows("1.5D").selectExpr("named_struct('a', ratio, 'b', 2) AS s", "price", "id");
    assertLeft(assembler("price", "s.a"), nested);
    Dataset<Row> vector = assembler("ratio", "price").setOutputCol("v").transform(rows("2.5D"));
    assertLeft(assembler("v", "a whole"), vector);
  }

  private static void assertLeft(VectorAssembler stage, Dataset<Row> rows) {
    Dataset<Row> ours = AssembledColumns.transform(stage, rows);
    assertThat(ours.schema()).isEqualTo(stage.transform(rows).schema());
    assertThat(vectors(ours)).isNotEmpty();
  }
}

package dev.lethe.spark.featurizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.lang.reflect.Modifier;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.jar.JarFile;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.StringIndexer;
import org.junit.jupiter.api.Test;

/** Every stage of Spark ML's feature package is classified. */
class StageSupportTest {
  private static final String PACKAGE = "org/apache/spark/ml/feature/";

  /** Stages that an RFormulaModel keeps inside, where nobody sees them. */
  private static final Set<String> INSIDE_RFORMULA =
      Set.of("ColumnPruner", "VectorAttributeRewriter");

  @Test
  void byClass_everyTransformerOnTheClassPath_isClassified() throws Exception {
    List<String> unknown = new ArrayList<>();
    int models = 0;
    for (Class<?> type : featureClasses()) {
      if (Transformer.class.isAssignableFrom(type)
          && !Modifier.isAbstract(type.getModifiers())
          && !INSIDE_RFORMULA.contains(type.getSimpleName())) {
        models += type.getSimpleName().endsWith("Model") ? 1 : 0;
        if (!StageSupport.BY_CLASS.containsKey(type.getName())) {
          unknown.add(type.getName());
        }
      }
    }
    assertThat(unknown).as("add them to StageSupport and docs/featurizers.md").isEmpty();
    assertThat(models).as("models of Spark 4.1's feature package").isGreaterThanOrEqualTo(19);
  }

  /** A stage that an estimator makes is learned, unless it only draws from a seed. */
  @Test
  void byClass_modelsOfEstimators_areLearned() throws Exception {
    for (Class<?> type : featureClasses()) {
      if (Estimator.class.isAssignableFrom(type) && !Modifier.isAbstract(type.getModifiers())) {
        String name = type.getSimpleName();
        StageSupport support =
            StageSupport.BY_CLASS.get(
                name.equals("QuantileDiscretizer")
                    ? "org.apache.spark.ml.feature.Bucketizer"
                    : type.getName() + "Model");
        assertThat(support).as(name).isNotNull();
        assertThat(support.learned())
            .as(name)
            .isEqualTo(
                name.endsWith("LSH")
                    ? StageSupport.Learned.NO
                    : name.equals("QuantileDiscretizer")
                        ? StageSupport.Learned.POSSIBLY
                        : StageSupport.Learned.YES);
      }
    }
  }

  private static List<Class<?>> featureClasses() throws Exception {
    File jar =
        Path.of(StringIndexer.class.getProtectionDomain().getCodeSource().getLocation().toURI())
            .toFile();
    List<Class<?>> classes = new ArrayList<>();
    try (JarFile file = new JarFile(jar)) {
      for (String name : file.stream().map(entry -> entry.getName()).toList()) {
        if (name.startsWith(PACKAGE) && name.endsWith(".class") && !name.contains("$")) {
          classes.add(
              Class.forName(
                  name.substring(0, name.length() - ".class".length()).replace('/', '.'),
                  false,
                  StageSupportTest.class.getClassLoader()));
        }
      }
    }
    assertThat(classes).contains(StringIndexer.class);
    return classes;
  }
}

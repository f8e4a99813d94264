package dev.lethe.core;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.library.GeneralCodingRules;
import dev.ludovic.netlib.lapack.LAPACK;

@AnalyzeClasses(packages = "dev.lethe.core", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  private static final String CORE = "dev.lethe.core.";

  /** The package may use these packages of core, itself, and everything outside core. */
  private static ArchRule mayUse(String name, String... others) {
    String[] allowed = new String[others.length + 1];
    allowed[0] = CORE + name + "..";
    for (int k = 0; k < others.length; k++) {
      allowed[k + 1] = CORE + others[k] + "..";
    }
    return classes()
        .that()
        .resideInAPackage(CORE + name + "..")
        .should()
        .onlyDependOnClassesThat(
            resideOutsideOfPackage("dev.lethe..").or(resideInAnyPackage(allowed)));
  }

  @ArchTest static final ArchRule linalgIsTheFloor = mayUse("linalg");
  @ArchTest static final ArchRule lossStandsAlone = mayUse("loss", "linalg");
  @ArchTest static final ArchRule modelUsesLinalgAndLoss = mayUse("model", "linalg", "loss");

  @ArchTest
  static final ArchRule aggregateUsesTheModel = mayUse("aggregate", "linalg", "loss", "model");

  @ArchTest static final ArchRule solverUsesLinalgOnly = mayUse("solver", "linalg");

  @ArchTest static final ArchRule neuralUsesLinalgAndSolver = mayUse("neural", "linalg", "solver");

  /** The verifier of a bound shares no code with the update that it checks. */
  @ArchTest
  static final ArchRule certifyIsIndependentOfTheUpdate =
      noClasses()
          .that()
          .resideInAPackage(CORE + "certify..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              CORE + "solver..",
              CORE + "unlearn..",
              CORE + "objective..",
              CORE + "aggregate..",
              CORE + "neural..");

  /** The backward error of a proof must be that of the code that runs, on every machine. */
  @ArchTest
  static final ArchRule certifyRunsNoNativeLapack =
      noClasses()
          .that()
          .resideInAPackage(CORE + "certify..")
          .should()
          .callMethod(LAPACK.class, "getInstance");

  @ArchTest
  static final ArchRule nothingUsesUnlearn =
      noClasses()
          .that()
          .resideOutsideOfPackage(CORE + "unlearn..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage(CORE + "unlearn..");

  @ArchTest
  static final ArchRule noSparkNoHadoop =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("org.apache.spark..", "org.apache.hadoop..", "scala..");

  /** Its 48 bits of state are neither secret nor enough for noise. */
  @ArchTest
  static final ArchRule noJavaUtilRandom =
      noClasses().should().dependOnClassesThat().haveFullyQualifiedName("java.util.Random");

  @ArchTest
  static final ArchRule noStandardStreams =
      GeneralCodingRules.NO_CLASSES_SHOULD_ACCESS_STANDARD_STREAMS;
}

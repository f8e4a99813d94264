package dev.lethe.spark;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.belongToAnyOf;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.simpleName;
import static com.tngtech.archunit.lang.conditions.ArchConditions.callMethod;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.codeUnits;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import dev.lethe.core.solver.ConjugateGradient;
import dev.lethe.core.solver.NewtonSolver;
import dev.lethe.core.solver.NewtonStep;
import dev.lethe.spark.job.VerifyJob;
import dev.lethe.spark.job.VerifyOptions;
import java.util.stream.Stream;

/**
 * cli -> neural -> torch; cli -> removal -> {ledger, job}; cli, api -> job -> {ml, data,
 * featurizer, report, request, certificate}, operator -> core; report -> {request, certificate}.
 */
@AnalyzeClasses(packages = "dev.lethe", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  private static final String SPARK = "dev.lethe.spark.";

  /**
   * The package may use these packages of Lethe on Spark, itself, {@link InvalidInputException},
   * core, and everything that is not Lethe's.
   */
  private static ArchRule mayUse(String name, String... others) {
    String[] allowed = new String[others.length + 3];
    allowed[0] = SPARK + name + "..";
    allowed[1] = "dev.lethe.core..";
    allowed[2] = "dev.lethe.spark";
    for (int k = 0; k < others.length; k++) {
      allowed[k + 3] = SPARK + others[k] + "..";
    }
    return classes()
        .that()
        .resideInAPackage(SPARK + name + "..")
        .should()
        .onlyDependOnClassesThat(
            resideOutsideOfPackage("dev.lethe..").or(resideInAnyPackage(allowed)));
  }

  @ArchTest static final ArchRule operatorUsesCoreOnly = mayUse("operator");
  @ArchTest static final ArchRule mlUsesCoreOnly = mayUse("ml");
  @ArchTest static final ArchRule dataUsesCoreOnly = mayUse("data");
  @ArchTest static final ArchRule featurizerUsesCoreOnly = mayUse("featurizer");
  @ArchTest static final ArchRule requestUsesCoreOnly = mayUse("request");
  @ArchTest static final ArchRule certificateUsesCoreOnly = mayUse("certificate");

  @ArchTest
  static final ArchRule jobIsBelowCli =
      mayUse(
          "job",
          "ml",
          "data",
          "featurizer",
          "report",
          "request",
          "certificate",
          "operator",
          "metrics");

  @ArchTest static final ArchRule metricsNameVerdictsOnly = mayUse("metrics", "certificate");

  private static final String PLUGIN = ".*\\.LethePlugin(\\$.*)?";

  /** Without the plugin nothing loads the classes of Spark's metrics library. */
  @ArchTest
  static final ArchRule metricsLibraryInPluginOnly =
      noClasses()
          .that()
          .haveNameNotMatching(PLUGIN)
          .should()
          .dependOnClassesThat()
          .resideInAPackage("com.codahale..")
          .orShould()
          .dependOnClassesThat()
          .haveNameMatching(PLUGIN);

  @ArchTest static final ArchRule ledgerIsPublic = mayUse("ledger", "request", "certificate");

  @ArchTest
  static final ArchRule removalIsBelowCli =
      mayUse("removal", "ledger", "job", "data", "request", "certificate", "metrics");

  /** What renders a report knows documents, neither models nor tables. */
  @ArchTest
  static final ArchRule reportUsesDocumentsOnly = mayUse("report", "request", "certificate");

  @ArchTest static final ArchRule torchUsesCoreOnly = mayUse("torch");

  @ArchTest
  static final ArchRule neuralIsBelowCli =
      mayUse("neural", "torch", "job", "data", "request", "certificate", "operator");

  /** The linear jobs run without it. */
  @ArchTest
  static final ArchRule libtorchInTorchOnly =
      noClasses()
          .that()
          .resideOutsideOfPackage(SPARK + "torch..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("org.bytedeco..");

  @ArchTest
  static final ArchRule apiIsBesideCli =
      mayUse("api", "job", "ml", "data", "featurizer", "request", "certificate");

  /** What callers compile against keeps its name in the application jar. */
  @ArchTest
  static final ArchRule apiSignaturesKeepTheirNames =
      codeUnits()
          .that()
          .areDeclaredInClassesThat()
          .resideInAPackage(SPARK + "api..")
          .and()
          .arePublic()
          .and()
          .areDeclaredInClassesThat()
          .arePublic()
          .should(
              new ArchCondition<>("name the JDK, Spark and " + SPARK + " alone") {
                @Override
                public void check(JavaCodeUnit unit, ConditionEvents events) {
                  Stream.concat(
                          unit.getRawParameterTypes().stream(), Stream.of(unit.getRawReturnType()))
                      .map(JavaClass::getBaseComponentType)
                      .filter(
                          type ->
                              !type.isPrimitive()
                                  && !type.getPackageName()
                                      .matches("java\\..*|org\\.apache\\.spark\\..*")
                                  && !type.getPackageName()
                                      .matches("dev\\.lethe\\.spark\\.(api|certificate)"))
                      .forEach(
                          type ->
                              events.add(
                                  SimpleConditionEvent.violated(
                                      unit, unit.getFullName() + " names " + type.getName())));
                }
              });

  @ArchTest
  static final ArchRule coreKnowsNothingAbove =
      noClasses()
          .that()
          .resideInAPackage("dev.lethe.core..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.lethe.spark..");

  @ArchTest
  static final ArchRule picocliInCliOnly =
      noClasses()
          .that()
          .resideOutsideOfPackage(SPARK + "cli..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("picocli..");

  /** What checks a claim shares no code with what made it. */
  @ArchTest
  static final ArchRule verifierUsesNoUpdateCode =
      noClasses()
          .that(
              belongToAnyOf(VerifyJob.class, VerifyOptions.class)
                  .or(simpleName("Verification"))
                  .or(simpleName("Recomputation"))
                  .or(resideInAPackage(SPARK + "certificate..")))
          .should()
          .dependOnClassesThat(
              resideInAPackage("dev.lethe.core.unlearn..")
                  .or(
                      belongToAnyOf(
                          NewtonSolver.class, NewtonStep.class, ConjugateGradient.class)));

  @ArchTest
  static final ArchRule noBreeze =
      noClasses().should().dependOnClassesThat().resideInAPackage("breeze..");

  /** A driver in cluster mode that exits reports failure even with code 0. */
  @ArchTest
  static final ArchRule onlyCliExits =
      noClasses()
          .that()
          .resideOutsideOfPackage(SPARK + "cli..")
          .should(callMethod(System.class, "exit", int.class))
          .orShould(callMethod(Runtime.class, "halt", int.class));

  /** Its 48 bits of state are neither secret nor enough for noise; the demo only splits rows. */
  @ArchTest
  static final ArchRule noJavaUtilRandom =
      noClasses()
          .that()
          .doNotHaveFullyQualifiedName(SPARK + "cli.DemoCommand")
          .should()
          .dependOnClassesThat()
          .haveFullyQualifiedName("java.util.Random");
}

package dev.lethe.spark.job;

import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.solver.Preconditioning;
import dev.lethe.spark.data.Table;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code lethe unlearn} is given.
 *
 * @param model directory of the saved model
 * @param modelCertificate the certificate of {@code model}, or null for the one beside it, if any
 * @param tables the data, before or after or both
 * @param label the table's label column, or null for the one that the model was fitted with
 * @param request the request or requests, or null if the job is given one
 * @param out directory to publish into; must not exist
 * @param vault directory for the confidential evidence
 * @param test test data, or null
 * @param solver of the Newton systems, or null to choose by the number of coordinates
 * @param maxSteps of the refinement
 * @param maxCgIterations in one Newton step
 * @param partitions 0 for the source's own
 * @param preconditioning of conjugate gradient, or null for the one that is worth its cost
 * @param state whether a state is kept in the vault, and one that was kept is used
 * @param checkpointInterval the least time between two checkpoints, which are kept in the vault and
 *     resumed from; null to keep none
 */
public record UnlearnOptions(
    String model,
    @Nullable String modelCertificate,
    GivenTables tables,
    @Nullable String label,
    @Nullable RequestSource request,
    String out,
    String vault,
    @Nullable Table test,
    @Nullable LinearSolver solver,
    int maxSteps,
    int maxCgIterations,
    int partitions,
    @Nullable Preconditioning preconditioning,
    boolean state,
    @Nullable Duration checkpointInterval) {

  /** Without checkpoints. */
  public UnlearnOptions(
      String model,
      @Nullable String modelCertificate,
      GivenTables tables,
      @Nullable String label,
      @Nullable RequestSource request,
      String out,
      String vault,
      @Nullable Table test,
      @Nullable LinearSolver solver,
      int maxSteps,
      int maxCgIterations,
      int partitions,
      @Nullable Preconditioning preconditioning,
      boolean state) {
    this(
        model,
        modelCertificate,
        tables,
        label,
        request,
        out,
        vault,
        test,
        solver,
        maxSteps,
        maxCgIterations,
        partitions,
        preconditioning,
        state,
        null);
  }

  /** With the preconditioner that is worth its cost, and no state. */
  public UnlearnOptions(
      String model,
      @Nullable String modelCertificate,
      GivenTables tables,
      @Nullable String label,
      @Nullable RequestSource request,
      String out,
      String vault,
      @Nullable Table test,
      @Nullable LinearSolver solver,
      int maxSteps,
      int maxCgIterations,
      int partitions) {
    this(
        model,
        modelCertificate,
        tables,
        label,
        request,
        out,
        vault,
        test,
        solver,
        maxSteps,
        maxCgIterations,
        partitions,
        null,
        false);
  }

  /** The same on other tables. */
  UnlearnOptions on(GivenTables others) {
    return new UnlearnOptions(
        model,
        modelCertificate,
        others,
        label,
        request,
        out,
        vault,
        test,
        solver,
        maxSteps,
        maxCgIterations,
        partitions,
        preconditioning,
        state,
        checkpointInterval);
  }

  /** Names the data, for messages. */
  String place() {
    return tables.name();
  }

  /** The places that are read. */
  List<String> sources() {
    List<String> sources = new ArrayList<>(List.of(model));
    tables.tables().forEach(table -> table.place().ifPresent(sources::add));
    if (test != null) {
      test.place().ifPresent(sources::add);
    }
    return sources;
  }
}

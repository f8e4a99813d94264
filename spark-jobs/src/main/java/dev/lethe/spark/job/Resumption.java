package dev.lethe.spark.job;

import dev.lethe.core.linalg.Vectors;
import dev.lethe.core.objective.Objective;
import dev.lethe.core.solver.NewtonState;
import dev.lethe.spark.InvalidInputException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One refinement's dealings with {@link Checkpoints}: where it starts, and what it keeps. What a
 * checkpoint holds decides where the refinement starts and nothing else, as the end is measured; so
 * one that cannot be used, or kept, is told and fails nothing.
 */
final class Resumption {
  private final ModelCorrection.@Nullable Resuming resuming;
  private final List<String> notes = new ArrayList<>();
  private long last = System.nanoTime();
  private boolean failed;

  /**
   * @param resuming null where nothing is kept
   */
  Resumption(ModelCorrection.@Nullable Resuming resuming) {
    this.resuming = resuming;
  }

  /** Where an earlier process was, if it left a checkpoint of use for this objective. */
  Optional<NewtonState> from(Objective objective) {
    last = System.nanoTime();
    if (resuming == null) {
      return Optional.empty();
    }
    Optional<Checkpoint> found;
    try {
      found = resuming.checkpoints().read();
    } catch (RuntimeException e) {
      notes.add("a checkpoint was not used: " + words(e));
      return Optional.empty();
    }
    if (found.isEmpty()) {
      return Optional.empty();
    }
    NewtonState state = found.get().state();
    if (!found.get().of().equals(resuming.of())) {
      notes.add("a checkpoint was not used: it is of another run");
      return Optional.empty();
    }
    if (!fits(state, objective)) {
      notes.add("a checkpoint was not used: its parameters are not those of this model and data");
      return Optional.empty();
    }
    notes.add(
        "resumed from a checkpoint: the evidence has the steps and costs since then, and of the steps"
            + " before it the last that was measured");
    return Optional.of(state);
  }

  private static boolean fits(NewtonState state, Objective objective) {
    int p = objective.size();
    return state.points().allMatch(point -> isPoint(point, objective))
        && Double.isFinite(state.firstNorm())
        && Stream.concat(state.points(), state.directions())
            .allMatch(vector -> vector.length == p && Vectors.isFinite(vector));
  }

  /** Whether the objective is defined there. */
  private static boolean isPoint(double[] point, Objective objective) {
    if (point.length != objective.size()) {
      return false;
    }
    boolean[] fixed = objective.fixed();
    for (int j = 0; j < point.length; j++) {
      if (fixed[j] && point[j] != 0) {
        return false;
      }
    }
    for (int i = 0; i < objective.layout().scalars(); i++) {
      if (!(point[objective.layout().scalar(i)] > 0)) {
        return false;
      }
    }
    return true;
  }

  /** Keeps where the refinement is, unless it has just done so. */
  void accepted(NewtonState state) {
    if (resuming == null
        || Duration.ofNanos(System.nanoTime() - last).compareTo(resuming.interval()) < 0) {
      return;
    }
    try {
      resuming.checkpoints().write(new Checkpoint(resuming.of(), state));
    } catch (RuntimeException e) {
      if (!failed) {
        notes.add("not every checkpoint could be kept: " + words(e));
      }
      failed = true;
    }
    last = System.nanoTime();
  }

  /** What the operator should know. */
  List<String> notes() {
    return notes;
  }

  /** What is unexpected may quote anything. */
  static String words(RuntimeException e) {
    return e instanceof InvalidInputException
        ? String.valueOf(e.getMessage())
        : e.getClass().getSimpleName();
  }
}

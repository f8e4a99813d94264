package dev.lethe.spark.neural;

import dev.lethe.core.neural.NeuralModel;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The models of this JVM that no task is using. A task takes one of its network or makes one, for
 * which the longest idle one of another network makes place: so there are never more models than
 * tasks ever ran at once, and nobody has to tell an executor that a network is closed.
 */
final class ModelPool {
  /** The longest idle one is the last. */
  private static final Deque<Idle> IDLE = new ArrayDeque<>();

  private record Idle(String network, NeuralModel model) {}

  private ModelPool() {}

  /** Makes a model. */
  @FunctionalInterface
  interface Maker {
    NeuralModel make();
  }

  /**
   * Lends a model that is no other's meanwhile; its parameters are anybody's.
   *
   * @param network its key
   * @param task what to do with it; where it throws, the model is closed, as nobody knows its state
   */
  static <T> T lend(String network, Maker maker, Function<NeuralModel, T> task) {
    NeuralModel model = take(network);
    if (model == null) {
      model = maker.make();
    }
    boolean done = false;
    try {
      T result = task.apply(model);
      done = true;
      return result;
    } finally {
      if (done) {
        giveBack(new Idle(network, model));
      } else {
        model.close();
      }
    }
  }

  private static synchronized @Nullable NeuralModel take(String network) {
    for (Iterator<Idle> all = IDLE.iterator(); all.hasNext(); ) {
      Idle idle = all.next();
      if (idle.network().equals(network)) {
        all.remove();
        return idle.model();
      }
    }
    if (!IDLE.isEmpty()) {
      IDLE.removeLast().model().close();
    }
    return null;
  }

  private static synchronized void giveBack(Idle idle) {
    IDLE.addFirst(idle);
  }

  /** Frees the idle models of a network. */
  static synchronized void drop(String network) {
    IDLE.removeIf(
        idle -> {
          if (idle.network().equals(network)) {
            idle.model().close();
            return true;
          }
          return false;
        });
  }

  /** How many models are idle. */
  static synchronized int idle() {
    return IDLE.size();
  }
}

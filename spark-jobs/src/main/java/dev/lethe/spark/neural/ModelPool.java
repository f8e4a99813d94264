package dev.lethe.spark.neural;

import dev.lethe.core.neural.NeuralModel;
import java.util.Deque;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;

/**
 * The models of this JVM that no task is using, by network. A task takes one or makes one, and
 * gives it back: there are as many as tasks ever ran at once.
 */
final class ModelPool {
  private static final Map<String, Deque<NeuralModel>> IDLE = new ConcurrentHashMap<>();

  private ModelPool() {}

  /** Makes a model. */
  @FunctionalInterface
  interface Maker {
    NeuralModel make();
  }

  /** A model that is no other's until it is given back; its parameters are anybody's. */
  static NeuralModel take(String network, Maker maker) {
    NeuralModel idle =
        IDLE.computeIfAbsent(network, key -> new ConcurrentLinkedDeque<>()).pollFirst();
    return idle == null ? maker.make() : idle;
  }

  static void giveBack(String network, NeuralModel model) {
    Deque<NeuralModel> idle = IDLE.get(network);
    if (idle == null) {
      model.close(); // the network was dropped meanwhile
    } else {
      idle.addFirst(model);
    }
  }

  /** Frees the idle models of a network. */
  static void drop(String network) {
    Deque<NeuralModel> idle = IDLE.remove(network);
    if (idle != null) {
      idle.forEach(NeuralModel::close);
    }
  }
}

package dev.lethe.spark.neural;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.lethe.core.neural.NeuralModel;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ModelPoolTest {
  private static final int NETWORKS = 20;

  private final AtomicInteger made = new AtomicInteger();
  private final AtomicInteger open = new AtomicInteger();

  /** Counts; knows no more than how to be closed. */
  private NeuralModel model() {
    made.incrementAndGet();
    open.incrementAndGet();
    return (NeuralModel)
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {NeuralModel.class},
            (proxy, method, arguments) -> {
              assertThat(method.getName()).isEqualTo("close");
              open.decrementAndGet();
              return null;
            });
  }

  private int lend(String network) {
    return ModelPool.lend(network, this::model, model -> open.get());
  }

  @AfterEach
  void drop() {
    for (int k = 0; k < NETWORKS; k++) {
      ModelPool.drop("network " + k);
    }
    assertThat(open).hasValue(0);
  }

  @Test
  void lend_sameNetwork_isMadeOnce() {
    for (int k = 0; k < 5; k++) {
      assertThat(lend("network 0")).isEqualTo(1);
    }
    assertThat(made).hasValue(1);
  }

  @Test
  void lend_taskThatThrows_closesTheModel() {
    lend("network 0");
    assertThatThrownBy(
            () ->
                ModelPool.lend(
                    "network 0",
                    this::model,
                    model -> {
                      throw new IllegalStateException("its state is unknown");
                    }))
        .hasMessage("its state is unknown");
    assertThat(open).hasValue(0);
    lend("network 0");
    assertThat(made).hasValue(2);
  }

  @Test
  void lend_manyNetworksOnSeveralThreads_noMoreModelsThanThreads() throws Exception {
    int threads = 3;
    ExecutorService tasks = Executors.newFixedThreadPool(threads);
    try {
      List<Future<Integer>> counts = new ArrayList<>();
      for (int k = 0; k < 50 * NETWORKS; k++) {
        String network = "network " + k % NETWORKS;
        counts.add(tasks.submit(() -> lend(network)));
      }
      for (Future<Integer> count : counts) {
        assertThat(count.get()).isLessThanOrEqualTo(threads);
      }
    } finally {
      tasks.shutdownNow();
    }
    assertThat(ModelPool.idle()).isLessThanOrEqualTo(threads);
  }
}

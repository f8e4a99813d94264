package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class WorkersTest {
  @Test
  void run_manyTasks_runsEachOnce() throws IOException {
    Set<Integer> done = ConcurrentHashMap.newKeySet();

    Workers.run(
        IntStream.range(0, 100)
            .<Workers.Task>mapToObj(k -> () -> assertThat(done.add(k)).isTrue())
            .toList());

    assertThat(done).hasSize(100);
  }

  /** Each waits for the other. */
  @Test
  @Timeout(60)
  void run_twoTasks_runsThemAtOnce() throws IOException {
    CountDownLatch both = new CountDownLatch(2);
    Workers.Task task =
        () -> {
          both.countDown();
          try {
            both.await();
          } catch (InterruptedException e) {
            throw new IOException(e);
          }
        };

    Workers.run(List.of(task, task));

    assertThat(both.getCount()).isZero();
  }

  @Test
  void run_oneFails_beginsNoOtherAndThrowsWhatItThrew() {
    IOException failure = new IOException("full");
    Set<Integer> begun = ConcurrentHashMap.newKeySet();
    List<Workers.Task> tasks = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      int k = i;
      tasks.add(
          () -> {
            begun.add(k);
            if (k == 2) {
              throw failure;
            }
            // the others end after it, and take a while all together
            while (!begun.contains(2)) {
              Thread.onSpinWait();
            }
            LockSupport.parkNanos(5_000_000);
          });
    }

    assertThatThrownBy(() -> Workers.run(tasks)).isSameAs(failure);
    assertThat(begun).contains(0, 1, 2).hasSizeLessThan(1000);
  }

  @Test
  void run_nothing_returns() throws IOException {
    Workers.run(List.of());
  }
}

package dev.lethe.spark.job;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** A few threads for work that mostly waits for Spark's planner and the file system. */
final class Workers {
  private static final int MOST = 4;

  private final List<Task> tasks;
  private final AtomicInteger next = new AtomicInteger();
  private @Nullable Throwable failure;

  private Workers(List<Task> tasks) {
    this.tasks = tasks;
  }

  /** Something to be done, once. */
  interface Task {
    void run() throws IOException;
  }

  /**
   * Runs tasks, a few at a time, begun in their order. After one has failed none begins; those that
   * run are waited for.
   *
   * @throws IOException as a task threw it, like what is unchecked
   */
  static void run(List<Task> tasks) throws IOException {
    Workers workers = new Workers(List.copyOf(tasks));
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < Math.min(MOST, tasks.size()); i++) {
      // begun here, it has the local properties and the active session that Spark knows here
      Thread thread = new Thread(workers::work, "lethe-worker-" + i);
      thread.setDaemon(true);
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) {
      workers.await(thread);
    }
    workers.rethrow();
  }

  private void work() {
    for (int k = next.getAndIncrement(); k < tasks.size(); k = next.getAndIncrement()) {
      if (hasFailed()) {
        return;
      }
      try {
        tasks.get(k).run();
      } catch (Throwable e) { // thrown again by whoever waits
        fail(e);
      }
    }
  }

  private void await(Thread thread) {
    boolean interrupted = false;
    while (true) {
      try {
        thread.join();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
        fail(new IOException("interrupted", e));
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized boolean hasFailed() {
    return failure != null;
  }

  private synchronized void fail(Throwable e) {
    if (failure == null) {
      failure = e;
    } else if (failure != e) {
      failure.addSuppressed(e);
    }
  }

  private synchronized void rethrow() throws IOException {
    if (failure instanceof IOException e) {
      throw e;
    }
    if (failure instanceof RuntimeException e) {
      throw e;
    }
    if (failure instanceof Error e) {
      throw e;
    }
    if (failure != null) { // Scala throws checked exceptions undeclared
      throw new IllegalStateException(failure);
    }
  }
}

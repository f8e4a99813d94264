package dev.lethe.spark.operator;

import java.io.Serializable;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;

/**
 * What a pass tells its tasks: in each of them where it is small, else in a broadcast of its own.
 * Spark broadcasts the tasks' code anyway; a second broadcast takes longer than a job of two tasks,
 * but an executor unpacks it once and not for every task.
 */
public sealed interface Sent<T> extends Serializable {
  /** On an executor. */
  T value();

  /** Frees what the pass took. */
  void destroy();

  /**
   * @param bytes at least those of the value, about
   */
  static <T extends Serializable> Sent<T> of(JavaSparkContext context, T value, long bytes) {
    return bytes <= InTask.MOST_BYTES ? new InTask<>(value) : new Apart<>(context.broadcast(value));
  }

  /** Not a record, see {@link dev.lethe.core.aggregate.Point}. */
  final class InTask<T extends Serializable> implements Sent<T> {
    private static final long serialVersionUID = 1L;
    private static final long MOST_BYTES = 256 << 10;

    private final T value;

    InTask(T value) {
      this.value = value;
    }

    @Override
    public T value() {
      return value;
    }

    @Override
    public void destroy() {}
  }

  /** Not a record, either. */
  final class Apart<T> implements Sent<T> {
    private static final long serialVersionUID = 1L;

    private final Broadcast<T> broadcast;

    Apart(Broadcast<T> broadcast) {
      this.broadcast = broadcast;
    }

    @Override
    public T value() {
      return broadcast.value();
    }

    @Override
    public void destroy() {
      broadcast.destroy();
    }
  }
}

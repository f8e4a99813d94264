package dev.lethe.spark.torch;

import dev.lethe.spark.InvalidInputException;
import org.bytedeco.openblas.global.openblas;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** libtorch in this JVM, on one thread a call: tasks are what runs in parallel. */
public final class Torch {
  private Torch() {}

  /** Loads libtorch, once a JVM. */
  private static final class Library {
    static {
      torch.set_num_threads(1);
      openblas.blas_set_num_threads(1);
      // the optimising executors would compile each graph anew, for every thread
      torch.getProfilingMode().put(false);
      torch.getExecutorMode().put(false);
    }

    private Library() {}

    static void load() {}
  }

  /**
   * Makes libtorch ready.
   *
   * @throws InvalidInputException if it is not on the class path, or this machine cannot load it
   */
  public static void require() {
    try {
      Library.load();
    } catch (NoClassDefFoundError | UnsatisfiedLinkError e) {
      throw new InvalidInputException(
          "networks need libtorch, which is an optional dependency: add its jars to spark-submit"
              + " with --jars, or run scripts/lethe, which does (docs/neural.md, \"libtorch\"); this"
              + " machine's system must be Linux on x86-64 ("
              + e.getClass().getSimpleName()
              + ")",
          e);
    }
  }

  /** A tensor of these numbers, row-major. */
  static Tensor tensor(float[] values, long... shape) {
    Tensor tensor = empty(torch.ScalarType.Float, shape);
    tensor.data_ptr_float().put(values, 0, values.length);
    return tensor;
  }

  /** A tensor of these integers, row-major. */
  static Tensor tensor(long[] values, long... shape) {
    Tensor tensor = empty(torch.ScalarType.Long, shape);
    tensor.data_ptr_long().put(values, 0, values.length);
    return tensor;
  }

  // filling it is 20 times faster than making a tensor of an array
  private static Tensor empty(torch.ScalarType type, long... shape) {
    return torch.empty(shape, new TensorOptions(type), new MemoryFormatOptional());
  }
}

package dev.lethe.spark.torch;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.openblas.global.openblas;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/** libtorch in this JVM, on one thread a call: tasks are what runs in parallel. */
final class Torch {
  private static final String MAX_PHYSICAL_BYTES = "org.bytedeco.javacpp.maxphysicalbytes";

  /**
   * To be held from a seed to the last number drawn: all threads draw from one generator, that of
   * the process, and TorchScript cannot be given another.
   */
  static final Object GENERATOR = new Object();

  private Torch() {}

  /** Loads libtorch, once a JVM. */
  private static final class Library {
    static {
      // JavaCPP reads it once, when its first class is initialised. Its default, four times the
      // heap, knows nothing of memoryOverhead: it would collect garbage and fail far below it.
      if (System.getProperty(MAX_PHYSICAL_BYTES) == null) {
        System.setProperty(MAX_PHYSICAL_BYTES, "0");
      }
      torch.set_num_threads(1);
      openblas.blas_set_num_threads(1);
      // the optimising executors would compile each graph anew, for every thread
      torch.getProfilingMode().put(false);
      torch.getExecutorMode().put(false);
    }

    private Library() {}

    static void load() {}
  }

  /** Makes libtorch ready; {@link Libtorch#require} says first whether it is there. */
  static void load() {
    Library.load();
  }

  /** What the generator's next numbers depend on. */
  static Tensor generatorState() {
    return torch.getDefaultCPUGenerator().get_state();
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

  /** A module as a TorchScript archive; the same module gives the same bytes. */
  static byte[] archive(JitModule module) {
    try {
      Path folder = Files.createTempDirectory("lethe-");
      Path file = folder.resolve("module.pt"); // all names in the archive begin with its name
      try {
        module.save(file.toString());
        return Files.readAllBytes(file);
      } finally {
        Files.deleteIfExists(file);
        Files.delete(folder);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("no temporary file can be written", e);
    }
  }

  // filling it is 20 times faster than making a tensor of an array
  private static Tensor empty(torch.ScalarType type, long... shape) {
    return torch.empty(shape, new TensorOptions(type), new MemoryFormatOptional());
  }
}

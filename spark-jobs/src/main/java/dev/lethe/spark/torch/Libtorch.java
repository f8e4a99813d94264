package dev.lethe.spark.torch;

import dev.lethe.spark.InvalidInputException;

/** Whether libtorch is there; names none of its classes, so that it can be asked without. */
public final class Libtorch {
  private static final String CLASS = "org.bytedeco.pytorch.global.torch";

  private Libtorch() {}

  /**
   * Makes libtorch ready in this JVM.
   *
   * @throws InvalidInputException if it is not on the class path, or this machine cannot load it
   */
  public static void require() {
    try {
      Class.forName(CLASS, false, Libtorch.class.getClassLoader());
    } catch (ClassNotFoundException e) {
      throw missing("is not on the class path", e);
    }
    try {
      Torch.load();
    } catch (LinkageError e) {
      throw missing("cannot be loaded here (" + e.getClass().getSimpleName() + ")", e);
    }
  }

  private static InvalidInputException missing(String why, Throwable e) {
    return new InvalidInputException(
        "libtorch "
            + why
            + "; networks need it. It is an optional dependency for Linux on x86-64: give its jars"
            + " to spark-submit by --jars, or use scripts/lethe, which does (docs/neural.md)",
        e);
  }
}

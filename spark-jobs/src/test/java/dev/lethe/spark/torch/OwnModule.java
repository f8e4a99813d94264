package dev.lethe.spark.torch;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolType;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.QualifiedName;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.Type;

/** A TorchScript module as a user might bring it. */
public final class OwnModule {
  private final JitModule module;

  /**
   * @param name of its class
   */
  public OwnModule(String name) {
    Torch.load();
    module = new JitModule(new QualifiedName(name));
    Type.TypePtr bool = new Type.TypePtr(BoolType.get().get());
    module.register_attribute("training", bool, new IValue(false));
  }

  /** Row-major. */
  public OwnModule parameter(String name, float[] values, long... shape) {
    return register(name, Torch.tensor(values, shape));
  }

  /** Integers that are no parameter, such as a count. */
  OwnModule integers(String name, long... values) {
    module.register_buffer(name, Torch.tensor(values, values.length));
    return this;
  }

  /** The same matrix, stored column by column. */
  OwnModule columnMajor(String name, float[] values, int rows, int columns) {
    float[] byColumn = new float[values.length];
    for (int k = 0; k < values.length; k++) {
      byColumn[k % columns * rows + k / columns] = values[k];
    }
    return register(name, Torch.tensor(byColumn, columns, rows).t());
  }

  /** Another name for a parameter of this module or another. */
  OwnModule tied(String name, OwnModule owner, String other) {
    return register(name, owner.module.attr(other).toTensor());
  }

  /** A name for its transpose: the same numbers in another order. */
  OwnModule tiedToTranspose(String name, OwnModule owner, String other) {
    return register(name, owner.module.attr(other).toTensor().detach().t());
  }

  /** A module within. */
  OwnModule with(String name, OwnModule inner) {
    module.register_module(name, inner.module);
    return this;
  }

  private OwnModule register(String name, Tensor tensor) {
    module.register_parameter(name, tensor, false);
    return this;
  }

  /** The archive, with these methods. */
  public byte[] define(String code) {
    try (PointerScope scope = new PointerScope()) {
      module.define(code);
      return Torch.archive(module);
    }
  }
}

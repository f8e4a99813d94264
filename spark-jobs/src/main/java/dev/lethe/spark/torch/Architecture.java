package dev.lethe.spark.torch;

import dev.lethe.spark.InvalidInputException;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolType;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.QualifiedName;
import org.bytedeco.pytorch.Type;

/**
 * The built-in networks, written in TorchScript as a user's own would be. Weights of a layer with
 * fan-in m are uniform in +-sqrt(g / m), g = 6 before a ReLU (He et al., ICCV 2015) and 3
 * otherwise; biases are 0, but for 1 at the forget gates (Jozefowicz et al., ICML 2015).
 */
public sealed interface Architecture {
  /** A new module, a TorchScript archive; the same seed gives the same bits. */
  byte[] module(long seed);

  /**
   * Fully connected layers with ReLU.
   *
   * @param inputs numbers of an example, of any shape
   * @param hidden sizes of the layers between
   */
  record Mlp(int inputs, List<Integer> hidden, int outputs) implements Architecture {
    public Mlp {
      hidden = List.copyOf(hidden);
      requirePositive("hidden", hidden);
    }

    @Override
    public byte[] module(long seed) {
      Builder builder = new Builder("Mlp", seed);
      builder.line("h = torch.flatten(x, 1, -1)");
      int size = inputs;
      int layer = 1;
      for (int next : hidden) {
        builder.linear("fc" + layer, "h", size, next, 6);
        builder.line("h = torch.relu(h)");
        size = next;
        layer++;
      }
      builder.head();
      builder.linear("fc" + layer, "h", size, outputs, 3);
      return builder.build();
    }
  }

  /**
   * A character LSTM, unrolled over the window: embedding, layers, and a linear map of the last
   * state (Hochreiter, Schmidhuber, Neural Computation 1997).
   *
   * @param tokens size of the vocabulary, and of the outputs
   * @param embedding size of a token's vector
   * @param hidden size of each layer's state
   */
  record Lstm(int tokens, int embedding, int hidden, int layers) implements Architecture {
    public Lstm {
      requirePositive("embedding", List.of(embedding));
      requirePositive("hidden", List.of(hidden));
      requirePositive("layers", List.of(layers));
    }

    @Override
    public byte[] module(long seed) {
      Builder builder = new Builder("Lstm", seed);
      builder.parameter("embedding_weight", 3, 3, tokens, embedding);
      builder.line("e = torch.embedding(self.embedding_weight, x)");
      for (int layer = 1; layer <= layers; layer++) {
        int size = layer == 1 ? embedding : hidden;
        builder.parameter("lstm" + layer + "_input", size, 3, 4 * hidden, size);
        builder.parameter("lstm" + layer + "_state", hidden, 3, 4 * hidden, hidden);
        float[] bias = new float[4 * hidden];
        Arrays.fill(bias, hidden, 2 * hidden, 1);
        builder.parameter("lstm" + layer + "_bias", bias, 4 * hidden);
        builder.line("h%1$d = torch.zeros([x.size(0), %2$d], dtype=e.dtype)", layer, hidden);
        builder.line("c%1$d = torch.zeros([x.size(0), %2$d], dtype=e.dtype)", layer, hidden);
      }
      builder.line("for u in torch.unbind(e, 1):");
      for (int layer = 1; layer <= layers; layer++) {
        String input = layer == 1 ? "u" : "h" + (layer - 1);
        builder.line(
            "  g = torch.addmm(self.lstm%1$d_bias, %2$s, self.lstm%1$d_input.t())"
                + " + torch.mm(h%1$d, self.lstm%1$d_state.t())",
            layer, input);
        builder.line("  i, f, z, o = torch.split(g, %d, 1)", hidden);
        builder.line(
            "  c%1$d = torch.sigmoid(f) * c%1$d + torch.sigmoid(i) * torch.tanh(z)", layer);
        builder.line("  h%1$d = torch.sigmoid(o) * torch.tanh(c%1$d)", layer);
      }
      builder.line("h = h%d", layers);
      builder.head();
      builder.linear("fc", "h", hidden, tokens, 3);
      return builder.build();
    }
  }

  /**
   * A VGG-like network (Simonyan, Zisserman, ICLR 2015): stages of two 3x3 convolutions, each with
   * batch norm and ReLU, and 2x2 max-pooling; then a hidden layer and the outputs.
   *
   * @param channels of the input
   * @param stages channels of each stage
   * @param hidden size of the layer before the outputs
   */
  record Cnn(int channels, int height, int width, List<Integer> stages, int hidden, int outputs)
      implements Architecture {
    public Cnn {
      stages = List.copyOf(stages);
      requirePositive("stages", stages);
      requirePositive("hidden", List.of(hidden));
      if (height >> stages.size() < 1 || width >> stages.size() < 1) {
        throw new InvalidInputException(
            "stages: "
                + stages.size()
                + " halvings leave nothing of "
                + height
                + " x "
                + width
                + " inputs");
      }
    }

    @Override
    public byte[] module(long seed) {
      Builder builder = new Builder("Cnn", seed);
      builder.line("h = x");
      int size = channels;
      int layer = 1;
      for (int next : stages) {
        for (int twice = 0; twice < 2; twice++) {
          builder.convolution(layer, size, next);
          size = next;
          layer++;
        }
        builder.line("h = torch.max_pool2d(h, [2, 2], [2, 2], [0, 0], [1, 1], False)");
      }
      builder.line("h = torch.flatten(h, 1, -1)");
      builder.head();
      int left = size * (height >> stages.size()) * (width >> stages.size());
      builder.linear("fc1", "h", left, hidden, 6);
      builder.line("h = torch.relu(h)");
      builder.linear("fc2", "h", hidden, outputs, 3);
      return builder.build();
    }
  }

  private static void requirePositive(String name, List<Integer> sizes) {
    for (int size : sizes) {
      if (size < 1) {
        throw new InvalidInputException(name + ": " + size + " must be at least 1");
      }
    }
  }

  /**
   * Collects parameters and the lines of {@code features} and {@code head}; {@code forward} is one
   * behind the other.
   */
  final class Builder {
    private final JitModule module;
    private final SplittableRandom random;
    private final StringBuilder code = new StringBuilder("def features(self, x):\n");

    private Builder(String name, long seed) {
      Torch.load();
      module = new JitModule(new QualifiedName(name));
      // of the type itself: the constructor for its pointer would take it for any pointer
      Type.TypePtr bool = new Type.TypePtr(BoolType.get().get());
      module.register_attribute("training", bool, new IValue(false));
      random = new SplittableRandom(seed);
    }

    private void line(String format, Object... arguments) {
      code.append("  ").append(String.format(format, arguments)).append('\n');
    }

    private void parameter(String name, int fanIn, double gain, long... shape) {
      float[] values =
          new float[Math.toIntExact(Arrays.stream(shape).reduce(1, Math::multiplyExact))];
      double bound = Math.sqrt(gain / fanIn);
      for (int j = 0; j < values.length; j++) {
        values[j] = (float) (bound * (2 * random.nextDouble() - 1));
      }
      parameter(name, values, shape);
    }

    private void parameter(String name, float[] values, long... shape) {
      module.register_parameter(name, Torch.tensor(values, shape).set_requires_grad(true), false);
    }

    /** h = in W' + b. */
    private void linear(String name, String in, int size, int outputs, double gain) {
      parameter(name + "_weight", size, gain, outputs, size);
      parameter(name + "_bias", new float[outputs], outputs);
      line("h = torch.addmm(self.%1$s_bias, %2$s, self.%1$s_weight.t())", name, in);
    }

    private void convolution(int layer, int size, int next) {
      parameter("conv" + layer + "_weight", 9 * size, 6, next, size, 3, 3);
      float[] ones = new float[next];
      Arrays.fill(ones, 1);
      parameter("norm" + layer + "_weight", ones, next);
      parameter("norm" + layer + "_bias", new float[next], next);
      module.register_buffer("norm" + layer + "_mean", Torch.tensor(new float[next], next));
      module.register_buffer("norm" + layer + "_variance", Torch.tensor(ones, next));
      line("h = torch.conv2d(h, self.conv%d_weight, None, [1, 1], [1, 1], [1, 1], 1)", layer);
      line(
          "h = torch.relu(torch.batch_norm(h, self.norm%1$d_weight, self.norm%1$d_bias,"
              + " self.norm%1$d_mean, self.norm%1$d_variance, self.training, 0.1, 1e-5, False))",
          layer);
    }

    /** Begins the head, the layers that updates usually change alone. */
    private void head() {
      line("return h");
      code.append("def head(self, h):\n");
    }

    private byte[] build() {
      try (PointerScope scope = new PointerScope()) {
        line("return h");
        code.append("def forward(self, x):\n");
        line("return self.head(self.features(x))");
        module.define(code.toString());
        return Torch.archive(module);
      }
    }
  }
}

package dev.lethe.spark.torch;

import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkLoss;
import dev.lethe.core.neural.NeuralModel;
import dev.lethe.core.neural.TypicalOdds;
import dev.lethe.spark.InvalidInputException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.IValue;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.JitModule;
import org.bytedeco.pytorch.NamedTensor;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.named_buffer_iterator;
import org.bytedeco.pytorch.named_buffer_list;
import org.bytedeco.pytorch.named_parameter_iterator;
import org.bytedeco.pytorch.named_parameter_list;
import org.jspecify.annotations.Nullable;

/**
 * A TorchScript module with a loss. One that has the methods {@code features} and {@code head}
 * besides {@code forward}, head(features(x)), can be asked for either. Its parameters are single or
 * double precision throughout; sums over batches are double. The order of parameters is the
 * module's own; one that has several names, a tied one, has its place at the first.
 */
public final class TorchModel implements NeuralModel {
  private static final String FORWARD = "forward";
  private static final String FEATURES = "features";
  private static final String HEAD = "head";
  private static final String ERROR = "RuntimeError:";
  private static final long SUM = 2;
  private static final long EACH = 0;
  private static final long NO_CLASS = -100;

  /** A parameter or a buffer of numbers. */
  private record Named(String name, Tensor tensor, int size) {}

  /** A parameter under all its names, in the module's order. */
  private record Parameter(List<String> names, Tensor tensor) {}

  /**
   * Whether gradients are taken in a parameter.
   *
   * @param saved as the module came, and goes
   * @param here whether it is free
   */
  private record Flag(Tensor tensor, boolean saved, boolean here) {}

  /**
   * Where a parameter's numbers are.
   *
   * @param empty name of a parameter without numbers
   */
  private record Memory(long address, long numbers, String empty) {
    static Memory of(Parameter parameter) {
      long numbers = parameter.tensor().numel();
      return numbers == 0
          ? new Memory(0, 0, parameter.names().get(0))
          : new Memory(parameter.tensor().data_ptr().address(), numbers, "");
    }
  }

  private final JitModule module;
  private final String name;
  private final NetworkLoss loss;
  private final torch.ScalarType type;
  private final List<Flag> flags = new ArrayList<>();
  private final List<Named> free = new ArrayList<>();
  private final List<Named> buffers = new ArrayList<>();
  private final TensorVector inputs = new TensorVector();
  private final int size;
  private final float[] single;
  private final double[] exact;
  private boolean drawsInTraining = true; // until it is seen not to
  private boolean fromFeatures;

  private TorchModel(
      JitModule module,
      String name,
      NetworkLoss loss,
      Predicate<String> isFree,
      torch.ScalarType type) {
    this.module = module;
    this.name = name;
    this.loss = loss;
    this.type = type;
    module.eval();
    try (PointerScope scope = new PointerScope()) { // iterators and entries end with it
      for (Parameter parameter : parameters(module, name)) {
        Tensor tensor = keep(parameter.tensor());
        boolean chosen = parameter.names().stream().anyMatch(isFree);
        flags.add(new Flag(tensor, tensor.requires_grad(), chosen));
        tensor.set_requires_grad(chosen);
        if (chosen) {
          free.add(new Named(parameter.names().get(0), tensor, Math.toIntExact(tensor.numel())));
          inputs.push_back(tensor);
        }
      }
      named_buffer_list all = module.named_buffers(true);
      named_buffer_iterator last = all.end();
      for (named_buffer_iterator at = all.begin(); at.notEquals(last); at.increment()) {
        NamedTensor entry = at.access();
        Tensor tensor = handle(entry);
        if (tensor.is_floating_point()) {
          int numbers = Math.toIntExact(tensor.numel());
          buffers.add(new Named(entry.name().getString(), keep(tensor), numbers));
        }
      }
    }
    size = free.stream().mapToInt(Named::size).reduce(0, Math::addExact);
    int largest =
        Stream.concat(free.stream(), buffers.stream()).mapToInt(Named::size).max().orElse(0);
    single = new float[type == torch.ScalarType.Float ? largest : 0];
    exact = new double[type == torch.ScalarType.Float ? 0 : largest];
  }

  /** A handle of our own, since the entry is collected. */
  private static Tensor handle(NamedTensor entry) {
    return new Tensor(entry.value());
  }

  /**
   * Keeps a handle until this model is closed, and makes numbers those of our type in the order of
   * their indices, which is how they are set.
   */
  private Tensor keep(Tensor tensor) {
    tensor.retainReference();
    if (tensor.is_floating_point()) { // integers stay what they are
      tensor.set_data(tensor.detach().to(type).contiguous());
    }
    return tensor;
  }

  /** Each parameter once, whatever names it has: an archive keeps of tied ones their memory. */
  private static Collection<Parameter> parameters(JitModule module, String name) {
    List<Parameter> all = new ArrayList<>();
    named_parameter_list list = module.named_parameters(true);
    named_parameter_iterator end = list.end();
    for (named_parameter_iterator at = list.begin(); at.notEquals(end); at.increment()) {
      NamedTensor entry = at.access();
      all.add(new Parameter(new ArrayList<>(List.of(entry.name().getString())), handle(entry)));
    }
    Map<Memory, Parameter> each = new LinkedHashMap<>();
    for (Parameter parameter : all) {
      Parameter first = each.putIfAbsent(Memory.of(parameter), parameter);
      if (first != null) {
        tie(module, name, first, parameter.names().get(0), parameter.tensor());
      }
    }
    return each.values();
  }

  /** Lets a parameter's other name name the same tensor, not only the same memory. */
  private static void tie(
      JitModule module, String name, Parameter first, String other, Tensor tensor) {
    if (!sameLayout(first.tensor(), tensor)) {
      throw new InvalidInputException(
          name
              + ": the parameters "
              + first.names().get(0)
              + " and "
              + other
              + " are the same numbers in different orders; a tied parameter must have one shape");
    }
    if (!tensor.is_same(first.tensor())) {
      String[] path = other.split("\\.", -1);
      JitModule owner = module;
      for (int k = 0; k < path.length - 1; k++) {
        owner = new JitModule(owner.attr(path[k]).toObject());
      }
      owner.setattr(path[path.length - 1], new IValue(first.tensor()));
    }
    first.names().add(other);
  }

  private static boolean sameLayout(Tensor one, Tensor other) {
    boolean same = Arrays.equals(one.shape(), other.shape());
    for (int k = 0; same && k < one.dim(); k++) {
      same = one.stride(k) == other.stride(k);
    }
    return same;
  }

  /**
   * Loads a module in single precision.
   *
   * @param module a TorchScript archive
   * @param name of the module, for messages
   * @param isFree whether a parameter of this name is one of theta's; the others stay as they are.
   *     A tied parameter is where any of its names is
   * @throws InvalidInputException if it is no module that this libtorch reads
   */
  public static TorchModel load(
      byte[] module, String name, NetworkLoss loss, Predicate<String> isFree) {
    return load(module, name, loss, isFree, torch.ScalarType.Float);
  }

  /** The same in double precision, for checks. */
  public static TorchModel loadExact(
      byte[] module, String name, NetworkLoss loss, Predicate<String> isFree) {
    return load(module, name, loss, isFree, torch.ScalarType.Double);
  }

  private static TorchModel load(
      byte[] module,
      String name,
      NetworkLoss loss,
      Predicate<String> isFree,
      torch.ScalarType type) {
    Torch.load();
    try {
      Path file = Files.createTempFile("lethe-", ".pt");
      try {
        Files.write(file, module);
        return new TorchModel(read(file, name), name, loss, isFree, type);
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("no temporary file can be written", e);
    }
  }

  private static JitModule read(Path file, String name) {
    try {
      return torch.load(file.toString());
    } catch (RuntimeException e) {
      throw new InvalidInputException(
          name + ": is no TorchScript module that libtorch can read", e);
    }
  }

  /** The module as it stands: a TorchScript archive. What is not free here is not frozen in it. */
  public byte[] save() {
    flags.forEach(flag -> flag.tensor().set_requires_grad(flag.saved()));
    try {
      return Torch.archive(module);
    } finally {
      flags.forEach(flag -> flag.tensor().set_requires_grad(flag.here()));
    }
  }

  /** Names of the free parameters, in theta's order. */
  public List<String> names() {
    return free.stream().map(Named::name).toList();
  }

  @Override
  public int size() {
    return size;
  }

  @Override
  public double[] parameters() {
    double[] theta = new double[size];
    add(free, theta);
    return theta;
  }

  @Override
  public void setParameters(double[] theta) {
    requireSize("theta", theta.length, size);
    set(free, theta);
  }

  @Override
  public double[] buffers() {
    double[] all = new double[buffers.stream().mapToInt(Named::size).sum()];
    add(buffers, all);
    return all;
  }

  @Override
  public void setBuffers(double[] values) {
    requireSize("buffers", values.length, buffers.stream().mapToInt(Named::size).sum());
    set(buffers, values);
  }

  private static void requireSize(String what, int found, int wanted) {
    if (found != wanted) {
      throw new IllegalArgumentException(what + " must have " + wanted + " numbers, not " + found);
    }
  }

  @Override
  public float[] outputs(Batch batch) {
    try (PointerScope scope = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      return floats(forward(batch));
    }
  }

  @Override
  public Evaluation evaluate(Batch batch) {
    try (PointerScope scope = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      Tensor outputs = forward(batch);
      return new Evaluation(floats(outputs), floats(loss(outputs, batch, EACH)));
    }
  }

  @Override
  public double addGradient(Batch batch, double[] sum) {
    requireSize("the sum", sum.length, size);
    try (PointerScope scope = new PointerScope()) {
      return addGradient(forward(batch), batch, sum);
    }
  }

  private double addGradient(Tensor outputs, Batch batch, double[] sum) {
    Tensor value = loss(outputs, batch, SUM);
    add(grad(value, inputs, null, false), sum);
    return value.item_double();
  }

  @Override
  public void addMisfitGradient(Batch batch, TypicalOdds typical, double[] sum) {
    requireSize("the sum", sum.length, size);
    try (PointerScope scope = new PointerScope()) {
      Tensor misfits = standardized(forward(batch), batch, typical).square().mul(new Scalar(0.5));
      add(grad(misfits.sum(), inputs, null, false), sum);
    }
  }

  /** r of each example. */
  private Tensor standardized(Tensor outputs, Batch batch, TypicalOdds typical) {
    long[] classes = batch.classes();
    float[] means = new float[classes.length];
    float[] deviations = new float[classes.length];
    for (int i = 0; i < classes.length; i++) {
      means[i] = (float) typical.mean((int) classes[i]);
      deviations[i] = (float) typical.deviation((int) classes[i]);
    }
    Tensor odds;
    if (loss == NetworkLoss.BINARY_CROSS_ENTROPY) {
      Tensor signs = classes(batch).to(type).mul(new Scalar(2)).sub(new Scalar(1));
      odds = outputs.reshape(batch.rows()).mul(signs);
    } else {
      Tensor own = classes(batch).reshape(batch.rows(), 1);
      Tensor others = outputs.scatter(1, own, new Scalar(Double.NEGATIVE_INFINITY));
      odds = outputs.gather(1, own).sub(torch.logsumexp(others, new long[] {1}, true)).reshape(-1);
    }
    return odds.sub(numbers(means, means.length)).div(numbers(deviations, deviations.length));
  }

  @Override
  public double addTrainingGradient(Batch batch, long seed, double[] sum) {
    requireSize("the sum", sum.length, size);
    module.train(true);
    try (PointerScope scope = new PointerScope()) {
      return addGradient(drawsInTraining ? seeded(batch, seed) : forward(batch), batch, sum);
    } finally {
      module.eval();
    }
  }

  /** Going back draws nothing: other models wait for this part of a step only. */
  private Tensor seeded(Batch batch, long seed) {
    synchronized (Torch.GENERATOR) {
      torch.manual_seed(seed);
      Tensor before = Torch.generatorState();
      Tensor outputs = forward(batch);
      drawsInTraining = !Torch.generatorState().equal(before);
      return outputs;
    }
  }

  @Override
  public void addProduct(Batch batch, double[] v, Curvature curvature, double[] sum) {
    requireSize("v", v.length, size);
    requireSize("the sum", sum.length, size);
    try (PointerScope scope = new PointerScope()) {
      TensorVector direction = tensors(v);
      Tensor outputs = forward(batch);
      switch (curvature) {
        case HESSIAN -> {
          TensorVector gradient = grad(loss(outputs, batch, SUM), inputs, null, true);
          add(grad(dot(gradient, direction), inputs, null, false), sum);
        }
        case GAUSS_NEWTON -> {
          Tensor jv = jacobianProduct(outputs, direction);
          add(grad(outputs, inputs, curvature(outputs.detach(), jv), false), sum);
        }
      }
    }
  }

  @Override
  public void addMisfitProduct(Batch batch, TypicalOdds typical, double[] v, double[] sum) {
    requireSize("v", v.length, size);
    requireSize("the sum", sum.length, size);
    try (PointerScope scope = new PointerScope()) {
      TensorVector direction = tensors(v);
      Tensor r = standardized(forward(batch), batch, typical);
      add(grad(r, inputs, jacobianProduct(r, direction), false), sum);
    }
  }

  /** J v as the derivative of J' w in w, which J' w is linear in; keeps the graph. */
  private Tensor jacobianProduct(Tensor of, TensorVector v) {
    Tensor w = torch.zeros_like(of).set_requires_grad(true);
    return grad(dot(grad(of, inputs, w, true), v), new TensorVector(w), null, true).get(0).detach();
  }

  /** d2l/dz2 u, for each row. */
  private Tensor curvature(Tensor z, Tensor u) {
    return switch (loss) {
      case CROSS_ENTROPY -> {
        Tensor p = torch.softmax(z, 1);
        Tensor pu = p.mul(u);
        yield pu.sub(p.mul(pu.sum(new long[] {1}, true, new ScalarTypeOptional())));
      }
      case BINARY_CROSS_ENTROPY -> {
        Tensor s = torch.sigmoid(z);
        yield s.mul(s.neg().add(new Scalar(1))).mul(u);
      }
      case SQUARED -> u;
    };
  }

  private Tensor forward(Batch batch) {
    return call(fromFeatures ? HEAD : FORWARD, input(batch)).toTensor();
  }

  private IValue call(String method, Tensor input) {
    torch.setGraphExecutorOptimize(false);
    IValueVector arguments = new IValueVector();
    arguments.push_back(new IValue(input));
    return module.get_method(method).apply(arguments);
  }

  /**
   * Tries the module on one example and on two at once.
   *
   * @param example of the declared input
   * @param outputs declared, of each example
   * @throws InvalidInputException if the module cannot take them, or gives something else
   */
  public void requireOutputs(Batch example, int outputs) {
    for (Batch batch : List.of(example, Batch.concat(List.of(example, example)))) {
      try (PointerScope scope = new PointerScope()) {
        Tensor input = input(batch);
        Tensor whole = tried(FORWARD, input);
        requireShape(FORWARD, input, whole, outputs);
        if (hasFeatures()) {
          Tensor features = tried(FEATURES, input);
          if (!features.requires_grad()) { // kept in the examples' place, a flat row of each
            requireShape(FEATURES, input, features, features.dim() == 2 ? features.size(1) : 0);
            Tensor parts = tried(HEAD, features);
            requireShape(HEAD, features, parts, outputs);
            if (!torch.allclose(parts, whole, 1e-3, 1e-5, true)) { // another order of additions
              throw new InvalidInputException(
                  unfit(HEAD + " of " + FEATURES + " gives other numbers than " + FORWARD));
            }
          }
        }
      }
    }
  }

  private Tensor tried(String method, Tensor input) {
    IValue made;
    boolean draws;
    try {
      synchronized (Torch.GENERATOR) {
        Tensor before = Torch.generatorState();
        made = call(method, input);
        draws = !Torch.generatorState().equal(before);
      }
    } catch (RuntimeException e) {
      throw new InvalidInputException(
          unfit(method + " fails for " + shape(input) + " inputs of 0: " + reason(e)), e);
    }
    if (draws) {
      throw new InvalidInputException(
          unfit(
              method
                  + " draws random numbers in evaluation mode, so that every sum would be another;"
                  + " trace a network with dropout in evaluation mode, or script it"));
    }
    if (!made.isTensor()) {
      throw new InvalidInputException(
          unfit(method + " gives a " + made.tagKind().getString() + "; one tensor is needed"));
    }
    return made.toTensor();
  }

  /**
   * @param columns that are needed; 0 for any
   */
  private void requireShape(String method, Tensor input, Tensor made, long columns) {
    long[] needed = {input.size(0), columns};
    if (columns == 0 || !Arrays.equals(made.shape(), needed) || !made.is_floating_point()) {
      throw new InvalidInputException(
          unfit(
              method
                  + " gives "
                  + shape(made)
                  + " "
                  + made.scalar_type()
                  + " for "
                  + shape(input)
                  + " inputs; needed are ["
                  + needed[0]
                  + (columns == 0 ? ", any" : ", " + columns)
                  + "] floating-point numbers, a row of each example"));
    }
  }

  private String unfit(String why) {
    return name + ": does not fit what is declared: " + why;
  }

  private static String shape(Tensor tensor) {
    return Arrays.toString(tensor.shape());
  }

  /** What libtorch says, without the trace through the module's code. */
  private static String reason(RuntimeException e) {
    String message = String.valueOf(e.getMessage());
    return message
        .lines()
        .map(String::strip)
        .filter(line -> line.startsWith(ERROR))
        .findFirst()
        .map(line -> line.substring(ERROR.length()).strip())
        .orElseGet(() -> message.lines().findFirst().orElse(message));
  }

  private boolean hasFeatures() {
    return module.find_method(FEATURES).has_value() && module.find_method(HEAD).has_value();
  }

  @Override
  public boolean hasFixedFeatures(Batch batch) {
    try (PointerScope scope = new PointerScope()) {
      return hasFeatures() && !call(FEATURES, input(batch)).toTensor().requires_grad();
    }
  }

  @Override
  public float[] features(Batch batch) {
    try (PointerScope scope = new PointerScope();
        NoGradGuard guard = new NoGradGuard()) {
      return floats(call(FEATURES, input(batch)).toTensor());
    }
  }

  @Override
  public void startFromFeatures(boolean features) {
    fromFeatures = features;
  }

  private Tensor input(Batch batch) {
    if (batch.hasTokens()) {
      return Torch.tensor(batch.tokens(), batch.inputShape());
    }
    return numbers(batch.values(), batch.inputShape());
  }

  private Tensor numbers(float[] values, long... shape) {
    Tensor tensor = Torch.tensor(values, shape);
    return type == torch.ScalarType.Float ? tensor : tensor.to(type);
  }

  private Tensor loss(Tensor outputs, Batch batch, long reduction) {
    return switch (loss) {
      case CROSS_ENTROPY ->
          torch.cross_entropy_loss(
              outputs, classes(batch), new TensorOptional(), reduction, NO_CLASS, 0);
      case BINARY_CROSS_ENTROPY ->
          torch.binary_cross_entropy_with_logits(
              outputs.reshape(batch.rows()),
              classes(batch).to(type),
              new TensorOptional(),
              new TensorOptional(),
              reduction);
      case SQUARED -> {
        Tensor each =
            outputs
                .reshape(batch.rows(), -1)
                .sub(numbers(batch.targets(), batch.rows(), batch.targets().length / batch.rows()))
                .square()
                .mul(new Scalar(0.5));
        yield reduction == SUM ? each.sum() : each.sum(1);
      }
    };
  }

  private static Tensor classes(Batch batch) {
    return Torch.tensor(batch.classes(), batch.rows());
  }

  private static TensorVector grad(
      Tensor of, TensorVector in, @Nullable Tensor weights, boolean graph) {
    TensorVector outer = weights == null ? new TensorVector() : new TensorVector(weights);
    return torch.grad(new TensorVector(of), in, outer, new BoolOptional(true), graph, true);
  }

  private static Tensor dot(TensorVector a, TensorVector b) {
    Tensor sum = null;
    for (long k = 0; k < a.size(); k++) {
      if (a.get(k).defined() && a.get(k).requires_grad()) {
        Tensor term = a.get(k).mul(b.get(k)).sum();
        sum = sum == null ? term : sum.add(term);
      }
    }
    return sum == null ? torch.zeros(1).set_requires_grad(true) : sum;
  }

  private TensorVector tensors(double[] v) {
    TensorVector all = new TensorVector();
    int at = 0;
    for (Named parameter : free) {
      Tensor tensor = torch.empty_like(parameter.tensor());
      copy(v, at, tensor, parameter.size());
      all.push_back(tensor);
      at += parameter.size();
    }
    return all;
  }

  private void add(List<Named> from, double[] sum) {
    try (PointerScope scope = new PointerScope()) {
      int at = 0;
      for (Named named : from) {
        add(named.tensor().detach(), named.size(), sum, at);
        at += named.size();
      }
    }
  }

  /** A parameter that the loss does not depend on has no gradient. */
  private void add(TensorVector from, double[] sum) {
    int at = 0;
    for (int k = 0; k < free.size(); k++) {
      Tensor tensor = from.get(k);
      if (tensor.defined()) {
        add(tensor, free.get(k).size(), sum, at);
      }
      at += free.get(k).size();
    }
  }

  private void add(Tensor from, int numbers, double[] sum, int at) {
    Tensor flat = from.contiguous();
    if (type == torch.ScalarType.Float) {
      flat.data_ptr_float().get(single, 0, numbers);
      for (int j = 0; j < numbers; j++) {
        sum[at + j] += single[j];
      }
    } else {
      flat.data_ptr_double().get(exact, 0, numbers);
      for (int j = 0; j < numbers; j++) {
        sum[at + j] += exact[j];
      }
    }
  }

  private void set(List<Named> tensors, double[] values) {
    int at = 0;
    for (Named named : tensors) {
      copy(values, at, named.tensor(), named.size());
      at += named.size();
    }
  }

  private void copy(double[] values, int at, Tensor to, int numbers) {
    if (type == torch.ScalarType.Float) {
      for (int j = 0; j < numbers; j++) {
        single[j] = (float) values[at + j];
      }
      to.data_ptr_float().put(single, 0, numbers);
    } else {
      to.data_ptr_double().put(values, at, numbers);
    }
  }

  private static float[] floats(Tensor tensor) {
    Tensor flat = tensor.to(torch.ScalarType.Float).contiguous();
    float[] all = new float[Math.toIntExact(flat.numel())];
    flat.data_ptr_float().get(all, 0, all.length);
    return all;
  }

  @Override
  public void close() {
    flags.forEach(flag -> flag.tensor().close()); // all parameters, free or not
    buffers.forEach(buffer -> buffer.tensor().close());
    inputs.close();
    module.close();
  }
}

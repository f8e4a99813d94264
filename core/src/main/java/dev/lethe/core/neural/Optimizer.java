package dev.lethe.core.neural;

import dev.lethe.core.linalg.Vectors;
import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** Moves parameters along the gradients of minibatches; keeps what it has learned of them. */
public sealed interface Optimizer {
  /**
   * One step.
   *
   * @param theta p parameters, changed in place
   * @param gradient of the objective in mean form at theta
   */
  void step(double[] theta, double[] gradient);

  /** Writes what later steps depend on. */
  void write(DataOutput out) throws IOException;

  /** Reads what {@link #write} wrote. */
  void read(DataInput in) throws IOException;

  /**
   * Stochastic gradient descent with momentum: v = mu v + g, theta -= rate v.
   *
   * @see <a href="https://proceedings.mlr.press/v28/sutskever13.html">Sutskever et al., ICML
   *     2013</a>
   */
  final class Sgd implements Optimizer {
    private final double rate;
    private final double momentum;
    private final double[] velocity;

    /**
     * @param size p
     * @param rate above 0
     * @param momentum mu, in [0, 1)
     */
    public Sgd(int size, double rate, double momentum) {
      requirePositive(rate);
      if (!(momentum >= 0 && momentum < 1)) {
        throw new IllegalArgumentException("momentum must lie in [0, 1), not " + momentum);
      }
      this.rate = rate;
      this.momentum = momentum;
      velocity = new double[size];
    }

    @Override
    public void step(double[] theta, double[] gradient) {
      for (int j = 0; j < theta.length; j++) {
        velocity[j] = momentum * velocity[j] + gradient[j];
        theta[j] -= rate * velocity[j];
      }
    }

    @Override
    public void write(DataOutput out) throws IOException {
      Vectors.write(velocity, out);
    }

    @Override
    public void read(DataInput in) throws IOException {
      Vectors.read(velocity, in);
    }
  }

  /** Adam with its published constants (Kingma, Ba, ICLR 2015, algorithm 1). */
  final class Adam implements Optimizer {
    private static final double BETA_1 = 0.9;
    private static final double BETA_2 = 0.999;
    private static final double EPSILON = 1e-8;

    private final double rate;
    private final double[] mean;
    private final double[] square;
    private long steps;

    /**
     * @param size p
     * @param rate above 0
     */
    public Adam(int size, double rate) {
      requirePositive(rate);
      this.rate = rate;
      mean = new double[size];
      square = new double[size];
    }

    @Override
    public void step(double[] theta, double[] gradient) {
      steps++;
      double scale1 = 1 - Math.pow(BETA_1, steps);
      double scale2 = 1 - Math.pow(BETA_2, steps);
      for (int j = 0; j < theta.length; j++) {
        double g = gradient[j];
        mean[j] = BETA_1 * mean[j] + (1 - BETA_1) * g;
        square[j] = BETA_2 * square[j] + (1 - BETA_2) * g * g;
        theta[j] -= rate * (mean[j] / scale1) / (Math.sqrt(square[j] / scale2) + EPSILON);
      }
    }

    @Override
    public void write(DataOutput out) throws IOException {
      out.writeLong(steps);
      Vectors.write(mean, out);
      Vectors.write(square, out);
    }

    @Override
    public void read(DataInput in) throws IOException {
      steps = in.readLong();
      Vectors.read(mean, in);
      Vectors.read(square, in);
    }
  }

  private static void requirePositive(double rate) {
    if (!(rate > 0) || Double.isInfinite(rate)) {
      throw new IllegalArgumentException("the rate must be finite and above 0, not " + rate);
    }
  }
}

package dev.lethe.core.neural;

/**
 * A network with a loss, as a function of its p free parameters, in a fixed flat order. All sums
 * are over the examples of a batch, never means, and leave out the penalty.
 *
 * <p>An instance belongs to one thread at a time; instances are independent of each other. Batch
 * norm and dropout are in evaluation mode but in {@link #addTrainingGradient}, so that an example's
 * loss does not depend on its neighbours.
 */
public interface NeuralModel extends AutoCloseable {
  /** p. */
  int size();

  /** theta, a new array. */
  double[] parameters();

  /** Sets theta. */
  void setParameters(double[] theta);

  /**
   * Whether no free parameter has a part in the network's first layers, whose outputs, {@link
   * #features}, can be kept then.
   *
   * @param batch any
   */
  boolean hasFixedFeatures(Batch batch);

  /**
   * What the first layers make of each example, row-major, a new array.
   *
   * @return rows times features
   */
  float[] features(Batch batch);

  /** Whether batches have features in their inputs' place from now on. */
  void startFromFeatures(boolean features);

  /**
   * Outputs for each example (logits, for classes), row-major, a new array.
   *
   * @return rows times outputs
   */
  float[] outputs(Batch batch);

  /**
   * What the network says of a batch.
   *
   * @param outputs as {@link #outputs}
   * @param losses of each example
   */
  record Evaluation(float[] outputs, float[] losses) {}

  /** Outputs and losses, in one pass through the network. */
  Evaluation evaluate(Batch batch);

  /** The loss of each example, a new array. */
  default float[] losses(Batch batch) {
    return evaluate(batch).losses();
  }

  /**
   * sum += sum_i d l_i / d theta.
   *
   * @param sum length p
   * @return sum_i l_i
   */
  double addGradient(Batch batch, double[] sum);

  /**
   * sum += sum_i r_i d r_i / d theta, the gradient of the misfits, see {@link TypicalOdds}.
   *
   * @param sum length p
   */
  void addMisfitGradient(Batch batch, TypicalOdds typical, double[] sum);

  /**
   * sum += sum_i H_i v, exactly, by differentiating the gradient's product with v (Pearlmutter,
   * Neural Computation 1994), or the Gauss-Newton matrix in H's place.
   *
   * @param v length p
   * @param sum length p
   */
  void addProduct(Batch batch, double[] v, Curvature curvature, double[] sum);

  /**
   * sum += sum_i (d r_i / d theta) (d r_i / d theta)' v, the misfits' Gauss-Newton matrix times v.
   *
   * @param v length p
   * @param sum length p
   */
  void addMisfitProduct(Batch batch, TypicalOdds typical, double[] v, double[] sum);

  /**
   * As {@link #addGradient} in training mode: batch norm takes this batch's statistics and updates
   * its running ones, {@link #buffers}.
   *
   * @param seed of what the network draws, as dropout does
   */
  double addTrainingGradient(Batch batch, long seed, double[] sum);

  /** What is no parameter but part of the model: running statistics. A new array. */
  double[] buffers();

  /** Sets the running statistics. */
  void setBuffers(double[] buffers);

  @Override
  void close();
}

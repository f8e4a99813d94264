package dev.lethe.core.neural;

import dev.lethe.core.linalg.PartialSum;
import dev.lethe.core.linalg.PlainVector;

/** What a pass over examples adds up. */
public final class NetworkSum implements PartialSum<NetworkSum> {
  private static final long serialVersionUID = 1L;

  private final PlainVector vector;
  private final PlainVector buffers;
  private double loss;
  private long rows;
  private long correct;

  /**
   * @param size of the vector, 0 if none is added up
   * @param buffers of the running statistics, 0 if they are not
   */
  public NetworkSum(int size, int buffers) {
    this(new PlainVector(size, 0), new PlainVector(buffers, 0));
  }

  private NetworkSum(PlainVector vector, PlainVector buffers) {
    this.vector = vector;
    this.buffers = buffers;
  }

  /** The sum of gradients or products, to be added to until {@link #sealed}. */
  public double[] vector() {
    return vector.values();
  }

  /** Adds examples that a vector was added up of. */
  public void add(long examples, double losses) {
    rows += examples;
    loss += losses;
  }

  /** Adds examples whose class is that of the largest output. */
  public void addCorrect(long examples) {
    correct += examples;
  }

  /** Adds running statistics, to be weighed by the examples that they are of. */
  public void addBuffers(double[] values, int examples) {
    double[] sums = buffers.values();
    for (int j = 0; j < sums.length; j++) {
      sums[j] += examples * values[j];
    }
  }

  /** sum_i l_i. */
  public double loss() {
    return loss;
  }

  /** n. */
  public long rows() {
    return rows;
  }

  /** Examples whose class is that of the largest output. */
  public long correct() {
    return correct;
  }

  /** Means of the running statistics, weighed by examples. */
  public double[] meanBuffers() {
    double[] means = buffers.values().clone();
    for (int j = 0; j < means.length; j++) {
      means[j] /= rows;
    }
    return means;
  }

  @Override
  public void merge(NetworkSum other) {
    vector.merge(other.vector, Double::sum);
    buffers.merge(other.buffers, Double::sum);
    loss += other.loss;
    rows += other.rows;
    correct += other.correct;
  }

  @Override
  public NetworkSum sealed() {
    vector.sealed();
    buffers.sealed();
    return this;
  }

  @Override
  public NetworkSum slice(int part, int parts) {
    NetworkSum slice = new NetworkSum(vector.slice(part, parts), buffers.slice(part, parts));
    slice.take(this);
    return slice.sealed();
  }

  @Override
  public void place(NetworkSum slice, int part, int parts) {
    vector.place(slice.vector, part, parts);
    buffers.place(slice.buffers, part, parts);
    take(slice);
  }

  private void take(NetworkSum other) {
    loss = other.loss;
    rows = other.rows;
    correct = other.correct;
  }

  @Override
  public long bytes() {
    return 12L * (vector.size() + buffers.size()) + 256;
  }
}

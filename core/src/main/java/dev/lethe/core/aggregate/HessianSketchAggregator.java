package dev.lethe.core.aggregate;

import dev.lethe.core.linalg.PlainVector;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.ParameterLayout;
import java.util.Arrays;

/**
 * sum_i w_i X_i' A_i X_i V with A_i = d2l/ds2(s_i): the products of the data's Hessian with several
 * vectors in one visit of the rows; no penalty.
 *
 * <p>The sums are plain: what a preconditioner is made of needs no proof. An entry of a row meets
 * all vectors in turn, whose coordinates are neighbours in memory.
 */
public final class HessianSketchAggregator implements Aggregator<HessianSketchAggregator> {
  private static final long serialVersionUID = 1L;

  private final transient Point point;
  private final int vectors;
  private final transient double[] interleaved;
  private final PlainVector products;

  /**
   * @param directions V, r vectors of length p; r p below 2^31
   */
  public HessianSketchAggregator(Point point, double[][] directions) {
    this.point = point;
    vectors = directions.length;
    interleaved = new double[Math.multiplyExact(point.size(), vectors)];
    for (int c = 0; c < vectors; c++) {
      for (int j = 0; j < directions[c].length; j++) {
        interleaved[j * vectors + c] = directions[c][j];
      }
    }
    products = new PlainVector(interleaved.length, 0);
  }

  private HessianSketchAggregator(HessianSketchAggregator of, PlainVector products) {
    point = of.point;
    vectors = of.vectors;
    interleaved = of.interleaved;
    this.products = products;
  }

  @Override
  public void add(ExampleBlock block) {
    ParameterLayout layout = point.layout();
    RowEvaluation row = new RowEvaluation(point);
    double[] sums = products.values();
    double[] u = new double[layout.outputs() * vectors];
    double[] a = new double[u.length];
    ExampleBlock.EntryConsumer gather =
        (column, x) -> {
          for (int k = 0; k < layout.margins(); k++) {
            addScaled(x, interleaved, layout.coefficient(k, column), u, k);
          }
        };
    ExampleBlock.EntryConsumer scatter =
        (column, x) -> {
          for (int k = 0; k < layout.margins(); k++) {
            addScaled(x, a, k, sums, layout.coefficient(k, column));
          }
        };
    for (int i = 0; i < block.rows(); i++) {
      row.at(block, i);
      Arrays.fill(u, 0);
      block.forEachEntry(i, gather);
      addOwn(interleaved, u, true);
      multiply(block.weight(i), row.hessian(block, i), u, a);
      block.forEachEntry(i, scatter);
      addOwn(a, sums, false);
    }
  }

  /** The intercepts and scalars, whose x is 1: from parameters to outputs, or back. */
  private void addOwn(double[] from, double[] to, boolean toOutputs) {
    ParameterLayout layout = point.layout();
    for (int k = 0; k < layout.outputs(); k++) {
      int parameter =
          k < layout.margins() ? layout.intercept(k) : layout.scalar(k - layout.margins());
      if (parameter >= 0) {
        addScaled(1, from, toOutputs ? parameter : k, to, toOutputs ? k : parameter);
      }
    }
  }

  /** a = w A u, output by output. */
  private void multiply(double w, double[] hessian, double[] u, double[] a) {
    int outputs = u.length / vectors;
    Arrays.fill(a, 0);
    for (int k = 0; k < outputs; k++) {
      for (int l = 0; l < outputs; l++) {
        addScaled(w * hessian[k * outputs + l], u, l, a, k);
      }
    }
  }

  /** to[target] += x from[source], rows of as many entries as there are vectors. */
  private void addScaled(double x, double[] from, int source, double[] to, int target) {
    int s = source * vectors;
    int t = target * vectors;
    for (int c = 0; c < vectors; c++) {
      to[t + c] += x * from[s + c];
    }
  }

  @Override
  public void merge(HessianSketchAggregator other) {
    products.merge(other.products, Double::sum);
  }

  @Override
  public HessianSketchAggregator sealed() {
    products.sealed();
    return this;
  }

  @Override
  public HessianSketchAggregator slice(int part, int parts) {
    return new HessianSketchAggregator(this, products.slice(part, parts)).sealed();
  }

  @Override
  public void place(HessianSketchAggregator slice, int part, int parts) {
    products.place(slice.products, part, parts);
  }

  @Override
  public long bytes() {
    return 8L * interleaved.length + 128;
  }

  /** The products, r vectors of length p. */
  public double[][] products() {
    double[] sums = products.values();
    double[][] result = new double[vectors][sums.length / vectors];
    for (int c = 0; c < vectors; c++) {
      for (int j = 0; j < result[c].length; j++) {
        result[c][j] = sums[j * vectors + c];
      }
    }
    return result;
  }
}

package dev.lethe.core.model;

import dev.lethe.core.linalg.CompensatedVector;
import java.io.Serializable;
import java.util.BitSet;

/**
 * Where the parameters of a linear model stand in theta: margin by margin its d coefficients and,
 * if there is one, its intercept; behind them the scalars, parameters that no feature touches.
 *
 * <p>For a row x this is the linear map X from theta to the K outputs, s_k = x'theta_k + b_k for a
 * margin and s_k = the scalar itself behind them.
 *
 * <p>Not a record: Kryo, which a cluster may have set, cannot read records.
 */
public final class ParameterLayout implements Serializable {
  private static final long serialVersionUID = 1L;

  private final int features;
  private final boolean intercept;
  private final int margins;
  private final int scalars;

  /**
   * @param features d
   * @param intercept whether every margin has an intercept
   * @param margins at least 1
   * @param scalars at least 0
   */
  public ParameterLayout(int features, boolean intercept, int margins, int scalars) {
    if (features < 0 || margins < 1 || scalars < 0) {
      throw new IllegalArgumentException(
          features + " features, " + margins + " margins, " + scalars + " scalars");
    }
    this.features = features;
    this.intercept = intercept;
    this.margins = margins;
    this.scalars = scalars;
  }

  /** d. */
  public int features() {
    return features;
  }

  public boolean intercept() {
    return intercept;
  }

  public int margins() {
    return margins;
  }

  public int scalars() {
    return scalars;
  }

  /** K, margins and scalars. */
  public int outputs() {
    return margins + scalars;
  }

  /** Parameters of one margin. */
  public int stride() {
    return features + (intercept ? 1 : 0);
  }

  /** p. */
  public int size() {
    return margins * stride() + scalars;
  }

  /** The index of a margin's coefficient. */
  public int coefficient(int margin, int feature) {
    return margin * stride() + feature;
  }

  /** The index of a margin's intercept, or -1. */
  public int intercept(int margin) {
    return intercept ? margin * stride() + features : -1;
  }

  /** The index of a scalar. */
  public int scalar(int i) {
    return margins * stride() + i;
  }

  /** The feature that a parameter multiplies: d for an intercept, -1 for a scalar. */
  public int feature(int parameter) {
    return parameter < margins * stride() ? parameter % stride() : -1;
  }

  /** theta with 0 for all coefficients of some features. */
  public double[] without(BitSet removed, double[] theta) {
    double[] kept = theta.clone();
    for (int k = 0; k < margins; k++) {
      for (int j = removed.nextSetBit(0); j >= 0; j = removed.nextSetBit(j + 1)) {
        kept[coefficient(k, j)] = 0;
      }
    }
    return kept;
  }

  /**
   * theta for other features: feature j of the result has the coefficients of feature {@code
   * sources[j]}, or 0 where that is negative; intercepts and scalars stay.
   */
  public double[] rearranged(int[] sources, double[] theta) {
    ParameterLayout other = new ParameterLayout(sources.length, intercept, margins, scalars);
    double[] result = new double[other.size()];
    for (int k = 0; k < margins; k++) {
      for (int j = 0; j < sources.length; j++) {
        result[other.coefficient(k, j)] = sources[j] < 0 ? 0 : theta[coefficient(k, sources[j])];
      }
      if (intercept) {
        result[other.intercept(k)] = theta[intercept(k)];
      }
    }
    for (int i = 0; i < scalars; i++) {
      result[other.scalar(i)] = theta[scalar(i)];
    }
    return result;
  }

  /** s = X v for row x; {@code outputs} has the length K. */
  public void apply(ExampleBlock block, int row, double[] v, double[] outputs) {
    int stride = stride();
    for (int k = 0; k < margins; k++) {
      int offset = k * stride;
      double dot = block.dot(row, v, offset);
      outputs[k] = intercept ? dot + v[offset + features] : dot;
    }
    for (int i = 0; i < scalars; i++) {
      outputs[margins + i] = v[margins * stride + i];
    }
  }

  /** |X| |v|, the sums of the absolute terms; a scalar is no sum and has 0. */
  public void absoluteTerms(ExampleBlock block, int row, double[] v, double[] terms) {
    int stride = stride();
    for (int k = 0; k < margins; k++) {
      int offset = k * stride;
      double dot = block.absoluteDot(row, v, offset);
      terms[k] = intercept ? dot + Math.abs(v[offset + features]) : dot;
    }
    for (int i = 0; i < scalars; i++) {
      terms[margins + i] = 0;
    }
  }

  /** sums += X'a; ends the row in {@code sums}. */
  public void addTransposed(ExampleBlock block, int row, double[] a, CompensatedVector sums) {
    int stride = stride();
    for (int k = 0; k < margins; k++) {
      int offset = k * stride;
      block.addScaledRow(row, a[k], sums, offset);
      if (intercept) {
        sums.add(offset + features, a[k]);
      }
    }
    for (int i = 0; i < scalars; i++) {
      sums.add(margins * stride + i, a[margins + i]);
    }
    sums.endRow(block.isDense());
  }

  /** sums += |X|'a, plainly; a must not be negative. */
  public void addAbsoluteTransposed(ExampleBlock block, int row, double[] a, double[] sums) {
    int stride = stride();
    for (int k = 0; k < margins; k++) {
      int offset = k * stride;
      block.addScaledAbsoluteRow(row, a[k], sums, offset);
      if (intercept) {
        sums[offset + features] += a[k];
      }
    }
    for (int i = 0; i < scalars; i++) {
      sums[margins * stride + i] += a[margins + i];
    }
  }
}

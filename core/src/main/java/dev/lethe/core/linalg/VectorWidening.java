package dev.lethe.core.linalg;

import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.Vector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Eight numbers at a time, on processors with vectors of eight doubles. */
final class VectorWidening extends Widening {
  private static final VectorSpecies<Double> DOUBLES = DoubleVector.SPECIES_512;
  private static final int LANES = DOUBLES.length();

  private VectorWidening() {}

  /** This one, or the other where vectors are shorter: HotSpot would only imitate it there. */
  static Widening or(Widening other) {
    return VectorShape.preferredShape() == VectorShape.S_512_BIT ? new VectorWidening() : other;
  }

  @Override
  public void widen(float[] source, int from, double[] target, int count) {
    int k = 0;
    for (; k + LANES <= count; k += LANES) {
      store(
          FloatVector.fromArray(FloatVector.SPECIES_256, source, from + k),
          VectorOperators.F2D,
          target,
          k);
    }
    for (; k < count; k++) {
      target[k] = source[from + k];
    }
  }

  @Override
  public void widen(short[] source, int from, double[] target, int count) {
    int k = 0;
    for (; k + LANES <= count; k += LANES) {
      store(
          ShortVector.fromArray(ShortVector.SPECIES_128, source, from + k),
          VectorOperators.S2D,
          target,
          k);
    }
    for (; k < count; k++) {
      target[k] = source[from + k];
    }
  }

  @Override
  public void widen(byte[] source, int from, double[] target, int count) {
    int k = 0;
    for (; k + LANES <= count; k += LANES) {
      store(
          ByteVector.fromArray(ByteVector.SPECIES_64, source, from + k),
          VectorOperators.B2D,
          target,
          k);
    }
    for (; k < count; k++) {
      target[k] = source[from + k];
    }
  }

  private static <E> void store(
      Vector<E> x, VectorOperators.Conversion<E, Double> conversion, double[] target, int at) {
    ((DoubleVector) x.convertShape(conversion, DOUBLES, 0)).intoArray(target, at);
  }
}

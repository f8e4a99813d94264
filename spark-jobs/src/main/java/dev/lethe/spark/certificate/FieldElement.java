package dev.lethe.spark.certificate;

/**
 * An element of the field of p = 2^127 - 1 elements, p prime; mutable, so that sums and products
 * over rows allocate nothing.
 */
final class FieldElement {
  private static final long LOW_63 = Long.MAX_VALUE;
  private static final long LOW_32 = 0xffffffffL;
  private static final long LOW_31 = 0x7fffffffL;

  // high 2^64 + low; between operations high, unsigned, is at most 2^63
  private long high;
  private long low;

  /** 0. */
  FieldElement() {}

  /**
   * @param high of high 2^64 + low, not negative
   */
  FieldElement(long high, long low) {
    set(high, low);
  }

  void set(long high, long low) {
    this.high = high;
    this.low = low;
  }

  void set(FieldElement other) {
    set(other.high, other.low);
  }

  /** The upper bits of the number in [0, p) that this is. */
  long high() {
    reduce();
    return high;
  }

  /** The lower 64 bits of the number in [0, p) that this is. */
  long low() {
    reduce();
    return low;
  }

  void add(FieldElement other) {
    other.reduce();
    add(other.high, other.low);
  }

  void subtract(FieldElement other) {
    other.reduce();
    add(LOW_63 ^ other.high, ~other.low); // p - x inverts its 127 bits
  }

  /**
   * Adds keys times signed values.
   *
   * @param keys each at 2 i the lower and at 2 i + 1 the upper 63 bits of a number below 2^126
   * @param at the i of each
   * @param from of {@code at} and {@code values}
   * @param to behind the last
   */
  void addProducts(long[] keys, int[] at, long[] values, int from, int to) {
    // the 32-bit quarters of the two sums of products, which do not overflow: no carry in the loop
    long a0 = 0;
    long a1 = 0;
    long a2 = 0;
    long a3 = 0;
    long b0 = 0;
    long b1 = 0;
    long b2 = 0;
    long b3 = 0;
    for (int i = from; i < to; i++) {
      long value = values[i];
      long a = keys[2 * at[i]];
      long b = keys[2 * at[i] + 1];
      long product = a * value;
      a0 += product & LOW_32;
      a1 += product >>> 32;
      product = Math.multiplyHigh(a, value);
      a2 += product & LOW_32;
      a3 += product >> 32;
      product = b * value;
      b0 += product & LOW_32;
      b1 += product >>> 32;
      product = Math.multiplyHigh(b, value);
      b2 += product & LOW_32;
      b3 += product >> 32;
    }
    addQuarters(a0, a1, a2, a3);
    rotate(64); // times 2^64, for what the upper bits add
    addQuarters(b0, b1, b2, b3);
    rotate(63); // 2^127 is 1
  }

  /** Adds a + 2^32 b + 2^64 c + 2^96 d; d may be negative. */
  private void addQuarters(long a, long b, long c, long d) {
    add(0, a);
    add(b >>> 32, b << 32);
    add(c, 0);
    if (d >= 0) {
      add((d & LOW_31) << 32, d >>> 31);
    } else {
      // minus x inverts the 127 bits of x
      add(LOW_63 ^ (-d & LOW_31) << 32, ~(-d >>> 31));
    }
  }

  /** Times 2^bits, bits 63 or 64. */
  private void rotate(int bits) {
    reduce();
    long upper = high;
    // the 127 bits are the 63 of high and the 64 of low
    if (bits == 63) {
      high = low >>> 1;
      low = low << 63 | upper;
    } else {
      high = low & LOW_63;
      low = upper << 1 | low >>> 63;
    }
  }

  /**
   * @param other may be this
   */
  void multiply(FieldElement other) {
    reduce();
    other.reduce();
    long a = high;
    long b = low;
    long c = other.high;
    long d = other.low;
    long first = b * d;
    // a and c < 2^63, so that two products and a carry are less than 2^128
    long second = unsignedMultiplyHigh(b, d);
    long third = 0;
    long term = a * d;
    long sum = second + term;
    third += carry(second, term, sum);
    second = sum;
    term = b * c;
    sum = second + term;
    third += carry(second, term, sum);
    second = sum;
    third += unsignedMultiplyHigh(a, d) + unsignedMultiplyHigh(b, c); // each < 2^63
    term = a * c;
    sum = third + term;
    long fourth = Math.multiplyHigh(a, c) + carry(third, term, sum);
    third = sum;
    set(second & LOW_63, first);
    add(fourth << 1 | third >>> 63, third << 1 | second >>> 63);
  }

  /**
   * @param moreHigh of what is added, less than 2^63
   */
  private void add(long moreHigh, long moreLow) {
    long sum = low + moreLow;
    long carries = carry(low, moreLow, sum);
    long top = high + moreHigh; // at most 2^64 - 1
    long over = top >>> 63;
    top = (top & LOW_63) + carries;
    over += top >>> 63;
    low = sum + over;
    high = (top & LOW_63) + carry(sum, over, low);
  }

  /** Makes it the number in [0, p). */
  private void reduce() {
    if (high < 0) { // 2^127
      high = 0;
      low = 1;
    } else if (high == LOW_63 && low == -1) {
      high = 0;
      low = 0;
    }
  }

  /** 1 where the unsigned a + b, of which {@code sum} is the lower 64 bits, exceeds them. */
  private static long carry(long a, long b, long sum) {
    return (a & b | (a | b) & ~sum) >>> 63;
  }

  /** From Java 18 on Math has it. */
  private static long unsignedMultiplyHigh(long a, long b) {
    return Math.multiplyHigh(a, b) + (a >> 63 & b) + (b >> 63 & a);
  }
}

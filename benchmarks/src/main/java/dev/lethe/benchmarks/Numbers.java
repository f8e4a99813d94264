package dev.lethe.benchmarks;

import java.util.SplittableRandom;

/** What the values of nonzeros are, and with them how blocks keep them. */
public enum Numbers {
  DOUBLE,
  FLOAT,
  SHORT,
  BYTE,
  ONE;

  double draw(SplittableRandom random) {
    return switch (this) {
      case DOUBLE -> random.nextDouble() - 0.5;
      case FLOAT -> (float) (random.nextDouble() - 0.5);
      case SHORT -> random.nextInt(-20_000, 20_000);
      case BYTE -> random.nextInt(-100, 100);
      case ONE -> 1;
    };
  }
}

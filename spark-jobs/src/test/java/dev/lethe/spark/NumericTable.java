package dev.lethe.spark;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;

/** A seeded table id, x0 ... x{d-1}, label, and models on it, for tests that count or repeat. */
final class NumericTable {
  private final int features;
  private final List<String> lines = new ArrayList<>();

  NumericTable(int rows, int features, long seed) {
    this.features = features;
    SplittableRandom random = new SplittableRandom(seed);
    for (int id = 0; id < rows; id++) {
      StringBuilder line = new StringBuilder(String.valueOf(id));
      double s = 0.2;
      for (int j = 0; j < features; j++) {
        double x = (1 + j) * random.nextGaussian();
        s += j % 2 == 0 ? 0.4 * x : -0.2 * x;
        line.append(',').append(x);
      }
      line.append(',').append(random.nextDouble() < 1 / (1 + Math.exp(-s)) ? 1 : 0);
      lines.add(line.toString());
    }
  }

  /** The row ids of a file are consecutive; its rows are shuffled by the seed, unless that is 0. */
  Path csv(Path directory, int files, long shuffle) {
    try {
      Files.createDirectories(directory);
      int size = (lines.size() + files - 1) / files;
      for (int f = 0; f < files; f++) {
        List<String> part =
            new ArrayList<>(lines.subList(f * size, Math.min(lines.size(), (f + 1) * size)));
        if (shuffle != 0) {
          Collections.shuffle(part, new Random(shuffle + f));
        }
        part.add(0, header());
        Files.write(directory.resolve(String.format("part-%02d.csv", f)), part);
      }
      return directory;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private String header() {
    StringBuilder header = new StringBuilder("id");
    for (int j = 0; j < features; j++) {
      header.append(",x").append(j);
    }
    return header + ",label";
  }

  List<String> featureNames() {
    return java.util.stream.IntStream.range(0, features).mapToObj(j -> "x" + j).toList();
  }
}

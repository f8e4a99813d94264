package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.DataChangedException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.Function2;

/**
 * The keyed digest of a multiset of examples: it does not depend on their order, their partitions
 * or on whether their blocks are stored dense or sparse.
 *
 * <p>In the field of p = 2^127 - 1 elements, let u(example) = k_1 label + k_2 weight + sum_j
 * k_{3+j} x_j, where a number stands for the 64 bits of its double (-0 among the entries for 0, all
 * NaN for one). The digest is
 *
 * <pre>HMAC-SHA256(vault key; d, n, product over the n examples of (z + u(example))).</pre>
 *
 * z = k_0 and the k_i are secret, derived from the vault key ({@link RowKeys}), which itself stays
 * on the driver.
 *
 * <p><b>Collisions.</b> Two given data sets of n rows that differ as multisets have the same
 * product with probability at most n 2^-125: their difference is a polynomial in z, k_1, k_2, ...
 * of degree at most n, and not 0, because its factors z + u are irreducible, those of different
 * examples differ, and polynomials over a field factor uniquely; Schwartz's lemma bounds its zeros
 * (docs/mathematics.md, section 12, has the proof and the sources). Whoever has the key can make
 * data sets that collide.
 *
 * <p><b>Secrecy.</b> Only the HMAC is kept: it says nothing beyond equality, even to somebody who
 * can have other data digested.
 *
 * <p>One pass without a shuffle; a task returns 16 bytes a digest. All digests of several data sets
 * that share rows come of one pass, in which a shared row is summed once.
 *
 * @param value 64 hexadecimal digits in lower case
 * @param rows number of rows
 */
@JsonPropertyOrder({"value", "rows"})
public record DataDigest(String value, long rows) {
  /** Of rows that are in every data set. */
  public static final int EVERY = -1;

  public DataDigest {
    Require.sha256(value, "digest of the data");
    Require.count(rows, "rows of the data");
  }

  /**
   * Digests examples with one Spark action.
   *
   * @param features d
   */
  public static DataDigest of(JavaRDD<ExampleBlock> blocks, int features, VaultKey key) {
    return of(List.of(blocks), List.of(EVERY), features, List.of(new BitSet()), key).get(0);
  }

  /**
   * The same of examples that have been counted.
   *
   * @param seen what the earlier passes saw
   * @throws DataChangedException if the examples are others now
   */
  public static DataDigest of(
      JavaRDD<ExampleBlock> blocks, int features, VaultKey key, Statistics seen) {
    List<BitSet> removed = List.of(new BitSet());
    List<Part> sums = sums(List.of(blocks), List.of(EVERY), features, removed, key);
    long rows = sums.stream().mapToLong(part -> part.rows).sum();
    long checksum = sums.stream().mapToLong(part -> part.checksum).sum();
    if (rows != seen.rows() || checksum != seen.checksum()) {
      throw new DataChangedException(seen.rows(), rows);
    }
    return of(sums, features, removed, key).get(0);
  }

  /**
   * The same of several data sets that share rows.
   *
   * @param parts of all of them
   * @param owners of each part the number of the data set that has its rows, or {@link #EVERY}
   * @param removed of each data set the columns that are zero, whatever the blocks have there
   */
  public static List<DataDigest> of(
      List<JavaRDD<ExampleBlock>> parts,
      List<Integer> owners,
      int features,
      List<BitSet> removed,
      VaultKey key) {
    return of(sums(parts, owners, features, removed, key), features, removed, key);
  }

  private static List<Part> sums(
      List<JavaRDD<ExampleBlock>> parts,
      List<Integer> owners,
      int features,
      List<BitSet> removed,
      VaultKey key) {
    int[] ownerOf =
        IntStream.range(0, owners.size())
            .flatMap(
                i -> IntStream.generate(() -> owners.get(i)).limit(parts.get(i).getNumPartitions()))
            .toArray();
    JavaRDD<ExampleBlock> blocks =
        JavaSparkContext.fromSparkContext(parts.get(0).context())
            .union(parts.<JavaRDD<ExampleBlock>>toArray(JavaRDD[]::new));
    List<BitSet> views = removed.stream().distinct().toList();
    return blocks
        .mapPartitionsWithIndex(
            new Products(key.derive("lethe/rows/2"), features, views, viewOf(removed), ownerOf),
            true)
        .collect();
  }

  private static int[] viewOf(List<BitSet> removed) {
    List<BitSet> views = removed.stream().distinct().toList();
    return removed.stream().mapToInt(views::indexOf).toArray();
  }

  private static List<DataDigest> of(
      List<Part> sums, int features, List<BitSet> removed, VaultKey key) {
    int[] viewOf = viewOf(removed);
    List<DataDigest> digests = new ArrayList<>();
    for (int k = 0; k < viewOf.length; k++) {
      FieldElement product = new FieldElement(0, 1);
      long rows = 0;
      for (Part part : sums) {
        if (part.owner == EVERY || part.owner == k) {
          int view = part.owner == EVERY ? viewOf[k] : 0;
          product.multiply(new FieldElement(part.products[2 * view], part.products[2 * view + 1]));
          rows += part.rows;
        }
      }
      String value =
          KeyedDigest.of(key, "examples")
              .putInt(features)
              .putLong(rows)
              .putLong(product.high())
              .putLong(product.low())
              .hex();
      digests.add(new DataDigest(value, rows));
    }
    return digests;
  }

  /** What a task returns; not a record, see {@link dev.lethe.core.aggregate.Point}. */
  private static final class Part implements Serializable {
    private static final long serialVersionUID = 1L;
    private final int owner;
    private final long rows;
    private final long checksum;
    // of every view, or of the owner's alone
    private final long[] products;

    Part(int owner, long rows, long checksum, long[] products) {
      this.owner = owner;
      this.rows = rows;
      this.checksum = checksum;
      this.products = products;
    }
  }

  /** A named class: its name, not a field, appears in plans and logs. */
  private static final class Products
      implements Function2<Integer, Iterator<ExampleBlock>, Iterator<Part>> {
    private static final long serialVersionUID = 1L;
    private final VaultKey key;
    private final int features;
    private final ArrayList<BitSet> views;
    private final int[] viewOf;
    private final int[] owners;

    Products(VaultKey key, int features, List<BitSet> views, int[] viewOf, int[] owners) {
      this.key = key;
      this.features = features;
      this.views = new ArrayList<>(views);
      this.viewOf = viewOf;
      this.owners = owners;
    }

    @Override
    public Iterator<Part> call(Integer partition, Iterator<ExampleBlock> blocks) {
      int owner = owners[partition];
      RowProducts products =
          new RowProducts(
              new RowKeys(key, features),
              owner == EVERY ? views : List.of(views.get(viewOf[owner])));
      long checksum = 0;
      while (blocks.hasNext()) {
        ExampleBlock block = blocks.next();
        products.add(block);
        checksum += block.checksum();
      }
      return List.of(new Part(owner, products.rows(), checksum, products.values())).iterator();
    }
  }
}

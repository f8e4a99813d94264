package dev.lethe.spark.operator;

import dev.lethe.core.linalg.PartialSum;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.spark.Partitioner;
import org.apache.spark.SparkConf;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.RDD;
import org.apache.spark.rdd.ShuffledRDD;
import org.apache.spark.serializer.JavaSerializer;
import org.apache.spark.serializer.Serializer;
import scala.Product2;
import scala.Tuple2;
import scala.jdk.javaapi.CollectionConverters;
import scala.math.Ordering$;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/**
 * Merges the sums of all partitions in the order of the partitions, in one Spark job.
 *
 * <p>{@code JavaRDD.reduce} and {@code treeAggregate} merge in the order of arrival, which changes
 * the last bits from run to run. Here small sums go straight to the driver, which merges each as
 * soon as its predecessors are there. Sums that together exceed {@value #DRIVER_BYTES} bytes are
 * cut into slices, ranges of coordinates of about {@value #SLICE_BYTES} bytes; executors merge the
 * slices of one range, again in the order of the partitions, and the driver joins the ranges. It
 * gets one sum then, whatever the number of partitions, an executor's task holds its own sum and a
 * few slices, and the bits are the same.
 */
public final class OrderedAggregation {
  static final long DRIVER_BYTES = 64L << 20;

  /** Small, since Spark looks at the memory of a sort only every 32 records. */
  private static final long SLICE_BYTES = 2L << 20;

  /** Far more than the classes' names, which go with each slice. */
  private static final long LEAST_SLICE_BYTES = 64L << 10;

  /** Of the slices that one task merges and sends. */
  private static final long RESULT_BYTES = 32L << 20;

  private OrderedAggregation() {}

  /**
   * Runs the task on every partition.
   *
   * @param zero the sum of nothing, which becomes the result
   */
  public static <S, A extends PartialSum<A>> A run(JavaRDD<S> blocks, PartTask<S, A> task, A zero) {
    int sums = blocks.getNumPartitions();
    return sums > 1 && zero.bytes() * sums > DRIVER_BYTES
        ? mergeSlices(blocks, task, zero)
        : mergeOnDriver(blocks.rdd(), task, zero);
  }

  private static <S, A extends PartialSum<A>> A mergeSlices(
      JavaRDD<S> blocks, PartTask<S, A> task, A zero) {
    int sums = blocks.getNumPartitions();
    int parallelism = blocks.context().defaultParallelism();
    long bytes = zero.bytes();
    int busy = (int) Math.min(parallelism, bytes / LEAST_SLICE_BYTES + 1);
    int tasks = Math.max(busy, (int) (bytes / RESULT_BYTES));
    int slices = (int) (bytes / SLICE_BYTES / tasks + 1) * tasks;
    RDD<Tuple2<Long, A>> cut =
        blocks
            .mapPartitionsWithIndex(
                (index, part) -> {
                  A sum = task.sum(index, part);
                  return IntStream.range(0, slices)
                      .mapToObj(k -> new Tuple2<>((long) k * sums + index, sum.slice(k, slices)))
                      .iterator();
                },
                true)
            .rdd();
    RDD<Product2<Long, A>> placed = shuffled(cut, new Ranges((long) slices / tasks * sums, tasks));
    runJob(
        placed,
        new SliceMerge<A>(sums),
        new AbstractFunction2<Object, List<Tuple2<Integer, A>>, BoxedUnit>() {
          @Override
          public synchronized BoxedUnit apply(Object index, List<Tuple2<Integer, A>> merged) {
            merged.forEach(slice -> zero.place(slice._2(), slice._1(), slices));
            return BoxedUnit.UNIT;
          }
        },
        List.class);
    return zero;
  }

  @SuppressWarnings("unchecked")
  private static <A> RDD<Product2<Long, A>> shuffled(RDD<Tuple2<Long, A>> cut, Partitioner ranges) {
    ClassTag<Long> key = ClassTag$.MODULE$.apply(Long.class);
    ClassTag<A> value = ClassTag$.MODULE$.apply(PartialSum.class);
    // Java's streams keep every object until they are reset, by default after 100: all slices
    SparkConf conf = cut.context().conf().clone().set("spark.serializer.objectStreamReset", "1");
    Serializer serializer = new JavaSerializer(conf);
    return (RDD<Product2<Long, A>>)
        (RDD<?>)
            new ShuffledRDD<Long, A, A>(cut, ranges, key, value, value)
                .setKeyOrdering(
                    Ordering$.MODULE$.comparatorToOrdering(Comparator.<Long>naturalOrder()))
                .setSerializer(serializer);
  }

  /** Neighbouring keys into one partition. */
  private static final class Ranges extends Partitioner {
    private static final long serialVersionUID = 1L;
    private final long keys;
    private final int partitions;

    /**
     * @param keys of one partition
     */
    Ranges(long keys, int partitions) {
      this.keys = keys;
      this.partitions = partitions;
    }

    @Override
    public int numPartitions() {
      return partitions;
    }

    @Override
    public int getPartition(Object key) {
      return (int) ((Long) key / keys);
    }
  }

  /** Merges runs of slices of one range; holds the merged ones and two more at a time. */
  private static final class SliceMerge<A extends PartialSum<A>>
      extends AbstractFunction2<
          TaskContext, scala.collection.Iterator<Product2<Long, A>>, List<Tuple2<Integer, A>>>
      implements Serializable {
    private static final long serialVersionUID = 1L;
    private final int sums;

    SliceMerge(int sums) {
      this.sums = sums;
    }

    @Override
    public List<Tuple2<Integer, A>> apply(
        TaskContext context, scala.collection.Iterator<Product2<Long, A>> inOrder) {
      List<Tuple2<Integer, A>> merged = new ArrayList<>();
      Iterator<Product2<Long, A>> slices = CollectionConverters.asJava(inOrder);
      while (slices.hasNext()) {
        Product2<Long, A> first = slices.next();
        A sum = first._2();
        for (int k = 1; k < sums; k++) {
          sum.merge(slices.next()._2());
        }
        merged.add(new Tuple2<>((int) (first._1() / sums), sum.sealed()));
      }
      return merged;
    }
  }

  private static <S, A extends PartialSum<A>> A mergeOnDriver(
      RDD<S> rdd, AbstractFunction2<TaskContext, scala.collection.Iterator<S>, A> task, A zero) {
    InOrder<A> result = new InOrder<>(rdd.getNumPartitions(), zero);
    runJob(rdd, task, result, PartialSum.class);
    return result.sum();
  }

  private static <S, R> void runJob(
      RDD<S> rdd,
      AbstractFunction2<TaskContext, scala.collection.Iterator<S>, R> task,
      AbstractFunction2<Object, R, BoxedUnit> handler,
      Class<?> type) {
    List<Object> all = new ArrayList<>();
    for (int k = 0; k < rdd.getNumPartitions(); k++) {
      all.add(k);
    }
    ClassTag<R> tag = ClassTag$.MODULE$.apply(type);
    rdd.context().runJob(rdd, task, CollectionConverters.asScala(all).toSeq(), handler, tag);
  }

  /** Merges results in the order of their indices, whatever the order of arrival. */
  private static final class InOrder<A extends PartialSum<A>>
      extends AbstractFunction2<Object, A, BoxedUnit> {
    private final Object[] waiting;
    private final A sum;
    private int next;

    InOrder(int partitions, A zero) {
      waiting = new Object[partitions];
      sum = zero;
    }

    // Spark calls the handler from one thread at a time, but not from the caller's.
    @Override
    @SuppressWarnings("unchecked")
    public synchronized BoxedUnit apply(Object index, A part) {
      waiting[(Integer) index] = part;
      while (next < waiting.length && waiting[next] != null) {
        sum.merge((A) waiting[next]);
        waiting[next++] = null;
      }
      return BoxedUnit.UNIT;
    }

    synchronized A sum() {
      if (next != waiting.length) {
        throw new IllegalStateException("partition " + next + " sent no sum");
      }
      return sum;
    }
  }
}

package dev.lethe.spark.operator;

import dev.lethe.core.aggregate.Aggregator;
import dev.lethe.core.model.ExampleBlock;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.Partitioner;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.RDD;
import scala.Tuple2;
import scala.jdk.javaapi.CollectionConverters;
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
 * first merged on executors, in groups of neighbours and in order, as often as it takes: the driver
 * gets that many bytes, or three sums where they are larger, whatever the number of partitions.
 */
final class OrderedAggregation {
  static final long DRIVER_BYTES = 64L << 20;

  private OrderedAggregation() {}

  static <T, A extends Aggregator<A>> A run(
      JavaRDD<ExampleBlock> blocks, PartitionSum<T, A> task, A zero) {
    int sums = blocks.getNumPartitions();
    if (fitsDriver(sums, zero)) {
      return mergeOnDriver(blocks.rdd(), task, sums, zero);
    }
    JavaPairRDD<Integer, A> level =
        blocks
            .mapPartitionsWithIndex(
                (index, part) ->
                    Collections.singletonList(new Tuple2<>(index, task.sum(part))).iterator(),
                true)
            .mapToPair(pair -> pair);
    while (!fitsDriver(sums, zero)) {
      int groupSize = (int) Math.ceil(Math.sqrt(sums));
      sums = (sums + groupSize - 1) / groupSize;
      level =
          level
              .repartitionAndSortWithinPartitions(new Neighbours(groupSize, sums))
              .mapPartitionsToPair(part -> merged(part, groupSize));
    }
    return mergeOnDriver(level.values().rdd(), new Only<>(), sums, zero);
  }

  private static boolean fitsDriver(int sums, Aggregator<?> zero) {
    return zero.bytes() * sums <= DRIVER_BYTES || sums < 4;
  }

  /** The sum of one group of neighbours, under the group's number; holds two sums at a time. */
  private static <A extends Aggregator<A>> Iterator<Tuple2<Integer, A>> merged(
      Iterator<Tuple2<Integer, A>> inOrder, int groupSize) {
    Tuple2<Integer, A> first = inOrder.next();
    A sum = first._2();
    while (inOrder.hasNext()) {
      sum.merge(inOrder.next()._2());
    }
    return Collections.singletonList(new Tuple2<>(first._1() / groupSize, sum.sealed())).iterator();
  }

  /** Sums with neighbouring numbers into one partition. */
  private static final class Neighbours extends Partitioner {
    private static final long serialVersionUID = 1L;
    private final int groupSize;
    private final int groups;

    Neighbours(int groupSize, int groups) {
      this.groupSize = groupSize;
      this.groups = groups;
    }

    @Override
    public int numPartitions() {
      return groups;
    }

    @Override
    public int getPartition(Object index) {
      return (Integer) index / groupSize;
    }
  }

  private static <S, A extends Aggregator<A>> A mergeOnDriver(
      RDD<S> rdd,
      AbstractFunction2<TaskContext, scala.collection.Iterator<S>, A> task,
      int partitions,
      A zero) {
    InOrder<A> result = new InOrder<>(partitions, zero);
    List<Object> all = new ArrayList<>(partitions);
    for (int k = 0; k < partitions; k++) {
      all.add(k);
    }
    ClassTag<A> tag = ClassTag$.MODULE$.apply(Aggregator.class);
    rdd.context().runJob(rdd, task, CollectionConverters.asScala(all).toSeq(), result, tag);
    return result.sum();
  }

  /** The one element of a partition. */
  private static final class Only<A>
      extends AbstractFunction2<TaskContext, scala.collection.Iterator<A>, A>
      implements Serializable {
    private static final long serialVersionUID = 1L;

    @Override
    public A apply(TaskContext context, scala.collection.Iterator<A> elements) {
      return elements.next();
    }
  }

  /** Merges results in the order of their indices, whatever the order of arrival. */
  private static final class InOrder<A extends Aggregator<A>>
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

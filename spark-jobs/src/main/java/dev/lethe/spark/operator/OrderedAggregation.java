package dev.lethe.spark.operator;

import dev.lethe.core.aggregate.Aggregator;
import dev.lethe.core.model.ExampleBlock;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import org.apache.spark.HashPartitioner;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.RDD;
import scala.Tuple2;
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
 * first merged on executors, in groups of neighbours and in order, so that neither the driver's
 * memory nor {@code spark.driver.maxResultSize} grows with the number of partitions.
 */
final class OrderedAggregation {
  static final long DRIVER_BYTES = 64L << 20;

  private OrderedAggregation() {}

  static <T, A extends Aggregator<A>> A run(
      JavaRDD<ExampleBlock> blocks, PartitionSum<T, A> task, A zero) {
    int partitions = blocks.getNumPartitions();
    if (zero.bytes() * partitions <= DRIVER_BYTES || partitions < 4) {
      return mergeOnDriver(blocks.rdd(), task, partitions, zero);
    }
    return mergeInGroups(blocks, task, partitions, zero);
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
    rdd.context()
        .runJob(
            rdd, task, scala.jdk.javaapi.CollectionConverters.asScala(all).toSeq(), result, tag);
    return result.sum();
  }

  private static <T, A extends Aggregator<A>> A mergeInGroups(
      JavaRDD<ExampleBlock> blocks, PartitionSum<T, A> task, int partitions, A zero) {
    int groupSize = (int) Math.ceil(Math.sqrt(partitions));
    int groups = (partitions + groupSize - 1) / groupSize;
    JavaPairRDD<Integer, Tuple2<Integer, A>> sums =
        blocks
            .mapPartitionsWithIndex(
                (index, part) -> {
                  Tuple2<Integer, A> sum = new Tuple2<>(index, task.sum(part));
                  return Collections.singletonList(new Tuple2<>(index / groupSize, sum)).iterator();
                },
                true)
            .mapToPair(pair -> pair);
    JavaRDD<A> merged =
        sums.partitionBy(new HashPartitioner(groups))
            .mapPartitions(
                part -> {
                  List<Tuple2<Integer, A>> group = new ArrayList<>();
                  part.forEachRemaining(pair -> group.add(pair._2()));
                  group.sort(Comparator.comparing(Tuple2::_1));
                  A sum = group.get(0)._2();
                  for (Tuple2<Integer, A> next : group.subList(1, group.size())) {
                    sum.merge(next._2());
                  }
                  return Collections.singletonList(sum.sealed()).iterator();
                });
    return mergeOnDriver(merged.rdd(), new Only<>(), groups, zero);
  }

  /** The one element of a partition. */
  private static final class Only<A>
      extends AbstractFunction2<TaskContext, scala.collection.Iterator<A>, A>
      implements java.io.Serializable {
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

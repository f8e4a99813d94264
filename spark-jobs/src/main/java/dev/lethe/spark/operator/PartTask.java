package dev.lethe.spark.operator;

import dev.lethe.core.linalg.PartialSum;
import java.io.Serializable;
import java.util.Iterator;
import org.apache.spark.TaskContext;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractFunction2;

/**
 * One task of a pass: the sum over a partition's blocks, in their order. Subclasses are named
 * classes: cleaning closures costs 1.5 ms a job.
 *
 * @param <S> a block
 */
public abstract class PartTask<S, A extends PartialSum<A>>
    extends AbstractFunction2<TaskContext, scala.collection.Iterator<S>, A>
    implements Serializable {
  private static final long serialVersionUID = 1L;

  @Override
  public final A apply(TaskContext context, scala.collection.Iterator<S> blocks) {
    return sum(context.partitionId(), CollectionConverters.asJava(blocks)).sealed();
  }

  /** Not sealed yet. */
  protected abstract A sum(int partition, Iterator<S> blocks);
}

package dev.lethe.benchmarks.endtoend;

import dev.lethe.core.aggregate.Point;
import dev.lethe.core.loss.LogisticLoss;
import dev.lethe.core.model.ExampleBlock;
import dev.lethe.core.model.SparseBlock;
import dev.lethe.spark.operator.DistributedExamples;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.spark.SparkContext;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.storage.StorageLevel;
import scala.jdk.javaapi.CollectionConverters;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;
import scala.runtime.AbstractFunction2;
import scala.runtime.BoxedUnit;

/**
 * What a pass costs where there is next to nothing to add up: one row of one entry a partition, in
 * the cache, beside a Spark job of as many tasks over the same partitions that does nothing.
 */
record PassCost(String study, List<Cost> costs) implements Study {
  private static final int[] SIZES = {100, 10_000, 100_000};
  private static final int MANY_TASKS_A_THREAD = 32;
  private static final int WARM_UPS = 100;
  private static final int ROUNDS = 51;

  /**
   * Seconds, medians.
   *
   * @param parameters p
   * @param tasks partitions
   * @param empty the job that does nothing
   */
  record Cost(
      int parameters,
      int tasks,
      Spread empty,
      Spread gradient,
      Spread measurement,
      Spread product) {}

  static PassCost measure(Sessions sessions) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(sessions.session().sparkContext());
    List<Cost> costs = new ArrayList<>();
    for (int p : SIZES) {
      costs.add(cost(context, p, sessions.threads(), WARM_UPS, ROUNDS));
    }
    int many = MANY_TASKS_A_THREAD * sessions.threads();
    costs.add(cost(context, SIZES[0], many, WARM_UPS, ROUNDS));
    return new PassCost("pass", List.copyOf(costs));
  }

  /** The four in turn, so that they share what else the machine does. */
  static Cost cost(JavaSparkContext context, int p, int tasks, int warmUps, int rounds) {
    JavaRDD<ExampleBlock> blocks =
        context
            .parallelize(Collections.nCopies(tasks, row(p - 1)), tasks)
            .persist(StorageLevel.MEMORY_AND_DISK());
    DistributedExamples examples = new DistributedExamples(blocks, p - 1, () -> "bench");
    double[] theta = new SplittableRandom(p).doubles(p, -1, 1).toArray();
    double[] direction = new SplittableRandom(~p).doubles(p, -1, 1).toArray();
    Point point = new Point(LogisticLoss.INSTANCE, p - 1, true, theta);
    List<Runnable> jobs =
        List.of(
            () -> empty(context.sc(), blocks),
            () -> examples.gradient(point),
            () -> examples.measure(point),
            () -> examples.hessianVector(point, direction));
    List<List<Double>> seconds = new ArrayList<>();
    jobs.forEach(job -> seconds.add(new ArrayList<>()));
    for (int round = -warmUps; round < rounds; round++) {
      for (int k = 0; k < jobs.size(); k++) {
        long begin = System.nanoTime();
        jobs.get(k).run();
        if (round >= 0) {
          seconds.get(k).add((System.nanoTime() - begin) / 1e9);
        }
      }
    }
    blocks.unpersist(true);
    List<Spread> spreads = seconds.stream().map(Spread::of).toList();
    return new Cost(p, tasks, spreads.get(0), spreads.get(1), spreads.get(2), spreads.get(3));
  }

  private static ExampleBlock row(int features) {
    return new SparseBlock(
        features,
        new int[] {0, 1},
        new int[] {0},
        new double[] {0.5},
        new double[] {1},
        new double[] {1});
  }

  private static void empty(SparkContext context, JavaRDD<ExampleBlock> blocks) {
    List<Object> all = new ArrayList<>();
    for (int k = 0; k < blocks.getNumPartitions(); k++) {
      all.add(k);
    }
    ClassTag<Object> tag = ClassTag$.MODULE$.Object();
    context.runJob(
        blocks.rdd(), new Nothing(), CollectionConverters.asScala(all).toSeq(), new Ignored(), tag);
  }

  private static final class Nothing
      extends AbstractFunction2<TaskContext, scala.collection.Iterator<ExampleBlock>, Object>
      implements Serializable {
    private static final long serialVersionUID = 1L;

    @Override
    public Object apply(TaskContext context, scala.collection.Iterator<ExampleBlock> blocks) {
      return 0;
    }
  }

  private static final class Ignored extends AbstractFunction2<Object, Object, BoxedUnit> {
    @Override
    public BoxedUnit apply(Object index, Object result) {
      return BoxedUnit.UNIT;
    }
  }

  @Override
  public String markdown() {
    StringBuilder text =
        new StringBuilder(
            "A pass over next to nothing, ms; in brackets as a multiple of an empty job of as many"
                + " tasks.\n\n| parameters | tasks | empty job | gradient | gradient with its"
                + " rounding bound | Hessian-vector product |\n|---|---|---|---|---|---|\n");
    for (Cost cost : costs) {
      text.append(
          "| %d | %d | %s | %s | %s | %s |\n"
              .formatted(
                  cost.parameters,
                  cost.tasks,
                  Report.fixed("%.2f", 1e3 * cost.empty.median()),
                  multiple(cost, cost.gradient),
                  multiple(cost, cost.measurement),
                  multiple(cost, cost.product)));
    }
    return text.toString();
  }

  private static String multiple(Cost cost, Spread pass) {
    return Report.fixed("%.2f", 1e3 * pass.median())
        + " ("
        + Report.fixed("%.2f", pass.median() / cost.empty.median())
        + ")";
  }
}

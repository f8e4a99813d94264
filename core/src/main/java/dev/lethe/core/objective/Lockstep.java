package dev.lethe.core.objective;

import dev.lethe.core.aggregate.Aggregator;
import dev.lethe.core.aggregate.GradientAggregator;
import dev.lethe.core.aggregate.GramAggregator;
import dev.lethe.core.aggregate.HessianSketchAggregator;
import dev.lethe.core.aggregate.HessianVectorAggregator;
import dev.lethe.core.aggregate.MarginCurvatureAggregator;
import dev.lethe.core.aggregate.MeasuredHessianAggregator;
import dev.lethe.core.aggregate.MeasurementAggregator;
import dev.lethe.core.aggregate.Point;
import dev.lethe.core.aggregate.SeveralSums;
import dev.lethe.core.aggregate.StatisticsAggregator;
import dev.lethe.core.aggregate.SumQuery;
import dev.lethe.core.loss.LossFunction;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.FutureTask;

/**
 * Solvers that share the passes over their data. Each runs on a thread of its own, as if it were
 * alone; one that asks for a sum waits until all that still run have asked for one, then they are
 * answered together. A solver that has ended is not waited for.
 *
 * <p>So K conjugate gradients become one of K right-hand sides, each with its own recurrence, and K
 * Newton iterations take as many passes as the longest of them. Nobody's numbers depend on whom it
 * shares a pass with.
 */
public final class Lockstep {
  /** Answers the questions of several solvers at once. */
  @FunctionalInterface
  public interface Passes {
    /**
     * The sums over each solver's examples.
     *
     * @param queries by the number of the solver that asks, at least one
     * @return in the order of the queries
     */
    List<Aggregator<?>> sums(SortedMap<Integer, SumQuery> queries);
  }

  private final int features;
  private final Passes passes;
  private SortedMap<Integer, Question> asked = new TreeMap<>();
  private int running;

  /**
   * @param features d
   */
  public Lockstep(int features, Passes passes) {
    this.features = features;
    this.passes = passes;
  }

  private record Question(SumQuery query, CompletableFuture<Aggregator<?>> answer) {}

  /** The examples of solver k. */
  public ExampleSums examples(int k) {
    return new Examples(k);
  }

  /**
   * Runs solvers to their ends.
   *
   * @param solvers solver k uses {@link #examples examples(k)}
   * @return what became of each, done
   */
  public <T> List<FutureTask<T>> run(List<Callable<T>> solvers) throws InterruptedException {
    synchronized (this) {
      running = solvers.size();
    }
    List<FutureTask<T>> tasks = new ArrayList<>();
    List<Thread> threads = new ArrayList<>();
    for (Callable<T> solver : solvers) {
      FutureTask<T> task =
          new FutureTask<>(
              () -> {
                try {
                  return solver.call();
                } finally {
                  leave();
                }
              });
      Thread thread = new Thread(task, "lethe-solver-" + tasks.size());
      thread.setDaemon(true);
      tasks.add(task);
      threads.add(thread);
    }
    threads.forEach(Thread::start);
    for (Thread thread : threads) {
      thread.join();
    }
    return tasks;
  }

  private Aggregator<?> ask(int k, SumQuery query) {
    Question question = new Question(query, new CompletableFuture<>());
    SortedMap<Integer, Question> round;
    synchronized (this) {
      asked.put(k, question);
      round = completeRound();
    }
    answer(round);
    try {
      return question.answer().join();
    } catch (CompletionException e) {
      throw Lockstep.<RuntimeException>asThrown(Objects.requireNonNull(e.getCause()));
    }
  }

  private void leave() {
    SortedMap<Integer, Question> round;
    synchronized (this) {
      running--;
      round = completeRound();
    }
    answer(round);
  }

  /** The questions if all that run have asked, else none. Holds the lock. */
  private SortedMap<Integer, Question> completeRound() {
    if (asked.size() < running) {
      return new TreeMap<>();
    }
    SortedMap<Integer, Question> round = asked;
    asked = new TreeMap<>();
    return round;
  }

  /** On the thread of whoever completed the round; all others wait, so no lock is held. */
  private void answer(SortedMap<Integer, Question> round) {
    if (round.isEmpty()) {
      return;
    }
    SortedMap<Integer, SumQuery> queries = new TreeMap<>();
    round.forEach((k, question) -> queries.put(k, question.query()));
    try {
      List<Aggregator<?>> sums = passes.sums(queries);
      int i = 0;
      for (Question question : round.values()) {
        question.answer().complete(sums.get(i++));
      }
    } catch (Throwable e) { // nobody may wait for ever
      round.values().forEach(question -> question.answer().completeExceptionally(e));
    }
  }

  /** What Scala throws may be checked and undeclared. */
  @SuppressWarnings("unchecked")
  private static <E extends Throwable> E asThrown(Throwable e) throws E {
    throw (E) e;
  }

  /** The examples of one solver. */
  private final class Examples implements ExampleSums {
    private final int k;

    Examples(int k) {
      this.k = k;
    }

    @Override
    public int features() {
      return features;
    }

    @Override
    public boolean sharesPasses() {
      return true;
    }

    /** Not answered: whoever makes the solvers has them. */
    @Override
    public StatisticsAggregator statistics(LossFunction loss) {
      throw new UnsupportedOperationException("statistics are taken before the solvers run");
    }

    @Override
    public GradientAggregator gradient(Point point) {
      return (GradientAggregator) ask(k, SumQuery.gradient(point));
    }

    @Override
    public MeasurementAggregator measure(Point point) {
      return (MeasurementAggregator) ask(k, SumQuery.measurement(point));
    }

    @Override
    public HessianVectorAggregator hessianVector(Point point, double[] direction) {
      return (HessianVectorAggregator) ask(k, SumQuery.hessianVector(point, direction));
    }

    @Override
    public HessianSketchAggregator hessianSketch(Point point, double[][] directions) {
      return (HessianSketchAggregator) ask(k, SumQuery.hessianSketch(point, directions));
    }

    @Override
    public GramAggregator gram(Point point) {
      return gram(point, 1);
    }

    @Override
    public MeasuredHessianAggregator measureWithHessian(Point point) {
      return (MeasuredHessianAggregator) ask(k, SumQuery.measuredHessian(point));
    }

    @Override
    public GramAggregator gram(Point point, double share) {
      return (GramAggregator) ask(k, SumQuery.gram(point, share));
    }

    @Override
    public MarginCurvatureAggregator marginCurvature(Point point) {
      return (MarginCurvatureAggregator) ask(k, SumQuery.marginCurvature(point));
    }

    /** Not answered: no solver asks for several sums. */
    @Override
    public SeveralSums several(List<SumQuery> queries) {
      throw new UnsupportedOperationException("one sum at a time");
    }
  }
}

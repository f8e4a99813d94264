package dev.lethe.spark.job;

import dev.lethe.core.model.ParameterLayout;
import dev.lethe.core.model.Statistics;
import dev.lethe.core.objective.Lockstep;
import dev.lethe.core.solver.LinearSolver;
import dev.lethe.core.unlearn.UnlearningResult;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkFailedException;
import dev.lethe.spark.WithholdingRows;
import dev.lethe.spark.certificate.Evidence;
import dev.lethe.spark.ml.LinearModel;
import dev.lethe.spark.request.Corrections;
import dev.lethe.spark.request.Method;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.stream.IntStream;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.storage.StorageLevel;
import org.jspecify.annotations.Nullable;

/**
 * Several requests about one model and one original table, each answered as if it were the only
 * one. The table is read once for all of them and every pass serves all that need one; a request
 * that is refused does not keep the others from an answer.
 *
 * <p>By itself, with a reading of its own, is answered what cannot share rows: a closed form, a
 * featurizer that is fitted again or changed, and a request that touches so many rows that as many
 * copies of them as there are requests would exceed the table.
 */
final class IndependentCorrections {
  /** What the solvers of requests that share passes may hold at a time, on the driver. */
  private static final long SOLVER_BYTES = 1L << 30;

  private final List<ModelCorrection> corrections;
  private final Progress progress;

  /** Told of every request once, by its number, in no order, by several threads at a time. */
  interface Listener {
    /** The model is closed afterwards. */
    void answered(int request, CorrectedModel model) throws IOException;

    void refused(int request, InvalidInputException reason);
  }

  /**
   * @param corrections that differ in the request only, of an original table
   */
  IndependentCorrections(List<ModelCorrection> corrections, Progress progress) {
    this.corrections = List.copyOf(corrections);
    this.progress = progress;
  }

  /** A request that shares passes. */
  private record Member(int request, ModelCorrection correction, RequestedChange change) {}

  /**
   * Answers all requests.
   *
   * @throws SparkFailedException if Spark fails; what was not answered by then is not
   */
  void run(Listener listener) throws IOException {
    List<Integer> alone = new ArrayList<>();
    List<Member> members = new ArrayList<>();
    for (int i = 0; i < corrections.size(); i++) {
      ModelCorrection correction = corrections.get(i);
      try {
        RequestedChange change = correction.checked();
        if (correction.request().method() == Method.REFINED && change.sharesRows()) {
          members.add(new Member(i, correction, change));
        } else {
          alone.add(i);
        }
      } catch (InvalidInputException e) {
        listener.refused(i, e);
      }
    }
    members = sharing(members, alone, listener);
    if (members.size() == 1) {
      alone.add(members.get(0).request());
    } else if (!members.isEmpty()) {
      answer(members, listener);
    }
    for (int i : alone) {
      ModelCorrection correction = corrections.get(i);
      try (CorrectedModel model =
          correction.run(
              Progress.onTerminal(
                  correction.spark(), "Lethe unlearn " + correction.request().id()))) {
        listener.answered(i, model);
      } catch (InvalidInputException e) {
        listener.refused(i, e);
      }
    }
  }

  /**
   * Those which may share rows; one pass over the columns of their conditions tells how many rows
   * each touches.
   *
   * @param alone gets the others
   */
  private List<Member> sharing(List<Member> members, List<Integer> alone, Listener listener) {
    List<Member> changing =
        new ArrayList<>(members.stream().filter(m -> m.change().changesRows()).toList());
    if (changing.isEmpty()) {
      return members;
    }
    progress.phase("matching the requests' rows");
    long[] touched = touchedRows(members, changing, listener);
    List<Integer> ascending =
        IntStream.range(0, changing.size())
            .boxed()
            .sorted(Comparator.comparingLong(i -> touched[i]))
            .toList();
    long copied = 0;
    for (int i : ascending) {
      copied += touched[i] * members.size();
      if (copied > touched[changing.size()]) {
        members.remove(changing.get(i));
        alone.add(changing.get(i).request());
      }
    }
    return members;
  }

  /**
   * How many rows each touches, and how many there are. Those whose conditions fail on some row are
   * refused, and taken from both lists.
   */
  private long[] touchedRows(List<Member> members, List<Member> changing, Listener listener) {
    try {
      return touchedRows(changing);
    } catch (InvalidInputException e) {
      // each for itself says which
      for (Member member : List.copyOf(changing)) {
        try {
          member.change().inspect(progress, member.correction().place());
        } catch (InvalidInputException refusal) {
          changing.remove(member);
          members.remove(member);
          listener.refused(member.request(), refusal);
        }
      }
      return changing.isEmpty() ? new long[1] : touchedRows(changing);
    }
  }

  private static long[] touchedRows(List<Member> changing) {
    Dataset<Row> original = changing.get(0).change().originalTable();
    return SparkFailures.sanitized(
        changing.get(0).correction().place(),
        () -> Corrections.touchedRows(original, corrections(changing)));
  }

  private static List<Corrections> corrections(List<Member> members) {
    return members.stream().map(member -> member.change().corrections()).toList();
  }

  private void answer(List<Member> members, Listener listener) throws IOException {
    long begin = System.nanoTime();
    List<Member> changing = members.stream().filter(m -> m.change().changesRows()).toList();
    @Nullable Column touches = null;
    @Nullable Dataset<Row> touched = null;
    if (!changing.isEmpty()) {
      touches = Corrections.anyTouches(corrections(changing));
      touched =
          WithholdingRows.of(changing.get(0).change().originalTable().where(touches))
              .persist(StorageLevel.MEMORY_AND_DISK());
    }
    try {
      List<Member> inspected = new ArrayList<>();
      List<CorrectedRows.Found> found = new ArrayList<>();
      for (Member member : members) {
        try {
          RequestedChange change = touched == null ? member.change() : member.change().on(touched);
          found.add(change.inspect(progress, member.correction().place()));
          inspected.add(member);
        } catch (InvalidInputException e) {
          listener.refused(member.request(), e);
        }
      }
      if (!inspected.isEmpty()) {
        answer(inspected, found, touches, touched, begin, listener);
      }
    } finally {
      if (touched != null) {
        touched.unpersist(false);
      }
    }
  }

  private void answer(
      List<Member> inspected,
      List<CorrectedRows.Found> foundOfAll,
      @Nullable Column touches,
      @Nullable Dataset<Row> touched,
      long begin,
      Listener listener)
      throws IOException {
    ModelCorrection first = inspected.get(0).correction();
    Evidence.@Nullable Metrics before = first.metricsBefore();
    try (SharedRows rows = SharedRows.read(first, inspected.get(0).change(), touches, progress)) {
      List<Member> members = new ArrayList<>();
      List<CorrectedRows.Found> found = new ArrayList<>();
      for (int i = 0; i < inspected.size(); i++) {
        Member member = inspected.get(i);
        try {
          rows.add(member.change(), touched, inspected.size());
          members.add(member);
          found.add(foundOfAll.get(i));
        } catch (InvalidInputException e) {
          listener.refused(member.request(), e);
        }
      }
      SharedDigests digests = new SharedDigests(key -> rows.digests(touched, key));
      LinearModel model = first.model().linear();
      int together = together(members, rows);
      Lockstep lockstep = new Lockstep(model.features(), rows.sums());
      for (int from = 0; from < members.size(); from += together) {
        progress.phase("updating the parameters");
        SortedMap<Integer, CorrectedProblem> problems = new TreeMap<>();
        List<Callable<UnlearningResult>> solvers = new ArrayList<>();
        for (int k = from; k < Math.min(from + together, members.size()); k++) {
          Member member = members.get(k);
          try {
            CorrectedProblem problem = problem(member, rows, k, lockstep);
            problems.put(k, problem);
            Progress quiet = quiet(member);
            solvers.add(() -> member.correction().updated(problem, member.change(), quiet));
          } catch (InvalidInputException e) {
            listener.refused(member.request(), e);
          }
        }
        Iterator<FutureTask<UnlearningResult>> updates = run(lockstep, solvers).iterator();
        List<Workers.Task> releases = new ArrayList<>();
        problems.forEach(
            (k, problem) -> {
              FutureTask<UnlearningResult> update = updates.next();
              releases.add(
                  () ->
                      release(
                          members.get(k),
                          problem,
                          found.get(k),
                          update,
                          before,
                          digests.of(k),
                          begin,
                          listener));
            });
        Workers.run(releases);
      }
    }
  }

  private static void release(
      Member member,
      CorrectedProblem problem,
      CorrectedRows.Found found,
      FutureTask<UnlearningResult> update,
      Evidence.@Nullable Metrics before,
      ExampleDigests digests,
      long begin,
      Listener listener)
      throws IOException {
    try (CorrectedModel corrected =
        member
            .correction()
            .released(
                problem,
                member.change(),
                found,
                result(update),
                before,
                digests,
                quiet(member),
                begin)) {
      listener.answered(member.request(), corrected);
    } catch (InvalidInputException e) {
      listener.refused(member.request(), e);
    }
  }

  private static Progress quiet(Member member) {
    ModelCorrection correction = member.correction();
    return Progress.among(correction.spark(), "Lethe unlearn " + correction.request().id());
  }

  private static CorrectedProblem problem(
      Member member, SharedRows rows, int k, Lockstep lockstep) {
    ModelCorrection correction = member.correction();
    RequestedChange change = member.change();
    LinearModel model = change.model().linear();
    return CorrectedProblem.of(
        new CachedExamples(rows.blocks(k), lockstep.examples(k), () -> rows.storage(k)),
        rows.statistics(k),
        correction.columns(change),
        model,
        change.removedSlots(),
        null,
        ModelUpdate.rho(correction.request()),
        correction.place());
  }

  /** How many solvers the driver holds: with a factor each some matrices, else some vectors. */
  private static int together(List<Member> members, SharedRows rows) {
    ModelCorrection first = members.get(0).correction();
    long p = first.model().linear().layout().size();
    boolean factors = first.solver() == LinearSolver.CHOLESKY;
    for (int k = 0; first.solver() == null && k < members.size(); k++) {
      int free = free(members.get(k).change(), rows.statistics(k));
      factors |= LinearSolver.auto((int) p, free) == LinearSolver.CHOLESKY;
    }
    long bytes = factors ? 40 * p * p : 400 * p;
    return (int) Math.max(1, Math.min(1000, SOLVER_BYTES / Math.max(1, bytes)));
  }

  /** Coordinates that are not fixed. */
  private static int free(RequestedChange change, Statistics statistics) {
    ParameterLayout layout = change.model().linear().layout();
    int fixed = 0;
    for (int j = 0; j < layout.features(); j++) {
      if (change.removedSlots().get(j) || statistics.column(j).isConstant()) {
        fixed += layout.margins();
      }
    }
    return layout.size() - fixed;
  }

  private static List<FutureTask<UnlearningResult>> run(
      Lockstep lockstep, List<Callable<UnlearningResult>> solvers) throws IOException {
    try {
      return lockstep.run(solvers);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private static UnlearningResult result(FutureTask<UnlearningResult> update) throws IOException {
    try {
      return update.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    }
  }
}

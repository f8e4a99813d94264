package dev.lethe.core.solver;

import dev.lethe.core.linalg.LinearOperator;
import java.util.Comparator;
import java.util.Optional;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * Which preconditioner the solves of one run use.
 *
 * <p>How many products a better one saves is not known before they are made. So the diagonal is
 * used until its products have cost what the cheapest better one costs, then that one is made and
 * the solve goes on with it: whatever comes, this costs less than twice what the better of the two
 * choices would have cost from the start (the rent-or-buy argument), as far as the better one makes
 * no more products. It serves later points as well, until it too has cost as many products as
 * another.
 */
final class PreconditionerChoice {
  private final @Nullable Preconditioning asked;
  private Preconditioning kind = Preconditioning.JACOBI;
  private @Nullable Preconditioner made;
  private double @Nullable [] madeAt;
  private int products;

  /**
   * @param asked to be used from the start where it is offered; null for the rule above
   */
  PreconditionerChoice(@Nullable Preconditioning asked) {
    this.asked = asked;
  }

  /** Of the last solve. */
  Preconditioning kind() {
    return kind;
  }

  /** What takes the place of the diagonal, if anything. */
  @Nullable Preconditioner made() {
    return made;
  }

  /** Since the last one was made. */
  int products() {
    return products;
  }

  /** Makes one that an earlier run has found worth its cost, as it was made there. */
  void make(
      ConvexFunction<?> function,
      double[] point,
      LinearOperator a,
      Preconditioner cheap,
      Preconditioning of) {
    function.preconditionerOffers(point, a, cheap).stream()
        .filter(offer -> offer.kind() == of)
        .findFirst()
        .flatMap(offer -> offer.make().get())
        .ifPresent(
            better -> {
              made = better;
              kind = of;
            });
  }

  /** Goes on counting where an earlier run was. */
  void resume(int products) {
    this.products = products;
  }

  /**
   * Solves A x = b.
   *
   * @param cheap the diagonal
   * @param method with a limit of iterations
   * @param checked whether the residual is computed afresh at the end
   */
  ConjugateGradient.Result solve(
      ConvexFunction<?> function,
      double[] point,
      LinearOperator a,
      double[] b,
      Preconditioner cheap,
      IntFunction<ConjugateGradient> method,
      int maxIterations,
      boolean checked) {
    Preconditioner now = made == null ? cheap : made;
    Optional<PreconditionerOffer> offer = offer(function, point, a, cheap);
    if (offer.isEmpty()) {
      return counted(solve(method.apply(maxIterations), a, b, now, checked));
    }
    int rent = asked != null && made == null ? 0 : (int) Math.ceil(offer.get().cost()) - products;
    ConjugateGradient.Result begun = null;
    if (rent > 0) {
      begun = counted(solve(method.apply(Math.min(rent, maxIterations)), a, b, now, checked));
      if (begun.reason() != ConjugateGradient.StopReason.MAX_ITERATIONS
          || begun.iterations() == maxIterations) {
        return begun;
      }
    }
    Optional<Preconditioner> better = offer.get().make().get();
    madeAt = point;
    products = 0;
    if (better.isPresent()) {
      now = better.get();
      made = now;
      kind = offer.get().kind();
    }
    return begun == null
        ? counted(solve(method.apply(maxIterations), a, b, now, checked))
        : sum(
            begun,
            counted(
                method
                    .apply(maxIterations - begun.iterations())
                    .resume(a, b, now, begun, checked)));
  }

  /** The cheapest that is allowed, and not made of this point already. */
  private Optional<PreconditionerOffer> offer(
      ConvexFunction<?> function, double[] point, LinearOperator a, Preconditioner cheap) {
    if (asked == Preconditioning.JACOBI || point == madeAt) {
      return Optional.empty();
    }
    return function.preconditionerOffers(point, a, cheap).stream()
        .filter(offer -> asked == null || offer.kind() == asked)
        .min(Comparator.comparingDouble(PreconditionerOffer::cost));
  }

  private static ConjugateGradient.Result solve(
      ConjugateGradient method, LinearOperator a, double[] b, Preconditioner m, boolean checked) {
    return checked ? method.solve(a, b, m) : method.solveUnchecked(a, b, m);
  }

  private ConjugateGradient.Result counted(ConjugateGradient.Result result) {
    products += result.products();
    return result;
  }

  private static ConjugateGradient.Result sum(
      ConjugateGradient.Result begun, ConjugateGradient.Result end) {
    return new ConjugateGradient.Result(
        end.x(),
        begun.iterations() + end.iterations(),
        begun.products() + end.products(),
        end.residual(),
        end.relativeResidual(),
        end.reason());
  }
}

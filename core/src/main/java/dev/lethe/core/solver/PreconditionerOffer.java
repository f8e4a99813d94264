package dev.lethe.core.solver;

import java.util.Optional;
import java.util.function.Supplier;

/**
 * A preconditioner that is better than the diagonal, and what it takes to make it.
 *
 * @param cost in products of the Hessian with a vector
 * @param make empty where rounding allows none
 */
public record PreconditionerOffer(
    Preconditioning kind, double cost, Supplier<Optional<Preconditioner>> make) {}

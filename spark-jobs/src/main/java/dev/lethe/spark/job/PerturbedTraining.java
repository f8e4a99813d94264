package dev.lethe.spark.job;

import dev.lethe.core.certify.LossPerturbation;

/**
 * How {@code lethe train} perturbs the loss.
 *
 * @param mechanism the law of b and the claim that it is for
 * @param vault directory for b
 */
public record PerturbedTraining(LossPerturbation mechanism, String vault) {}

/**
 * What neural models need and linear ones do not: measures of what a model has memorised (Exposure,
 * SkewNormal). Uses linalg and solver only: a network is known here by its gradients and products.
 */
package dev.lethe.core.neural;

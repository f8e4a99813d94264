/**
 * A run's report for people: one HTML file that needs no network and no script.
 *
 * <p>What is confidential is decided by what a {@link dev.lethe.spark.report.Report} is made of,
 * not by how it is rendered: without evidence, request and old parameters there is nothing to leave
 * out.
 */
package dev.lethe.spark.report;

package dev.lethe.spark.job;

import org.jspecify.annotations.Nullable;

/**
 * What {@code lethe verify} is given.
 *
 * @param certificate the public certificate
 * @param model directory of the published model
 * @param vault the vault with the evidence, or null for the public checks alone
 * @param tables the data, before or after or both, with {@code vault}
 * @param label the table's label column, or null for the evidence's
 * @param request the request or requests, or null
 * @param originalModel directory of the old model, with {@code request}, or null
 * @param modelCertificate the certificate of {@code originalModel}, or null for the one beside it,
 *     if any
 * @param partitions 0 for the source's own
 */
public record VerifyOptions(
    String certificate,
    String model,
    @Nullable String vault,
    @Nullable GivenTables tables,
    @Nullable String label,
    @Nullable RequestSource request,
    @Nullable String originalModel,
    @Nullable String modelCertificate,
    int partitions) {}

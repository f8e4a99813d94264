package dev.lethe.spark.job;

import dev.lethe.spark.data.TableSource;
import org.jspecify.annotations.Nullable;

/**
 * What {@code lethe verify} is given.
 *
 * @param certificate the public certificate
 * @param model directory of the published model
 * @param vault the vault with the evidence, or null for the public checks alone
 * @param table the data, with {@code vault}
 * @param corrected whether {@code table} is the corrected data already
 * @param label the table's label column, or null for the evidence's
 * @param request the request file, or null
 * @param originalModel directory of the old model, with {@code request}, or null
 * @param partitions 0 for the source's own
 */
public record VerifyOptions(
    String certificate,
    String model,
    @Nullable String vault,
    @Nullable TableSource table,
    boolean corrected,
    @Nullable String label,
    @Nullable String request,
    @Nullable String originalModel,
    int partitions) {}

package dev.lethe.spark.certificate;

/**
 * One thing that was verified.
 *
 * @param name what was asked, for example {@code model digest}
 * @param passed whether it holds
 * @param detail the figures that were compared
 */
public record Check(String name, boolean passed, String detail) {}

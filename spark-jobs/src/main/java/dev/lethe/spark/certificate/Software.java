package dev.lethe.spark.certificate;

import com.fasterxml.jackson.annotation.JsonPropertyOrder;

/**
 * The versions that made a release.
 *
 * @param lethe version of Lethe
 * @param spark version of Apache Spark
 * @param jvm vendor and version of the Java virtual machine of the driver
 * @param os operating system and architecture of the driver
 */
@JsonPropertyOrder({"lethe", "spark", "jvm", "os"})
public record Software(String lethe, String spark, String jvm, String os) {
  public Software {
    Require.text(lethe, "software.lethe");
    Require.text(spark, "software.spark");
    Require.text(jvm, "software.jvm");
    Require.text(os, "software.os");
  }

  /** This JVM and operating system with the given versions. */
  public static Software running(String lethe, String spark) {
    return new Software(
        lethe,
        spark,
        System.getProperty("java.vendor") + " " + System.getProperty("java.version"),
        System.getProperty("os.name") + " " + System.getProperty("os.arch"));
  }
}

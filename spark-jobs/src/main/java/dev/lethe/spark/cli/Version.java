package dev.lethe.spark.cli;

import dev.lethe.spark.job.BuildInfo;
import picocli.CommandLine;

/** {@code lethe --version}. */
final class Version implements CommandLine.IVersionProvider {
  @Override
  public String[] getVersion() {
    return new String[] {"lethe " + BuildInfo.version()};
  }
}

package dev.lethe.spark.cli;

import picocli.CommandLine.Command;

/** What all commands have in common; the last mixin, so that help and version come last. */
@Command(
    sortOptions = false,
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    usageHelpWidth = 100,
    descriptionHeading = "%n",
    optionListHeading = "%n")
final class Standard {}

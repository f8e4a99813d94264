package dev.lethe.spark.api;

import dev.lethe.spark.InvalidInputException;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Messages of the jobs name options of the command line; here they are params and arguments. */
final class ParamNames {
  private static final Map<String, String> NAMES =
      Map.of(
          "--label", "labelCol",
          "--weight", "weightCol",
          "--reg-param", "regParam",
          "--max-steps", "maxSteps",
          "--max-cg-iterations", "maxCgIterations",
          "--gradient-norm", "gradientNorm",
          "--model-certificate", "modelCertificate",
          "--original-model", "originalModel",
          "--out", "path");

  private static final Pattern OPTION = Pattern.compile("--[a-z]+(?:-[a-z]+)*");

  private ParamNames() {}

  /** The same failure in the words of this package; an option of one word has its own name. */
  static InvalidInputException in(InvalidInputException e) {
    String message =
        OPTION
            .matcher(String.valueOf(e.getMessage()))
            .replaceAll(
                option ->
                    Matcher.quoteReplacement(
                        NAMES.getOrDefault(option.group(), option.group().substring(2))));
    InvalidInputException named = new InvalidInputException(message, e);
    for (Throwable suppressed : e.getSuppressed()) {
      named.addSuppressed(suppressed);
    }
    return named;
  }
}

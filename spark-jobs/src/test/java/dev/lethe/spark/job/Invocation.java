package dev.lethe.spark.job;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A command line under construction: options in order, each once. */
final class Invocation {
  private final String command;
  private final Map<String, String> options = new LinkedHashMap<>();
  private final List<String> flags = new ArrayList<>();

  Invocation(String command) {
    this.command = command;
  }

  static Invocation unlearn(Path model, Path data, Path request, Path out, Path vault) {
    return new Invocation("unlearn")
        .with("--model", model)
        .with("--data", data)
        .with("--request", request)
        .with("--out", out)
        .with("--vault", vault);
  }

  static Invocation train(Path data, String label, Path out) {
    return new Invocation("train").with("--data", data).with("--label", label).with("--out", out);
  }

  static Invocation verify(Path published) {
    return new Invocation("verify")
        .with("--certificate", published.resolve("certificate.json"))
        .with("--model", published.resolve("model"));
  }

  static Invocation apply(Path data, String label, Path request, Path out) {
    return new Invocation("apply")
        .with("--data", data)
        .with("--label", label)
        .with("--request", request)
        .with("--out", out);
  }

  static Invocation demo(Path directory) {
    return new Invocation("demo").with("--dir", directory);
  }

  Invocation with(String option, Object value) {
    options.put(option, value.toString());
    return this;
  }

  Invocation without(String option) {
    options.remove(option);
    return this;
  }

  Invocation flag(String flag) {
    flags.add(flag);
    return this;
  }

  Outcome run() {
    return Outcome.of(this);
  }

  Outcome run(Map<String, String> environment) {
    return Outcome.of(arguments(), environment);
  }

  List<String> arguments() {
    List<String> arguments = new ArrayList<>(List.of(command));
    options.forEach((option, value) -> arguments.addAll(List.of(option, value)));
    arguments.addAll(flags);
    return arguments;
  }
}

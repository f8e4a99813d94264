package dev.lethe.spark.it;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** A process that was started; its output goes into files that stay for whoever looks later. */
final class Submission {
  /** Far beyond what any of them takes: a hanging process must not hang the build. */
  private static final Duration LIMIT = Duration.ofMinutes(10);

  private final String name;
  private final Process process;
  private final Path output;
  private final Path errors;
  private final long begin = System.nanoTime();

  private Submission(String name, Process process, Path output, Path errors) {
    this.name = name;
    this.process = process;
    this.output = output;
    this.errors = errors;
  }

  /**
   * @param name of the files, without their ending
   */
  static Submission start(String name, Path folder, ProcessBuilder builder) throws IOException {
    Files.createDirectories(folder);
    Path output = folder.resolve(name + ".out");
    Path errors = folder.resolve(name + ".err");
    builder.redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()));
    builder.redirectOutput(output.toFile()).redirectError(errors.toFile());
    return new Submission(name, builder.start(), output, errors);
  }

  boolean isRunning() {
    return process.isAlive();
  }

  /** SIGTERM. */
  void terminate() {
    process.destroy();
  }

  /** SIGKILL, to it and to what it started. */
  void kill() throws InterruptedException {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly().waitFor();
  }

  /** SIGSTOP: it sleeps, its timers too, until {@link #wake}. */
  void sleep() throws IOException, InterruptedException {
    signal("STOP");
  }

  /** SIGCONT. */
  void wake() throws IOException, InterruptedException {
    signal("CONT");
  }

  private void signal(String signal) throws IOException, InterruptedException {
    if (!signal(signal, process.pid())) {
      throw new AssertionError(name + " does not run any more");
    }
  }

  /** Whether the process was there to get it. */
  static boolean signal(String signal, long pid) throws IOException, InterruptedException {
    return new ProcessBuilder("kill", "-" + signal, "" + pid).start().waitFor() == 0;
  }

  /** Waits until it has ended. */
  Result result() throws IOException, InterruptedException {
    if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
      kill();
      throw new AssertionError(name + " did not end within " + LIMIT + "\n" + read(errors));
    }
    double seconds = (System.nanoTime() - begin) / 1e9;
    System.out.printf("%s: exit code %d, %.1f s%n", name, process.exitValue(), seconds);
    return new Result(name, process.exitValue(), read(output), read(errors));
  }

  private static String read(Path file) throws IOException {
    return Files.readString(file, UTF_8);
  }

  /** What a process that has ended left behind. */
  record Result(String name, int exitCode, String output, String errors) {
    /** For assertion messages. */
    String described() {
      return name + "\n--- standard output\n" + output + "\n--- standard error\n" + errors;
    }
  }
}

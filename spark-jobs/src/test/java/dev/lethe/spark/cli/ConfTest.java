package dev.lethe.spark.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import dev.lethe.spark.metrics.LetheMetrics;
import dev.lethe.spark.metrics.LethePlugin;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.PodSecurityContext;
import io.fabric8.kubernetes.api.model.SecurityContext;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.batch.v1.CronJob;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.yaml.snakeyaml.Yaml;
import picocli.CommandLine;

/** The files in conf/, against the code, Kubernetes' types, and the programs that read them. */
class ConfTest {
  private static final Path CONF = root().resolve("conf");

  /** Unknown fields fail: Kubernetes' Java types would keep them. */
  private static final ObjectMapper STRICT =
      new ObjectMapper()
          .setAnnotationIntrospector(
              new JacksonAnnotationIntrospector() {
                private static final long serialVersionUID = 1L;

                @Override
                public Boolean hasAnySetter(Annotated annotated) {
                  return false;
                }
              });

  /** The fields of the operator's v1beta2 types that conf/ uses. */
  private record Scheduled(
      String apiVersion, String kind, ObjectMeta metadata, ScheduledSpec spec) {}

  private record ScheduledSpec(
      String schedule,
      Application template,
      Boolean suspend,
      Concurrency concurrencyPolicy,
      Integer successfulRunHistoryLimit,
      Integer failedRunHistoryLimit) {}

  private enum Concurrency {
    Allow,
    Forbid,
    Replace
  }

  private enum Restarts {
    Never,
    OnFailure,
    Always
  }

  private record RestartPolicy(
      Restarts type,
      Integer onSubmissionFailureRetries,
      Integer onFailureRetries,
      Long onSubmissionFailureRetryInterval,
      Long onFailureRetryInterval) {}

  private record Application(
      String type,
      String sparkVersion,
      String mode,
      String image,
      String imagePullPolicy,
      String mainClass,
      String mainApplicationFile,
      List<String> arguments,
      Map<String, String> sparkConf,
      RestartPolicy restartPolicy,
      Long timeToLiveSeconds,
      SparkPod driver,
      SparkPod executor) {}

  private record NamePath(String name, String path) {}

  private record SparkPod(
      Integer instances,
      Integer cores,
      String memory,
      String serviceAccount,
      String javaOptions,
      Map<String, String> labels,
      Map<String, String> annotations,
      List<NamePath> configMaps,
      List<EnvVar> env,
      PodSecurityContext podSecurityContext,
      SecurityContext securityContext) {}

  private static final Map<String, Class<?>> KINDS =
      Map.of(
          "ServiceAccount", ServiceAccount.class,
          "Role", Role.class,
          "RoleBinding", RoleBinding.class,
          "ConfigMap", ConfigMap.class,
          "NetworkPolicy", NetworkPolicy.class,
          "CronJob", CronJob.class,
          "ScheduledSparkApplication", Scheduled.class);

  @TempDir private Path directory;

  /** Every object of the manifests by kind; unknown kinds and fields fail. */
  private static Map<String, Object> kubernetes() throws IOException {
    Map<String, Object> objects = new HashMap<>();
    for (Path file : files("kubernetes", ".yaml")) {
      for (Object document : new Yaml().loadAll(Files.readString(file))) {
        JsonNode node = STRICT.valueToTree(document);
        String kind = node.required("kind").asText();
        assertThat(KINDS).as("kinds that are checked").containsKey(kind);
        objects.put(kind, STRICT.treeToValue(node, KINDS.get(kind)));
      }
    }
    return objects;
  }

  @Test
  void kubernetes_everyObject_isOfKubernetesTypes() throws IOException {
    assertThat(kubernetes().keySet()).isEqualTo(KINDS.keySet());
  }

  @Test
  void kubernetes_unknownField_isFound() {
    Map<String, Object> misspelt =
        Map.of("kind", "CronJob", "spec", Map.of("schedule", "* * * * *", "backofLimit", 3));
    assertThat(catchThrowable(() -> STRICT.convertValue(misspelt, CronJob.class)))
        .hasMessageContaining("backofLimit");
  }

  @Test
  void kubernetes_bothJobs_agreeAndAreCareful() throws IOException {
    Map<String, Object> objects = kubernetes();
    ScheduledSpec scheduled = ((Scheduled) objects.get("ScheduledSparkApplication")).spec();
    Application application = scheduled.template();
    var cron = ((CronJob) objects.get("CronJob")).getSpec();
    var pod = cron.getJobTemplate().getSpec().getTemplate();
    var container = pod.getSpec().getContainers().get(0);
    List<String> arguments = container.getArgs();

    assertThat(scheduled.concurrencyPolicy()).isEqualTo(Concurrency.Forbid);
    assertThat(cron.getConcurrencyPolicy()).isEqualTo("Forbid");
    assertThat(scheduled.schedule()).isEqualTo(cron.getSchedule()).matches("\\d+ \\d+ \\* \\* \\*");
    assertThat(application.mainClass()).isEqualTo(Lethe.class.getName());
    assertThat(arguments).containsSubsequence("--class", Lethe.class.getName());
    String jar = application.mainApplicationFile();
    assertThat(arguments.subList(arguments.indexOf(jar) + 1, arguments.size()))
        .isEqualTo(application.arguments());
    assertThat(application.image()).isEqualTo(container.getImage());
    application
        .sparkConf()
        .forEach((key, value) -> assertThat(arguments).contains(key + "=" + value));
    assertThat(application.sparkConf()).containsEntry("spark.plugins", LethePlugin.class.getName());
    // The image has what they name.
    String image = Files.readString(CONF.resolve("kubernetes/Dockerfile"));
    assertThat(image)
        .contains(" " + jar.replace("local://", "") + "\n")
        .contains("conf/metrics.properties")
        .contains("conf/log4j2-json.properties")
        .endsWith("USER 185\n");

    for (SparkPod one : List.of(application.driver(), application.executor())) {
      assertThat(one.podSecurityContext()).isEqualTo(pod.getSpec().getSecurityContext());
      assertThat(one.securityContext()).isEqualTo(container.getSecurityContext());
      assertThat(one.labels()).isEqualTo(pod.getMetadata().getLabels());
    }
    assertThat(pod.getSpec().getSecurityContext().getRunAsNonRoot()).isTrue();
    assertThat(pod.getSpec().getSecurityContext().getRunAsUser()).isEqualTo(185);
    assertThat(container.getSecurityContext().getAllowPrivilegeEscalation()).isFalse();
    assertThat(pod.getMetadata().getAnnotations())
        .isEqualTo(application.driver().annotations())
        .containsEntry("prometheus.io/path", servlet());
    assertThat(application.executor().env()).as("no executor gets a key").isNull();
    assertThat(container.getEnv()).containsAll(application.driver().env());
    assertThat(application.driver().env())
        .allMatch(one -> one.getValue() == null)
        .extracting(EnvVar::getName)
        .containsExactly("LETHE_VAULT_KEY", "LETHE_SIGNING_PASSWORD");

    ConfigMap config = (ConfigMap) objects.get("ConfigMap");
    NamePath mounted = application.driver().configMaps().get(0);
    assertThat(mounted.name())
        .isEqualTo(config.getMetadata().getName())
        .isEqualTo(pod.getSpec().getVolumes().get(0).getConfigMap().getName());
    assertThat(container.getVolumeMounts().get(0).getMountPath()).isEqualTo(mounted.path());
    assertThat(application.arguments())
        .contains(mounted.path() + "/" + config.getData().keySet().iterator().next());
    assertThat(((ServiceAccount) objects.get("ServiceAccount")).getMetadata().getName())
        .isEqualTo(application.driver().serviceAccount())
        .isEqualTo(pod.getSpec().getServiceAccountName());

    assertThat(
            cron.getJobTemplate()
                .getSpec()
                .getPodFailurePolicy()
                .getRules()
                .get(0)
                .getOnExitCodes()
                .getValues())
        .containsExactly(Lethe.FAILED, Lethe.INVALID_INPUT, Lethe.NOT_ACHIEVED, Lethe.CLAIM_BROKEN);
    understood(List.of(application.arguments()));
  }

  private static String servlet() throws IOException {
    return properties(CONF.resolve("metrics.properties"))
        .getProperty("*.sink.prometheusServlet.path");
  }

  @Test
  void metrics_sinksAndSources_exist() throws Exception {
    Properties metrics = properties(CONF.resolve("metrics.properties"));
    int classes = 0;
    for (String key : metrics.stringPropertyNames()) {
      if (key.endsWith(".class")) {
        Class.forName(metrics.getProperty(key));
        classes++;
      }
    }
    assertThat(classes).isEqualTo(3);
  }

  @Test
  void defaults_everySetting_isASettingAndAValue() throws IOException {
    List<String> settings =
        Files.readAllLines(CONF.resolve("spark-defaults.conf.template")).stream()
            .filter(line -> line.matches("# spark\\..*"))
            .toList();
    assertThat(settings)
        .hasSizeGreaterThan(15)
        .allMatch(line -> line.matches("# spark\\.[\\w.]+ +\\S.*"))
        .anyMatch(line -> line.endsWith(" " + LethePlugin.class.getName()))
        .anyMatch(line -> line.contains(LetheMetrics.FIGURES + " "));
  }

  @Test
  void log4jJson_loggers_areThoseOfThePlainLog() throws IOException {
    Properties plain = properties(CONF.resolve("log4j2.properties"));
    Properties json = properties(CONF.resolve("log4j2-json.properties"));
    assertThat(plain).hasSizeGreaterThan(20);
    for (Properties both : List.of(plain, json)) {
      both.keySet().removeIf(key -> key.toString().startsWith("appender.console.layout."));
    }
    assertThat(json).isEqualTo(plain);
  }

  @Test
  void files_all_areKnownAndMarked() throws IOException {
    Pattern mark = Pattern.compile("(?i)\\bnot (run|built|applied)\\b|was not run|\\bRun: ");
    for (Path file : files("", "")) {
      String name = CONF.relativize(file).toString();
      String text = Files.readString(file);
      assertThat(text).as(name).isNotBlank().endsWith("\n");
      if (name.contains("/")) {
        assertThat(mark.matcher(text).find()).as(name + ": says what was run").isTrue();
      }
      if (name.endsWith(".yaml")) {
        assertThat(new Yaml().loadAll(text)).as(name).isNotEmpty();
      } else if (name.endsWith(".properties")) {
        assertThat(properties(file)).as(name).isNotEmpty();
      } else {
        assertThat(name)
            .isIn(
                "spark-defaults.conf.template",
                "spark-defaults.conf", // whoever tries things out
                ".gitignore",
                "kubernetes/Dockerfile",
                "airflow/lethe_dag.py",
                "cron/lethe-nightly",
                "cron/lethe.cron",
                "cron/lethe.logrotate");
      }
    }
  }

  /** The commands of one night as a stand-in for {@code scripts/lethe} got them. */
  private Ended night(Map<String, Integer> codes, List<String> command) throws Exception {
    Files.createDirectories(directory.resolve("requests"));
    Files.writeString(directory.resolve("requests/r.yaml"), "");
    Path calls = directory.resolve("calls");
    Files.writeString(calls, "");
    StringBuilder ends = new StringBuilder();
    codes.forEach((name, code) -> ends.append("  %s) exit %d ;;\n".formatted(name, code)));
    Path lethe = directory.resolve("lethe");
    Files.writeString(
        lethe,
        "#!/usr/bin/env bash\necho \"$*\" >>'%s'\ncase $1 in\n%s  *) exit 0 ;;\nesac\n"
            .formatted(calls, ends));
    assertThat(lethe.toFile().setExecutable(true)).isTrue();
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("LETHE", lethe.toString());
    builder.environment().put("LETHE_CONFIG", "/etc/lethe/lethe.yaml");
    builder.environment().put("LETHE_REQUESTS", directory.resolve("requests").toString());
    builder.environment().put("LETHE_LEDGER", "hdfs:///lethe/churn");
    builder.environment().put("LETHE_RETRY_SECONDS", "0");
    builder.environment().put("LETHE_SECRETS", directory.resolve("none").toString());
    builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
    Process process = builder.start();
    String printed = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return new Ended(process.exitValue(), printed, Files.readAllLines(calls));
  }

  private record Ended(int code, String printed, List<String> calls) {
    List<String> commands() {
      return calls.stream().map(call -> call.split(" ")[0]).toList();
    }

    List<List<String>> arguments() {
      return calls.stream().map(call -> List.of(call.split(" "))).toList();
    }
  }

  private static List<String> nightly() {
    return List.of("bash", CONF.resolve("cron/lethe-nightly").toString());
  }

  @ParameterizedTest
  @CsvSource({
    "submit, 0, submit run verify status",
    "submit, 2, submit status",
    "run, 1, submit run status",
    "run, 2, submit run status",
    "run, 3, submit run status",
    "run, 5, submit run run run status",
    "verify, 4, submit run verify status",
    "verify, 5, submit run verify verify verify status"
  })
  void nightly_command_isRepeatedAfterFiveAlone(String command, int code, String calls)
      throws Exception {
    Ended night = night(Map.of(command, code), nightly());

    assertThat(night.commands()).as(night.printed()).containsExactly(calls.split(" "));
    assertThat(night.code()).isEqualTo(code);
    understood(night.arguments());
  }

  @Test
  void cron_line_runsTheScriptUnderALock() throws Exception {
    List<String> lines =
        Files.readAllLines(CONF.resolve("cron/lethe.cron")).stream()
            .filter(line -> line.matches("[\\d*].*"))
            .toList();
    assertThat(lines).hasSize(1);
    Matcher line =
        Pattern.compile(
                "(?<minute>\\d+) (?<hour>\\d+) \\* \\* \\* lethe (?<command>flock .*lethe-nightly)"
                    + " >>\\S+ 2>&1 \\|\\| echo .*")
            .matcher(lines.get(0));
    assertThat(line.matches()).as(lines.get(0)).isTrue();
    // What cron takes for a line's end.
    assertThat(lines.get(0)).doesNotContain("%");
    String lock = directory.resolve("lock").toString();
    String command =
        line.group("command")
            .replaceAll("/var/lock/\\S+", lock)
            .replace("/opt/lethe/conf/cron/lethe-nightly", nightly().get(1));
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/flock")), "flock is not installed");

    assertThat(night(Map.of(), List.of("bash", "-c", command)).code()).isZero();
    Ended locked = night(Map.of(), List.of("flock", lock, "bash", "-c", command));
    assertThat(locked.code()).isEqualTo(6);
    assertThat(locked.calls()).isEmpty();
  }

  /** Runs the DAG's tasks one by one, with what it imports of Airflow stood in for. */
  private static final String DRIVER =
      """
      import sys, types
      class AirflowException(Exception): pass
      class AirflowFailException(AirflowException): pass
      tasks, edges, settings = {}, [], {}
      class Task:
          def __init__(self, function): self.name = function.__name__
          def __rshift__(self, other):
              for one in other if isinstance(other, list) else [other]:
                  edges.append(self.name + '>' + one.name)
              return other
      def task(function=None, **options):
          if function is None: return lambda f: task(f, **options)
          tasks[function.__name__] = function
          return lambda: Task(function)
      def dag(**options):
          settings.update(options)
          return lambda function: function
      sdk = types.ModuleType('airflow.sdk'); sdk.dag, sdk.task = dag, task
      exceptions = types.ModuleType('airflow.exceptions')
      exceptions.AirflowException, exceptions.AirflowFailException = AirflowException, AirflowFailException
      sys.modules.update({'airflow': types.ModuleType('airflow'), 'airflow.sdk': sdk, 'airflow.exceptions': exceptions})
      sys.path.insert(0, sys.argv[1])
      import lethe_dag
      print('edges', *sorted(edges))
      print('settings', settings['catchup'], settings['max_active_runs'], settings['schedule'])
      for name, function in tasks.items():
          try:
              function()
              print(name, 'done', flush=True)
          except AirflowFailException: print(name, 'failed', flush=True)
          except AirflowException: print(name, 'repeat', flush=True)
      """;

  @ParameterizedTest
  @CsvSource({"0, done", "1, failed", "2, failed", "3, failed", "4, failed", "5, repeat"})
  void airflow_task_isRepeatedAfterFiveAlone(int code, String end) throws Exception {
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/python3")), "python3 is not installed");

    Ended night =
        night(
            Map.of("run", code),
            List.of("/usr/bin/python3", "-c", DRIVER, CONF.resolve("airflow").toString()));

    assertThat(night.code()).as(night.printed()).isZero();
    assertThat(night.printed().lines())
        .containsExactly(
            "edges run>status run>verify submit>run",
            "settings False 1 17 2 * * *",
            "submit done",
            "run " + end,
            "verify done",
            "status done");
    assertThat(night.commands()).containsExactly("submit", "run", "verify", "status");
    understood(night.arguments());
  }

  /** The command line knows what is asked of it, once it has the ledger's commands. */
  private static void understood(List<List<String>> commands) {
    assertThat(commands).isNotEmpty();
    if (!Lethe.commandLine().getSubcommands().containsKey("submit")) {
      return;
    }
    for (List<String> words : commands) {
      try {
        Lethe.commandLine().parseArgs(words.toArray(String[]::new));
      } catch (CommandLine.ParameterException e) {
        fail("lethe " + String.join(" ", words) + ": " + e, e);
      }
    }
  }

  private static Properties properties(Path file) throws IOException {
    Properties properties = new Properties();
    properties.load(new StringReader(Files.readString(file)));
    return properties;
  }

  private static TreeSet<Path> files(String folder, String end) throws IOException {
    try (Stream<Path> all = Files.walk(CONF.resolve(folder))) {
      return all.filter(file -> Files.isRegularFile(file) && file.toString().endsWith(end))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  private static Path root() {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.exists(folder.resolve("conf/log4j2.properties"))) {
      folder = folder.getParent();
    }
    return folder;
  }
}

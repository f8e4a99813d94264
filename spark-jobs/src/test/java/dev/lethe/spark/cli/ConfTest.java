package dev.lethe.spark.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import dev.lethe.spark.certificate.Check;
import dev.lethe.spark.certificate.SigningKey;
import dev.lethe.spark.certificate.VaultEncryption;
import dev.lethe.spark.job.Summary;
import dev.lethe.spark.metrics.LetheMetrics;
import dev.lethe.spark.metrics.LethePlugin;
import dev.lethe.spark.removal.Settings;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.PodSecurityContext;
import io.fabric8.kubernetes.api.model.SecurityContext;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.batch.v1.CronJob;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.regex.MatchResult;
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

  private enum SecretType {
    GCPServiceAccount,
    Generic,
    HadoopDelegationToken
  }

  private record SecretInfo(String name, String path, SecretType secretType) {}

  private record SparkPod(
      Integer instances,
      Integer cores,
      String memory,
      String serviceAccount,
      String javaOptions,
      Map<String, String> labels,
      Map<String, String> annotations,
      List<NamePath> configMaps,
      List<SecretInfo> secrets,
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
  private static Map<String, List<Object>> kubernetes() throws IOException {
    Map<String, List<Object>> objects = new HashMap<>();
    for (Path file : files("kubernetes", ".yaml")) {
      for (Object document : new Yaml().loadAll(Files.readString(file))) {
        JsonNode node = STRICT.valueToTree(document);
        String kind = node.required("kind").asText();
        assertThat(KINDS).as("kinds that are checked").containsKey(kind);
        objects
            .computeIfAbsent(kind, any -> new ArrayList<>())
            .add(STRICT.treeToValue(node, KINDS.get(kind)));
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

  /** The operator's applications by what they run. */
  private static Map<String, ScheduledSpec> scheduled() throws IOException {
    Map<String, ScheduledSpec> scheduled = new HashMap<>();
    for (Object one : kubernetes().get("ScheduledSparkApplication")) {
      Scheduled application = (Scheduled) one;
      String command = application.spec().template().arguments().get(0);
      assertThat(application.metadata().getName()).isEqualTo("lethe-" + command);
      assertThat(scheduled.put(command, application.spec())).as(command).isNull();
    }
    return scheduled;
  }

  /** What a container's environment says, but for what comes from the pod or a secret. */
  private static Map<String, String> settings(Container container) {
    Map<String, String> settings = new HashMap<>();
    container.getEnv().stream()
        .filter(one -> one.getValue() != null)
        .forEach(one -> settings.put(one.getName(), one.getValue()));
    return settings;
  }

  @Test
  void scheduled_commandsOfANight_differInCommandTimeAndSizeAlone() throws IOException {
    Map<String, ScheduledSpec> scheduled = scheduled();
    assertThat(scheduled.keySet()).containsExactlyInAnyOrder("submit", "run", "purge");
    List<Integer> hours = new ArrayList<>();
    for (String command : List.of("submit", "run", "purge")) {
      ScheduledSpec spec = scheduled.get(command);
      assertThat(spec.concurrencyPolicy()).isEqualTo(Concurrency.Forbid);
      Matcher time = Pattern.compile("17 (\\d+) \\* \\* \\*").matcher(spec.schedule());
      assertThat(time.matches()).as(spec.schedule()).isTrue();
      hours.add(Integer.valueOf(time.group(1)));
      Application one = spec.template();
      Application run = scheduled.get("run").template();
      assertThat(one)
          .usingRecursiveComparison()
          .ignoringFields("arguments", "executor.instances", "executor.cores", "executor.memory")
          .isEqualTo(run);
      assertThat(one.restartPolicy().type()).isEqualTo(Restarts.OnFailure);
      understood(List.of(one.arguments()));
    }
    assertThat(hours).isSorted().doesNotHaveDuplicates();
  }

  @Test
  void kubernetes_bothJobs_agreeAndAreCareful() throws IOException {
    Map<String, List<Object>> objects = kubernetes();
    objects.forEach(
        (kind, all) ->
            assertThat(all).as(kind).hasSize(kind.equals("ScheduledSparkApplication") ? 3 : 1));
    ScheduledSpec scheduled = scheduled().get("run");
    Application application = scheduled.template();
    var cron = ((CronJob) objects.get("CronJob").get(0)).getSpec();
    var pod = cron.getJobTemplate().getSpec().getTemplate();
    var container = pod.getSpec().getContainers().get(0);
    Map<String, String> settings = settings(container);
    List<String> arguments = List.of(settings.get("LETHE_SPARK_OPTS").split(" "));

    assertThat(cron.getConcurrencyPolicy()).isEqualTo("Forbid");
    assertThat(cron.getJobTemplate().getSpec().getActiveDeadlineSeconds())
        .as("a night that hangs is over before the next one")
        .isBetween(12 * 3600L, 24 * 3600L - cron.getStartingDeadlineSeconds());
    assertThat(scheduled.schedule()).isEqualTo(cron.getSchedule());
    assertThat(application.mainClass()).isEqualTo(Lethe.class.getName());
    String jar = application.mainApplicationFile();
    assertThat(settings).containsEntry("LETHE_JAR", jar);
    assertThat(application.image()).isEqualTo(container.getImage());
    assertThat(arguments)
        .contains("spark.kubernetes.container.image=" + application.image())
        .containsSubsequence("--deploy-mode", "client")
        .containsSubsequence("--driver-memory", application.driver().memory())
        .contains("spark.executor.instances=" + application.executor().instances())
        .contains("spark.executor.cores=" + application.executor().cores())
        .contains("spark.executor.memory=" + application.executor().memory())
        .contains("spark.executor.extraJavaOptions=" + application.executor().javaOptions());
    assertThat(settings)
        .containsEntry("SPARK_SUBMIT_OPTS", application.driver().javaOptions())
        .doesNotContainKey("LETHE_RETRY_SECONDS");
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
        .contains("COPY conf/cron/lethe-nightly /opt/lethe/conf/cron/\n")
        .contains("COPY scripts/lethe scripts/common.sh /opt/lethe/scripts/\n")
        .endsWith("USER 185\n");
    assertThat(container.getCommand()).containsExactly("/opt/lethe/conf/cron/lethe-nightly");
    assertThat(container.getArgs()).isEmpty();

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

    ConfigMap config = (ConfigMap) objects.get("ConfigMap").get(0);
    NamePath mounted = application.driver().configMaps().get(0);
    assertThat(mounted.name())
        .isEqualTo(config.getMetadata().getName())
        .isEqualTo(pod.getSpec().getVolumes().get(0).getConfigMap().getName());
    assertThat(container.getVolumeMounts().get(0).getMountPath()).isEqualTo(mounted.path());
    String file = "file://" + mounted.path() + "/" + config.getData().keySet().iterator().next();
    assertThat(application.arguments()).contains(file);
    assertThat(settings).containsEntry("LETHE_CONFIG", file);
    String inbox = scheduled().get("submit").template().arguments().get(4);
    assertThat(settings).containsEntry("LETHE_INBOX", inbox);
    Settings lethe =
        Settings.read(config.getData().values().iterator().next().getBytes(UTF_8), file);
    assertThat(settings).containsEntry("LETHE_LEDGER", lethe.ledger());
    SecretInfo keys = application.driver().secrets().get(0);
    assertThat(keys.secretType()).isEqualTo(SecretType.Generic);
    assertThat(keys.name())
        .isEqualTo(pod.getSpec().getVolumes().get(1).getSecret().getSecretName());
    assertThat(container.getVolumeMounts().get(1).getMountPath()).isEqualTo(keys.path());
    assertThat(container.getVolumeMounts())
        .extracting(VolumeMount::getName)
        .containsExactlyElementsOf(
            pod.getSpec().getVolumes().stream().map(Volume::getName).toList());
    assertThat(container.getVolumeMounts()).allMatch(VolumeMount::getReadOnly);
    assertThat(pod.getSpec().getVolumes().get(1).getSecret().getDefaultMode()).isEqualTo(0440);
    assertThat(application.executor().secrets()).as("no executor gets a key").isNull();
    String created = Files.readString(CONF.resolve("kubernetes/base.yaml"));
    for (String key :
        List.of(lethe.signing().keystore(), String.valueOf(settings.get("LETHE_PUBLIC_KEY")))) {
      assertThat(key).startsWith("file://" + keys.path() + "/");
      assertThat(created).contains("--from-file=" + key.replaceFirst(".*/", "") + "=");
    }
    assertThat(created).contains("generic " + keys.name() + " ");
    assertThat(settings).as("the keys are in the environment").containsEntry("LETHE_SECRETS", "");
    assertThat(((ServiceAccount) objects.get("ServiceAccount").get(0)).getMetadata().getName())
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
        .containsExactly(
            Lethe.FAILED, Lethe.INVALID_INPUT, Lethe.NOT_ACHIEVED, Lethe.CLAIM_BROKEN, Lethe.HELD);
  }

  /** With what the pod's environment says, the script gives spark-submit what is meant. */
  @Test
  void cronJob_itsEnvironment_isWhatTheScriptReads() throws Exception {
    Container container =
        ((CronJob) kubernetes().get("CronJob").get(0))
            .getSpec()
            .getJobTemplate()
            .getSpec()
            .getTemplate()
            .getSpec()
            .getContainers()
            .get(0);
    Map<String, String> settings = settings(container);
    String script =
        Files.readString(CONF.resolve("cron/lethe-nightly"))
            + Files.readString(CONF.resolveSibling("scripts/lethe"));
    for (String name : settings.keySet()) {
      assertThat(script).as(name).contains(name);
    }
    Path spark = Files.createDirectories(directory.resolve("spark/bin"));
    Path submit = spark.resolve("spark-submit");
    Files.writeString(submit, "#!/usr/bin/env bash\nprintf '%s\\n' \"$@\"\n");
    assertThat(submit.toFile().setExecutable(true)).isTrue();
    settings.put("SPARK_HOME", directory.resolve("spark").toString());

    ProcessBuilder builder =
        new ProcessBuilder(
                "bash", CONF.resolveSibling("scripts/lethe").toString(), "run", "--config", "x")
            .redirectErrorStream(true);
    builder.environment().putAll(settings);
    Process process = builder.start();
    List<String> words = new String(process.getInputStream().readAllBytes()).lines().toList();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();

    assertThat(process.exitValue()).as("%s", words).isZero();
    assertThat(words)
        .startsWith("--class", Lethe.class.getName())
        .containsSubsequence(settings.get("LETHE_SPARK_OPTS").split(" "))
        .endsWith(settings.get("LETHE_JAR"), "run", "--config", "x");
  }

  /** On the Environment page and in event logs, where YARN's cluster mode has them in settings. */
  @Test
  void redaction_everySecret_isHidden() throws IOException {
    String setting =
        Files.readAllLines(CONF.resolve("spark-defaults.conf.template")).stream()
            .filter(line -> line.startsWith("# spark.redaction.regex "))
            .map(line -> line.split(" +")[2])
            .collect(Collectors.joining());
    for (ScheduledSpec one : scheduled().values()) {
      assertThat(one.template().sparkConf()).containsEntry("spark.redaction.regex", setting);
    }
    for (String variable :
        List.of(
            VaultEncryption.KEY_VARIABLE,
            VaultEncryption.PASSWORD_VARIABLE,
            SigningKey.PASSWORD_VARIABLE)) {
      assertThat("spark.yarn.appMasterEnv." + variable).containsPattern(setting);
    }
  }

  /** Without one they are looked up where {@code fs.defaultFS} says, which may be HDFS. */
  @Test
  void paths_ofLethe_haveAScheme() throws IOException {
    Pattern variable =
        Pattern.compile(
            "LETHE_(?:CONFIG|INBOX|LEDGER|PUBLIC_KEY)(?:=|:-|\", \"|, value: \"?)"
                + "(?<path>[^\\s\"}]+)");
    Pattern file = Pattern.compile("(?<![\\w/:.])/[\\w/-]+/(?:lethe\\.yaml|[\\w-]+\\.(?:pem|p12))");
    List<String> paths = new ArrayList<>();
    Set<Path> texts = files("", "");
    texts.add(CONF.resolveSibling("docs/operations.md"));
    for (Path one : texts) {
      String text = Files.readString(one);
      assertThat(file.matcher(text).results().map(MatchResult::group))
          .as(CONF.relativize(one).toString())
          .isEmpty();
      variable.matcher(text).results().forEach(found -> paths.add(found.group(1)));
    }
    for (ScheduledSpec one : scheduled().values()) {
      List<String> words = one.template().arguments();
      paths.addAll(words.stream().filter(word -> word.contains("/")).toList());
    }
    assertThat(paths).hasSizeGreaterThan(12).allMatch(path -> path.matches("[a-z0-9]+:///?[^/].*"));
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

  /** More of the night's environment. */
  private final Map<String, String> environment = new HashMap<>();

  /** What the stand-in's verify prints. */
  private String checks = "";

  /** The command by which the stand-in hangs. */
  private String hanging = "none";

  private Path calls() {
    return directory.resolve("calls");
  }

  /** The commands of one night as a stand-in for {@code scripts/lethe} got them. */
  private Ended night(Map<String, Integer> codes, List<String> command) throws Exception {
    return ended(begin(codes, command));
  }

  private Process begin(Map<String, Integer> codes, List<String> command) throws Exception {
    Files.writeString(calls(), "");
    StringBuilder ends = new StringBuilder();
    codes.forEach((name, code) -> ends.append("  %s) exit %d ;;\n".formatted(name, code)));
    Path lethe = directory.resolve("lethe");
    Files.writeString(
        lethe,
        """
        #!/usr/bin/env bash
        echo "$*" >>'%s'
        echo "output of $1"
        echo "errors of $1" >&2
        [ -z "${LETHE_VAULT_KEY:-}" ] || echo "key $LETHE_VAULT_KEY"
        [ "$1" != verify ] || printf %%s '%s'
        if [ "$1" = %s ]; then
          trap 'echo "end of $1" >>"%s"; exit 143' TERM
          touch '%s'
          for _ in {1..300}; do sleep 0.1; done
        fi
        case $1 in
        %s
          *) exit 0 ;;
        esac
        """
            .formatted(calls(), checks, hanging, calls(), directory.resolve("ready"), ends));
    assertThat(lethe.toFile().setExecutable(true)).isTrue();
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("LETHE", lethe.toString());
    builder.environment().put("LETHE_CONFIG", "file:///etc/lethe/lethe.yaml");
    builder.environment().put("LETHE_INBOX", "file:///var/spool/lethe");
    builder.environment().put("LETHE_LEDGER", "hdfs:///lethe/churn");
    builder.environment().put("LETHE_RETRY_SECONDS", "0");
    builder.environment().put("LETHE_SECRETS", "");
    builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
    builder.environment().putAll(environment);
    return builder.start();
  }

  private Ended ended(Process process) throws Exception {
    String printed = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return new Ended(process.exitValue(), printed, Files.readAllLines(calls()));
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
    "submit, 0, submit run purge verify status",
    "submit, 2, submit run purge verify status",
    "run, 1, submit run purge verify status",
    "run, 3, submit run purge verify status",
    "run, 5, submit run run run purge verify status",
    "run, 6, submit run purge verify status",
    "purge, 2, submit run purge verify status",
    "verify, 4, submit run purge verify status",
    "verify, 5, submit run purge verify verify verify status",
    "status, 2, submit run purge verify status",
    "status, 5, submit run purge verify status status status"
  })
  void nightly_commandFails_isSeenAndTheOthersRun(String command, int code, String calls)
      throws Exception {
    Ended night = night(Map.of(command, code), nightly());

    assertThat(night.commands()).as(night.printed()).containsExactly(calls.split(" "));
    assertThat(night.code()).isEqualTo(code);
    if (code != 0) {
      assertThat(night.printed()).contains("lethe " + command + " ended with " + code);
    }
    understood(night.arguments());
  }

  @ParameterizedTest
  @CsvSource({"3, 4, 4", "3, 0, 3", "0, 0, 2"})
  void nightly_severalFail_endsWithTheGravest(int run, int verify, int code) throws Exception {
    Ended night = night(Map.of("submit", 2, "run", run, "verify", verify), nightly());

    assertThat(night.code()).as(night.printed()).isEqualTo(code);
    assertThat(night.printed()).contains("lethe submit ended with 2");
  }

  @Test
  void nightly_headOfTheNightBefore_mustBeInTheChain() throws Exception {
    Path head = directory.resolve("head");
    environment.put("LETHE_HEAD", head.toString());
    environment.put("LETHE_PUBLIC_KEY", "file:///etc/lethe/public.pem");
    String digest = "ab".repeat(32);
    checks = printed(chain(digest), RIGHT, UNFORCED);

    Ended first = night(Map.of(), nightly());
    Ended second = night(Map.of(), nightly());

    String signed = "verify --ledger hdfs:///lethe/churn --public-key file:///etc/lethe/public.pem";
    assertThat(first.calls()).contains(signed);
    assertThat(head).hasContent(digest);
    assertThat(second.calls()).contains(signed + " --head " + digest);
    understood(second.arguments());

    Check later = chain("cd".repeat(32));
    for (Check forced : List.of(UNFORCED, FORCED)) {
      checks = printed(later, WRONG, forced);
      Ended broken = night(Map.of("verify", 4), nightly());
      assertThat(broken.printed()).contains(checks);
      assertThat(broken.code()).isEqualTo(4);
      assertThat(head)
          .as("a chain that does not verify is not the one to go on from")
          .hasContent(digest);
    }

    checks = printed(later, RIGHT, FORCED);
    Ended forced = night(Map.of("verify", 4), nightly());
    assertThat(forced.code()).isEqualTo(4);
    assertThat(head).as("of a chain that is whole").hasContent("cd".repeat(32));

    environment.put("LETHE_HEAD", directory.resolve("nowhere/head").toString());
    Ended unwritten = night(Map.of(), nightly());
    assertThat(unwritten.code()).isNotZero();
    assertThat(unwritten.printed()).contains("the head cannot be noted down");
  }

  private static final Check RIGHT = new Check("certificate of version 1", true, "is the one");
  private static final Check WRONG = new Check("certificate of version 1", false, "is missing");
  private static final Check UNFORCED =
      new Check("no version in use holds what was unlearned", true, "none");
  private static final Check FORCED =
      new Check("no version in use holds what was unlearned", false, "it was rolled back by force");

  private static Check chain(String digest) {
    return new Check("chain is whole", true, "9 entries, the last has digest " + digest);
  }

  /** As {@code lethe verify} prints them. */
  private static String printed(Check... checks) {
    StringWriter text = new StringWriter();
    Summary.of(List.of(checks)).print(new PrintWriter(text));
    return text.toString();
  }

  @Test
  void nightly_secrets_areReadOrTheNightFails() throws Exception {
    Path secrets = directory.resolve("secrets");
    environment.put("LETHE_SECRETS", secrets.toString());

    Ended missing = night(Map.of(), nightly());
    assertThat(missing.code()).isEqualTo(2);
    assertThat(missing.printed()).contains("cannot read " + secrets);
    assertThat(missing.calls()).isEmpty();

    Files.writeString(secrets, "LETHE_VAULT_KEY=0123\n");
    Ended found = night(Map.of(), nightly());
    assertThat(found.code()).isZero();
    assertThat(found.printed()).contains("key 0123");
  }

  @ParameterizedTest
  @CsvSource({"submit, 1", "run, 2", "verify, 4", "status, 5"})
  void nightly_isEnded_endsTheCommandAtWork(String command, int calls) throws Exception {
    hanging = command;
    Process process = begin(Map.of(), nightly());
    Path ready = directory.resolve("ready");
    while (!Files.exists(ready) && process.isAlive()) {
      Thread.sleep(20);
    }
    process.toHandle().destroy(); // the process's own would close its output
    Ended night = ended(process);

    assertThat(night.code()).as(night.printed()).isEqualTo(143);
    assertThat(night.calls()).hasSize(calls + 1).endsWith("end of " + command);
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
                "(?<minute>\\d+) (?<hour>\\d+) \\* \\* \\* lethe"
                    + " (?<command>flock .* timeout --kill-after=5m 18h \\S*lethe-nightly)"
                    + " >>\\S+ 2>&1 \\|\\| echo .*")
            .matcher(lines.get(0));
    assertThat(line.matches()).as(lines.get(0)).isTrue();
    // What cron takes for a line's end.
    assertThat(lines.get(0)).doesNotContain("%");
    String lock = directory.resolve("lock").toString();
    String command =
        line.group("command")
            .replaceAll("/var/lib/lethe/\\S+", lock)
            .replace("/opt/lethe/conf/cron/lethe-nightly", nightly().get(1));
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/flock")), "flock is not installed");

    assertThat(night(Map.of(), List.of("bash", "-c", command)).code()).isZero();
    Ended locked = night(Map.of(), List.of("flock", lock, "bash", "-c", command));
    assertThat(locked.code()).isEqualTo(6);
    assertThat(locked.calls()).isEmpty();

    hanging = "submit";
    Ended late = night(Map.of(), List.of("bash", "-c", command.replace(" 18h ", " 2s ")));
    assertThat(late.code()).isEqualTo(124);
    assertThat(late.calls()).hasSize(2).endsWith("end of submit");
  }

  /** What cron does not inherit, and folders that a reboot leaves. */
  @Test
  void cron_table_namesWhatTheNightNeeds() throws IOException {
    String cron = Files.readString(CONF.resolve("cron/lethe.cron"));
    for (String name : List.of("JAVA_HOME", "SPARK_HOME", "HADOOP_CONF_DIR", "LETHE_SPARK_OPTS")) {
      assertThat(cron).containsPattern("(?m)^#?" + name + "=");
    }
    String folders =
        "install -d -o lethe -g lethe -m 0700 /var/lib/lethe /var/log/lethe /var/spool/lethe";
    assertThat(cron).contains(folders + "\n");
    assertThat(Files.readString(CONF.resolveSibling("docs/operations.md")))
        .contains(folders + "\n");
    assertThat(cron).doesNotContain("/var/lock", "/run/");
  }

  /** Runs the DAG's tasks one by one, with what it imports of Airflow stood in for. */
  private static final String DRIVER =
      """
      import contextlib, io, signal, sys, types
      class AirflowException(Exception): pass
      class AirflowFailException(AirflowException): pass
      tasks, edges, settings, rules = {}, [], {}, []
      class Task:
          def __init__(self, function): self.name = function.__name__
          def __rshift__(self, other):
              for one in other if isinstance(other, list) else [other]:
                  edges.append(self.name + '>' + one.name)
              return other
      def task(function=None, **options):
          if function is None: return lambda f: task(f, **options)
          tasks[function.__name__] = function
          rules.append(function.__name__ + ':' + options.get('trigger_rule', 'all_success'))
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
      print('rules', *rules)
      print('settings', settings['catchup'], settings['max_active_runs'], settings['schedule'])
      print('hours', settings['dagrun_timeout'], settings['default_args']['execution_timeout'])
      class Deadline(BaseException): pass
      def deadline(*_): raise Deadline()
      signal.signal(signal.SIGALRM, deadline)
      for name, function in tasks.items():
          # as Airflow 2 has it: the log is what Python prints
          log = io.StringIO()
          if name == sys.argv[2]: signal.alarm(2)
          try:
              with contextlib.redirect_stdout(log): function()
              end = 'done'
          except AirflowFailException: end = 'failed'
          except AirflowException: end = 'repeat'
          except Deadline: end = 'ended'
          signal.alarm(0)
          print(name, end, *log.getvalue().splitlines(), sep=', ', flush=True)
      """;

  private static List<String> airflow(String hanging) {
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/python3")), "python3 is not installed");
    return List.of("/usr/bin/python3", "-c", DRIVER, CONF.resolve("airflow").toString(), hanging);
  }

  @ParameterizedTest
  @CsvSource({
    "0, done",
    "1, failed",
    "2, failed",
    "3, failed",
    "4, failed",
    "5, repeat",
    "6, failed"
  })
  void airflow_task_isRepeatedAfterFiveAlone(int code, String end) throws Exception {
    Ended night = night(Map.of("run", code), airflow("none"));

    assertThat(night.code()).as(night.printed()).isZero();
    assertThat(night.printed().lines())
        .containsExactly(
            "edges purge>succeeded purge>verify run>purge run>succeeded status>succeeded"
                + " submit>run submit>succeeded verify>status verify>succeeded",
            "rules submit:all_success run:all_done purge:all_done verify:all_done status:all_done"
                + " succeeded:all_success",
            "settings False 1 17 2 * * *",
            "hours 22:00:00 12:00:00",
            "submit, done, output of submit, errors of submit",
            "run, " + end + ", output of run, errors of run",
            "purge, done, output of purge, errors of purge",
            "verify, done, output of verify, errors of verify",
            "status, done, output of status, errors of status",
            "succeeded, done");
    assertThat(night.commands()).containsExactly("submit", "run", "purge", "verify", "status");
    understood(night.arguments());
  }

  @Test
  void airflow_taskIsEnded_endsItsCommand() throws Exception {
    hanging = "run";
    Ended night = night(Map.of(), airflow("run"));

    assertThat(night.code()).as(night.printed()).isZero();
    assertThat(night.printed()).contains("run, ended, output of run").contains("purge, done");
    assertThat(night.calls().get(2)).isEqualTo("end of run");
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

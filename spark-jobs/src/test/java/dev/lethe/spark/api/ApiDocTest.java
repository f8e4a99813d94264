package dev.lethe.spark.api;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.Verdict;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.sql.SparkSession;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The examples of docs/api.md: compiled, and run. */
@ExtendWith(LocalSpark.class)
class ApiDocTest {
  @TempDir Path directory;

  @Test
  void javaExample_inTheDocument_isTheOneThatRuns() throws Exception {
    String source =
        Files.readString(
            root().resolve("spark-jobs/src/test/java/dev/lethe/spark/api/JavaExample.java"));
    String body =
        source.substring(
            source.indexOf("// example begins\n") + "// example begins\n".length(),
            source.indexOf("      // example ends"));

    assertThat(block("java")).isEqualTo(body.stripTrailing().stripIndent() + "\n}\n");

    Certificate certificate = JavaExample.forget(LocalSpark.session(), directory.toString());
    assertThat(certificate.verdict()).isEqualTo(Verdict.CERTIFIED);
    assertThat(certificate.zeroCoefficients()).containsExactly(2);
    assertThat(PipelineModel.load(directory.resolve("shop/model").toString()).uid()).isNotEmpty();
  }

  /** The block is the body of a method that has a session: what a notebook has. */
  @Test
  void scalaExample_inTheDocument_compilesAndRuns() throws Exception {
    Path source = directory.resolve("ScalaExample.scala");
    Path classes = Files.createDirectory(directory.resolve("classes"));
    Files.writeString(
        source,
        "object ScalaExample {\n"
            + "def forget(spark: org.apache.spark.sql.SparkSession): AnyRef = {\n"
            + block("scala")
            + "certificate\n}\n}\n");

    scala.tools.nsc.Main.process(
        new String[] {
          "-usejavacp", "-Xfatal-warnings", "-deprecation", "-d", classes.toString(), "" + source
        });

    assertThat(scala.tools.nsc.Main.reporter().hasErrors()).isFalse();
    try (URLClassLoader loader =
        new URLClassLoader(new URL[] {classes.toUri().toURL()}, getClass().getClassLoader())) {
      Certificate certificate =
          (Certificate)
              loader
                  .loadClass("ScalaExample")
                  .getMethod("forget", SparkSession.class)
                  .invoke(null, LocalSpark.session());
      assertThat(certificate.verdict()).isEqualTo(Verdict.CERTIFIED);
      assertThat(certificate.zeroCoefficients()).containsExactly(2);
    }
  }

  /** The only block of a language in docs/api.md that has this mark before it. */
  private static String block(String language) throws IOException {
    String page = Files.readString(root().resolve("docs/api.md"), UTF_8).replace("\r\n", "\n");
    Matcher block =
        Pattern.compile("(?s)<!-- example -->\n```" + language + "\n(.*?)```\n").matcher(page);
    assertThat(block.find()).as("example in %s", language).isTrue();
    return block.group(1);
  }

  private static Path root() {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.exists(folder.resolve("docs/api.md"))) {
      folder = folder.getParent();
    }
    return folder;
  }
}

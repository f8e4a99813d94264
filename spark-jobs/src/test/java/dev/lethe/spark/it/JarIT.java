package dev.lethe.spark.it;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.List;
import java.util.Set;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.stream.Collectors;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;

/** What is in the application jar, and what is not. */
class JarIT {
  @Test
  void applicationJar_classes_allBelowOurPackage() throws IOException {
    List<String> classes = names(".class");

    // Neither Spark, Hadoop nor Scala, and nothing that is shaded under its own name.
    assertThat(classes).isNotEmpty().allMatch(name -> name.startsWith("dev/lethe/"));
    for (String relocated : List.of("jackson", "snakeyaml", "picocli", "rng", "statistics")) {
      assertThat(classes).anyMatch(name -> name.startsWith("dev/lethe/shaded/" + relocated + "/"));
    }
  }

  @Test
  void applicationJar_otherFolders_metadataOnly() throws IOException {
    assertThat(names("")).allMatch(name -> name.startsWith("dev/") || name.startsWith("META-INF/"));
    assertThat(names("")).noneMatch(name -> name.matches("META-INF/.*\\.(SF|RSA|DSA)"));
  }

  @Test
  void applicationJar_services_relocated() throws IOException {
    try (JarFile jar = new JarFile(SparkUnderTest.JAR.toFile())) {
      for (String name : names("")) {
        if (name.startsWith("META-INF/services/") && !name.endsWith("/")) {
          String providers =
              new String(jar.getInputStream(jar.getEntry(name)).readAllBytes(), UTF_8);
          assertThat(name).startsWith("META-INF/services/dev.lethe.");
          assertThat(providers.lines().filter(line -> !line.isBlank() && !line.startsWith("#")))
              .as(name)
              .allMatch(provider -> provider.startsWith("dev.lethe."));
        }
      }
    }
  }

  @Test
  void applicationJar_bytecode_runsOnJava17() throws IOException {
    try (JarFile jar = new JarFile(SparkUnderTest.JAR.toFile())) {
      for (String name : names(".class")) {
        try (DataInputStream in = new DataInputStream(jar.getInputStream(jar.getEntry(name)))) {
          assertThat(in.readInt()).isEqualTo(0xCAFEBABE);
          in.readUnsignedShort(); // the minor version
          assertThat(in.readUnsignedShort()).as(name).isLessThanOrEqualTo(61);
        }
      }
    }
  }

  @Test
  void applicationJar_manifest_startsLethe() throws IOException {
    try (JarFile jar = new JarFile(SparkUnderTest.JAR.toFile())) {
      assertThat(jar.getManifest().getMainAttributes().getValue(Attributes.Name.MAIN_CLASS))
          .isEqualTo("dev.lethe.spark.cli.Lethe");
      assertThat(names("")).contains("META-INF/LICENSE", "META-INF/NOTICE").doesNotHaveDuplicates();
    }
  }

  @Test
  void applicationJar_notice_attributesDataAndCode() throws IOException {
    try (JarFile jar = new JarFile(SparkUnderTest.JAR.toFile())) {
      String notice =
          new String(jar.getInputStream(jar.getEntry("META-INF/NOTICE")).readAllBytes(), UTF_8);
      assertThat(notice.strip())
          .startsWith("Lethe\nCopyright 2026 The Lethe authors")
          .contains(
              "Copyright (c) 2019 Liquid Carrot, MIT licence", "Apache Commons RNG", "Jackson")
          .doesNotContain("2006-2026");
      assertThat(names("")).contains("META-INF/FastDoubleParser-LICENSE");
    }
  }

  @Test
  void jars_timeStamps_notOfThisBuild() throws IOException {
    Set<LocalDateTime> ours = timeStamps(SparkUnderTest.TEST_JAR);

    // project.build.outputTimestamp, a midnight; no build hits it by chance.
    assertThat(ours).hasSize(1);
    LocalDateTime stamp = ours.iterator().next();
    assertThat(stamp.toLocalTime()).isEqualTo(LocalTime.MIDNIGHT);
    // Shaded classes keep the times that their own jars have: those are the same in every build.
    try (JarFile jar = new JarFile(SparkUnderTest.JAR.toFile())) {
      assertThat(
              jar.stream()
                  .filter(entry -> entry.getName().matches("dev/lethe/(core|spark|demo|schema)/.+"))
                  .map(ZipEntry::getTimeLocal))
          .containsOnly(stamp);
      assertThat(jar.stream().map(ZipEntry::getTimeLocal)).allMatch(time -> !time.isAfter(stamp));
    }
  }

  private static List<String> names(String ending) throws IOException {
    try (JarFile jar = new JarFile(SparkUnderTest.JAR.toFile())) {
      return jar.stream()
          .filter(entry -> !entry.isDirectory())
          .map(ZipEntry::getName)
          .filter(name -> name.endsWith(ending))
          .toList();
    }
  }

  private static Set<LocalDateTime> timeStamps(Path file) throws IOException {
    try (JarFile jar = new JarFile(file.toFile())) {
      return jar.stream().map(ZipEntry::getTimeLocal).collect(Collectors.toSet());
    }
  }
}

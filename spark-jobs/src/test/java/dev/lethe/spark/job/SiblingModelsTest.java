package dev.lethe.spark.job;

import static org.assertj.core.api.Assertions.assertThat;

import dev.lethe.spark.JobCounter;
import dev.lethe.spark.LocalSpark;
import dev.lethe.spark.certificate.ModelDigest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.ml.Transformer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LocalSpark.class)
class SiblingModelsTest {
  private final SiblingModels siblings = new SiblingModels(LocalSpark.session());
  private final Path place = Places.directory("siblings");
  private final LoadedModel model =
      LoadedModel.load(LocalSpark.session(), "--model", People.model().toString());
  private final LoadedModel other = with(model.featurizer().stages(), 2);

  private LoadedModel with(List<Transformer> stages, double factor) {
    double[] parameters = model.linear().parameters().clone();
    for (int j = 0; j < parameters.length; j++) {
      parameters[j] *= factor;
    }
    return LoadedModel.of(
        model.featurizer().publish(stages, model.linear().withParameters(parameters)), "m", "m");
  }

  private static org.apache.hadoop.fs.Path path(Path path) {
    return new org.apache.hadoop.fs.Path(path.toUri());
  }

  @BeforeEach
  void publishFirst() throws IOException {
    Path first = place.resolve("first");
    ModelStore.save(other.transformer(), path(first));
    siblings.published(other, path(first), ModelDigest.of(new Configuration(), first.toString()));
  }

  @Test
  void save_otherParameters_isWhatSparkMlSavesInFewerJobs() throws IOException {
    LoadedModel next = with(model.featurizer().stages(), 3);
    Path saved = place.resolve("next");

    try (JobCounter counter = JobCounter.on(LocalSpark.session().sparkContext())) {
      assertThat(siblings.save(next, path(saved), "out")).isTrue();
      // two files to write, and each is read, with Parquet's schema and the metadata once more
      assertThat(counter.jobs()).isLessThanOrEqualTo(7);
    }

    LoadedModel read = LoadedModel.load(LocalSpark.session(), "--model", saved.toString());
    assertThat(read.linear().parameters()).isEqualTo(next.linear().parameters());
    assertThat(read.transformer().uid()).isEqualTo(next.transformer().uid());
    Path whole = place.resolve("whole");
    ModelStore.save(next.transformer(), path(whole));
    assertThat(folders(saved)).isEqualTo(folders(whole));
  }

  private static List<String> folders(Path directory) throws IOException {
    try (Stream<Path> all = Files.walk(directory)) {
      return all.filter(Files::isDirectory)
          .map(folder -> directory.relativize(folder).toString())
          .sorted()
          .toList();
    }
  }

  @Test
  void save_publishedOneWasChangedSince_isNotDone() throws IOException {
    try (Stream<Path> all = Files.walk(place.resolve("first"))) {
      Path metadata =
          all.filter(file -> file.toString().endsWith(".txt")).findFirst().orElseThrow();
      Files.delete(metadata);
    }
    Path saved = place.resolve("next");

    assertThat(siblings.save(with(model.featurizer().stages(), 3), path(saved), "out")).isFalse();
    assertThat(saved).doesNotExist();
  }

  @Test
  void save_publishedOneIsGone_isNotDone() throws IOException {
    Files.move(place.resolve("first"), place.resolve("elsewhere"));
    Path saved = place.resolve("next");

    assertThat(siblings.save(with(model.featurizer().stages(), 3), path(saved), "out")).isFalse();
    assertThat(saved).doesNotExist();
  }

  /** Other objects, whatever they hold. */
  @Test
  void save_otherStages_isNotDone() throws IOException {
    LoadedModel again =
        LoadedModel.load(LocalSpark.session(), "--model", People.model().toString());
    Path saved = place.resolve("next");

    assertThat(siblings.save(with(again.featurizer().stages(), 3), path(saved), "out")).isFalse();
    assertThat(saved).doesNotExist();
  }

  @Test
  void save_predictorAlone_isNotDone() throws IOException {
    LoadedModel predictor = LoadedModel.of(other.featurizer().predictor(), "m", "m");
    Path saved = place.resolve("next");

    assertThat(siblings.save(predictor, path(saved), "out")).isFalse();
    assertThat(saved).doesNotExist();
  }
}

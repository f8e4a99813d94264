package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.certificate.ReportFile;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * Where {@code lethe unlearn} writes its reports, checked before the run and written after it.
 *
 * @param confidential null for none
 * @param redacted null for none
 */
public record ReportFiles(@Nullable ReportFile confidential, @Nullable ReportFile redacted) {
  private static final String CONFIDENTIAL = "--report";
  private static final String REDACTED = "--redacted-report";

  /**
   * Checks the places; writes nothing.
   *
   * @param confidential path, or null; never below the release, nor what is read
   * @param redacted path, or null; perhaps below the release, beside the certificate
   * @throws InvalidInputException if a place cannot be used
   */
  public static ReportFiles checked(
      SparkSession spark,
      UnlearnOptions options,
      @Nullable String confidential,
      @Nullable String redacted) {
    Configuration configuration = spark.sparkContext().hadoopConfiguration();
    List<String> read = options.sources();
    List<String> release = new ArrayList<>(read);
    release.add(options.out());
    List<String> published = new ArrayList<>(read);
    published.addAll(Release.parts(options.out()));
    List<String> others = new ArrayList<>(List.of(options.vault()));
    ReportFile first =
        confidential == null
            ? null
            : ReportFile.checked(configuration, CONFIDENTIAL, confidential, true, release, others);
    if (confidential != null) {
      others.add(confidential);
    }
    ReportFile second =
        redacted == null
            ? null
            : ReportFile.checked(configuration, REDACTED, redacted, false, published, others);
    return new ReportFiles(first, second);
  }

  /**
   * Writes the reports that were asked for.
   *
   * @throws InvalidInputException if one cannot be written
   */
  public void write(ReleaseReports reports) {
    if (confidential != null) {
      confidential.write(reports.confidential().html());
    }
    if (redacted != null) {
      redacted.write(reports.redacted().html());
    }
  }
}

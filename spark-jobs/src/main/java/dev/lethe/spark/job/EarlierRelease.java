package dev.lethe.spark.job;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.certificate.Certificate;
import dev.lethe.spark.certificate.ModelDigest;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.BitSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import org.jspecify.annotations.Nullable;

/**
 * The release that a model comes from, by the certificate beside it: what it removed stays removed.
 * Spark ML's format has no place for that in the model itself.
 *
 * @param removedSlots slots that it, or one before it, removed
 * @param note for the operator, where a certificate was found and not used; or null
 */
public record EarlierRelease(BitSet removedSlots, @Nullable String note) {
  private static final String CERTIFICATE = "certificate.json";

  /** The first release of a model. */
  public static final EarlierRelease NONE = new EarlierRelease(new BitSet(), null);

  /** The release of a model in memory. */
  public static EarlierRelease of(Certificate certificate) {
    return new EarlierRelease(slots(certificate), null);
  }

  /**
   * Reads the certificate of a model.
   *
   * @param given the certificate, or null for {@code MODEL/../certificate.json} if it is there
   * @throws InvalidInputException if the given one cannot be read or is not of this model, or it
   *     cannot be told whether one lies beside it: what it removed would come back
   */
  static EarlierRelease of(SparkSession spark, String model, @Nullable String given) {
    Configuration configuration = spark.sparkContext().hadoopConfiguration();
    if (given != null) {
      Certificate certificate = read(spark, "--model-certificate", given);
      if (!ModelDigest.of(configuration, model).equals(certificate.modelDigest())) {
        throw new InvalidInputException(
            "--model-certificate "
                + given
                + ": is not of the model "
                + model
                + ", whose digest differs");
      }
      return new EarlierRelease(slots(certificate), null);
    }
    Path parent = new Path(model).getParent();
    Path beside = parent == null ? null : new Path(parent, CERTIFICATE);
    if (beside == null || !isFile(configuration, beside)) {
      return new EarlierRelease(new BitSet(), null);
    }
    try {
      Certificate certificate = read(spark, "certificate", beside.toString());
      if (ModelDigest.of(configuration, model).equals(certificate.modelDigest())) {
        return new EarlierRelease(slots(certificate), null);
      }
    } catch (InvalidInputException e) {
      if (SparkErrors.isUnanswered(e)) {
        throw e;
      }
      // some other file of that name: said below
    }
    return new EarlierRelease(
        new BitSet(),
        beside
            + " is not the certificate of "
            + model
            + ": nothing is taken to be removed earlier");
  }

  private static Certificate read(SparkSession spark, String option, String file) {
    return Certificate.read(InputFile.read(spark, option, file, Integer.MAX_VALUE), file);
  }

  /** The zero coefficients of a certificate. */
  static BitSet slots(Certificate certificate) {
    BitSet slots = new BitSet();
    certificate.zeroCoefficients().forEach(slots::set);
    return slots;
  }

  private static boolean isFile(Configuration configuration, Path file) {
    try {
      return file.getFileSystem(configuration).getFileStatus(file).isFile();
    } catch (FileNotFoundException e) {
      return false;
    } catch (IOException e) {
      throw new InvalidInputException(
          "certificate " + file + ": cannot be reached (" + e.getClass().getSimpleName() + ")", e);
    }
  }
}

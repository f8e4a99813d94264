package dev.lethe.spark.job;

import dev.lethe.core.aggregate.Point;
import dev.lethe.core.linalg.Binary;
import dev.lethe.core.objective.KeptSums;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.ml.LinearModel;
import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.FeaturizerPolicy;
import dev.lethe.spark.request.Method;
import dev.lethe.spark.request.Request;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.List;

/**
 * What a release keeps in the vault for the next request: all sums over the corrected data at one
 * point, and which data that are: a table's files, and the changes that are in force on them.
 * Confidential.
 *
 * @param table {@link TableFiles#digest} of the table
 * @param changes how many changes are in force on it
 * @param request the digest of these changes
 * @param removed slots that have left the model
 * @param sums over the data
 */
record KeptState(String table, int changes, String request, BitSet removed, KeptSums sums) {
  /** First field of a state; to be changed whenever its form or the arithmetic changes. */
  private static final String FORM = "lethe-state-2";

  static KeptState of(String table, Request inForce, BitSet removed, KeptSums sums) {
    int changes = inForce.changes().size();
    return new KeptState(table, changes, digest(inForce, changes), removed, sums);
  }

  /** Whether a request begins with the changes that are in force. */
  boolean isContinuedBy(Request request) {
    return request.changes().size() >= changes && digest(request, changes).equals(this.request);
  }

  /** Some of a request's changes, by themselves. */
  static Request part(Request request, int first, int end) {
    List<Change> changes = request.changes().subList(first, end);
    return new Request(
        "state",
        changes,
        null,
        Method.REFINED,
        null,
        FeaturizerPolicy.FROZEN,
        request.origins().subList(first, end));
  }

  private static String digest(Request request, int changes) {
    return sha256(part(request, 0, changes).canonicalBytes());
  }

  static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  byte[] toBytes() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeUTF(FORM);
      out.writeUTF(table);
      out.writeInt(changes);
      out.writeUTF(request);
      Binary.write(out, removed.toLongArray());
      double[] theta = sums.point().theta();
      out.writeInt(theta.length);
      Binary.write(out, theta);
      sums.write(out);
    } catch (IOException e) {
      throw new IllegalStateException("memory can be written", e);
    }
    return bytes.toByteArray();
  }

  /**
   * Reads a state of a model.
   *
   * @throws InvalidInputException if it is of another form, or of another model
   */
  static KeptState read(byte[] bytes, LinearModel model) {
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
      String form = in.readUTF();
      if (!form.equals(FORM)) {
        throw new InvalidInputException(
            "vault: the kept state is of the form " + form + ", not " + FORM + "; delete it");
      }
      String table = in.readUTF();
      int changes = in.readInt();
      String request = in.readUTF();
      long[] removed = new long[in.readInt()];
      for (int i = 0; i < removed.length; i++) {
        removed[i] = in.readLong();
      }
      int p = in.readInt();
      if (p != model.layout().size()) {
        throw new IOException("a state of " + p + " parameters");
      }
      double[] theta = new double[p];
      Binary.read(in, theta);
      Point point = new Point(model.loss(), model.layout(), theta);
      return new KeptState(
          table, changes, request, BitSet.valueOf(removed), KeptSums.read(in, point));
    } catch (IOException e) {
      throw new InvalidInputException("vault: the kept state is not of this model; delete it", e);
    }
  }

  /** Says nothing of the contents. */
  @Override
  public String toString() {
    return "KeptState[hidden]";
  }
}

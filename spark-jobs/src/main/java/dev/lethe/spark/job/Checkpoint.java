package dev.lethe.spark.job;

import dev.lethe.core.linalg.Binary;
import dev.lethe.core.solver.NewtonState;
import dev.lethe.core.solver.Preconditioning;
import dev.lethe.spark.InvalidInputException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Where a refinement was, so that another process can go on. Confidential: it holds parameters
 * without noise.
 *
 * @param of what it is for: another run's is not used
 */
public record Checkpoint(String of, NewtonState state) {
  /** First field; to be changed whenever the form or the way of the solver changes. */
  private static final String FORM = "lethe-checkpoint-1";

  private static final int DIGEST_BYTES = 32;

  /** As the vault keeps it, a checksum at its end. */
  public byte[] toBytes() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeUTF(FORM);
      out.writeUTF(of);
      new Writer(out).write(state);
      out.flush();
      out.write(digest(bytes.toByteArray()));
    } catch (IOException e) {
      throw new IllegalStateException("memory can be written", e);
    }
    return bytes.toByteArray();
  }

  /**
   * Reads what {@link #toBytes} wrote.
   *
   * @throws InvalidInputException if it is damaged, or of another form
   */
  public static Checkpoint read(byte[] bytes) {
    int length = bytes.length - DIGEST_BYTES;
    if (length < 0
        || !Arrays.equals(
            digest(Arrays.copyOf(bytes, length)),
            Arrays.copyOfRange(bytes, length, bytes.length))) {
      throw new InvalidInputException("the checkpoint is damaged");
    }
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes, 0, length))) {
      if (!in.readUTF().equals(FORM)) {
        throw new InvalidInputException("the checkpoint is of another version of Lethe");
      }
      return new Checkpoint(in.readUTF(), new Reader(in).state());
    } catch (IOException e) {
      throw new InvalidInputException("the checkpoint is damaged", e);
    }
  }

  private static byte[] digest(byte[] content) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(content);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /** What stands for a vector: a number of an equal one before it, or one of these. */
  private static final int VALUES = -1;

  private static final int ZEROS = -2;

  private static final class Writer {
    private final DataOutputStream out;
    private final List<double[]> written = new ArrayList<>();

    Writer(DataOutputStream out) {
      this.out = out;
    }

    void write(NewtonState state) throws IOException {
      out.writeInt(state.step());
      vector(state.point());
      out.writeInt(state.measuredStep());
      vector(state.measuredAt());
      out.writeDouble(state.firstNorm());
      out.writeDouble(state.fall());
      NewtonState.Factor factor = state.factor();
      out.writeBoolean(factor != null);
      if (factor != null) {
        origin(factor.origin());
        out.writeBoolean(factor.exact());
        out.writeInt(factor.pairs().size());
        for (NewtonState.Pair pair : factor.pairs()) {
          vector(pair.step());
          vector(pair.change());
        }
      }
      out.writeInt(state.products());
      NewtonState.Made made = state.preconditioner();
      out.writeBoolean(made != null);
      if (made != null) {
        origin(made.origin());
        vector(made.measuredAt());
        out.writeUTF(made.kind().name());
      }
    }

    private void origin(NewtonState.Origin origin) throws IOException {
      vector(origin.at());
      vector(origin.damping());
    }

    private void vector(double[] values) throws IOException {
      for (int k = 0; k < written.size(); k++) {
        if (Arrays.equals(values, written.get(k))) {
          out.writeInt(k);
          return;
        }
      }
      written.add(values);
      if (Arrays.equals(values, new double[values.length])) {
        out.writeInt(ZEROS);
        out.writeInt(values.length);
      } else {
        out.writeInt(VALUES);
        out.writeInt(values.length);
        Binary.write(out, values);
      }
    }
  }

  private static final class Reader {
    private final DataInputStream in;
    private final List<double[]> read = new ArrayList<>();

    Reader(DataInputStream in) {
      this.in = in;
    }

    NewtonState state() throws IOException {
      int step = in.readInt();
      double[] point = vector();
      int measuredStep = in.readInt();
      double[] measuredAt = vector();
      double firstNorm = in.readDouble();
      double fall = in.readDouble();
      NewtonState.Factor factor = in.readBoolean() ? factor() : null;
      int products = in.readInt();
      NewtonState.Made made =
          in.readBoolean()
              ? new NewtonState.Made(origin(), vector(), Preconditioning.valueOf(in.readUTF()))
              : null;
      return new NewtonState(
          step, point, measuredStep, measuredAt, firstNorm, fall, factor, products, made);
    }

    private NewtonState.Factor factor() throws IOException {
      NewtonState.Origin origin = origin();
      boolean exact = in.readBoolean();
      List<NewtonState.Pair> pairs = new ArrayList<>();
      for (int left = in.readInt(); left > 0; left--) {
        pairs.add(new NewtonState.Pair(vector(), vector()));
      }
      return new NewtonState.Factor(origin, exact, pairs);
    }

    private NewtonState.Origin origin() throws IOException {
      return new NewtonState.Origin(vector(), vector());
    }

    private double[] vector() throws IOException {
      int kind = in.readInt();
      if (kind >= 0) {
        return read.get(kind);
      }
      double[] values = new double[in.readInt()];
      if (kind == VALUES) {
        Binary.read(in, values);
      }
      read.add(values);
      return values;
    }
  }

  /** Says nothing of the contents. */
  @Override
  public String toString() {
    return "Checkpoint[hidden]";
  }
}

package dev.lethe.spark.neural;

import dev.lethe.spark.certificate.AtomicPublication;
import dev.lethe.spark.job.InputFile;
import dev.lethe.spark.torch.Libtorch;
import dev.lethe.spark.torch.TorchModel;
import java.io.Serializable;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/**
 * A network as it is saved: {@code network.json} and {@code module.pt}, a TorchScript archive that
 * libtorch and Python load.
 *
 * @param name of the module, for messages
 */
record Network(NetworkDescription description, byte[] module, String name) {
  static final String DESCRIPTION = "network.json";
  static final String MODULE = "module.pt";

  /** A module may be this large. */
  private static final int MAX_BYTES = Integer.MAX_VALUE - 16;

  /** One that Lethe made. */
  Network(NetworkDescription description, byte[] module) {
    this(description, module, MODULE);
  }

  /**
   * Reads a saved network.
   *
   * @throws dev.lethe.spark.InvalidInputException if it is none
   */
  static Network load(SparkSession spark, String option, String directory) {
    String json = new Path(directory, DESCRIPTION).toString();
    String archive = new Path(directory, MODULE).toString();
    return new Network(
        NetworkDescription.read(
            InputFile.read(spark, option, json, MAX_BYTES), option + " " + json),
        InputFile.read(spark, option, archive, MAX_BYTES),
        option + " " + archive);
  }

  /**
   * Writes it into a publication.
   *
   * @param directory in it, with a slash at its end, or empty
   */
  void stage(AtomicPublication publication, String directory) {
    publication.write(directory + DESCRIPTION, description.toJson());
    publication.write(directory + MODULE, module);
  }

  /** What executors make models of; not a record, whose reading back Spark's cleaner breaks. */
  Loader loader(OpenNetwork.Free free) {
    return new Loader(module, name, description.loss(), free);
  }

  /** Makes models. */
  static final class Loader implements Serializable {
    private static final long serialVersionUID = 1L;
    private final byte[] module;
    private final String name;
    private final String loss;
    private final OpenNetwork.Free free;

    private Loader(byte[] module, String name, String loss, OpenNetwork.Free free) {
      this.module = module;
      this.name = name;
      this.loss = loss;
      this.free = free;
    }

    TorchModel load() {
      Libtorch.require();
      return TorchModel.load(module, name, NetworkDescription.lossOf(loss), free);
    }
  }
}

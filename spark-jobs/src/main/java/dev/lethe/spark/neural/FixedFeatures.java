package dev.lethe.spark.neural;

import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.NetworkBlock;
import dev.lethe.core.neural.NeuralModel;
import dev.lethe.core.neural.ValueBlock;
import java.util.Arrays;
import java.util.Iterator;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.broadcast.Broadcast;

/** Puts what a network's first layers make of examples in their place. */
final class FixedFeatures implements FlatMapFunction<Iterator<NetworkBlock>, NetworkBlock> {
  private static final long serialVersionUID = 1L;

  private final String network;
  private final Broadcast<Network.Loader> loader;
  private final double[] buffers;
  private final int batchRows;

  FixedFeatures(String network, Broadcast<Network.Loader> loader, double[] buffers, int batchRows) {
    this.network = network;
    this.loader = loader;
    this.buffers = buffers;
    this.batchRows = batchRows;
  }

  @Override
  public Iterator<NetworkBlock> call(Iterator<NetworkBlock> blocks) {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return blocks.hasNext();
      }

      @Override
      public NetworkBlock next() {
        NetworkBlock block = blocks.next();
        return ModelPool.lend(
            network,
            () -> loader.value().load(),
            model -> {
              model.setBuffers(buffers);
              return features(model, block);
            });
      }
    };
  }

  private NetworkBlock features(NeuralModel model, NetworkBlock block) {
    float[] values = {};
    int[] classes = new int[block.rows()];
    float[] targets = {};
    int width = 0;
    for (int from = 0; from < block.rows(); from += batchRows) {
      int to = Math.min(block.rows(), from + batchRows);
      Batch batch = block.range(from, to);
      float[] made = model.features(batch);
      if (from == 0) {
        width = made.length / batch.rows();
        values = new float[block.rows() * width];
        targets = new float[batch.targets().length / batch.rows() * block.rows()];
      }
      System.arraycopy(made, 0, values, from * width, made.length);
      for (int i = 0; i < batch.classes().length; i++) {
        classes[from + i] = (int) batch.classes()[i];
      }
      int each = targets.length / block.rows();
      System.arraycopy(batch.targets(), 0, targets, from * each, batch.targets().length);
    }
    return new ValueBlock(
        block.rows(),
        new int[] {width},
        values,
        targets.length > 0 ? Arrays.copyOf(classes, 0) : classes,
        targets);
  }
}

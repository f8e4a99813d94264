package dev.lethe.spark.neural;

import dev.lethe.core.neural.Batch;
import dev.lethe.core.neural.NetworkBlock;
import dev.lethe.core.neural.NeuralModel;
import dev.lethe.core.neural.ValueBlock;
import java.util.Iterator;
import java.util.NoSuchElementException;
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
      private NetworkBlock block =
          new ValueBlock(0, new int[0], new float[0], new int[0], new float[0]);
      private int at;

      @Override
      public boolean hasNext() {
        while (at == block.rows() && blocks.hasNext()) {
          block = blocks.next();
          at = 0;
        }
        return at < block.rows();
      }

      @Override
      public NetworkBlock next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        NetworkBlock made =
            ModelPool.lend(
                network,
                () -> loader.value().load(),
                model -> {
                  model.setBuffers(buffers);
                  return features(model, block, at);
                });
        at += made.rows();
        return made;
      }
    };
  }

  /** Of a block's examples, as many as make a block of features, which may be more numbers. */
  private NetworkBlock features(NeuralModel model, NetworkBlock block, int begin) {
    float[] values = {};
    int[] classes = {};
    float[] targets = {};
    int width = 0;
    int end = block.rows();
    for (int from = begin; from < end; from += batchRows) {
      Batch batch = block.range(from, Math.min(end, from + batchRows));
      float[] made = model.features(batch);
      int each = batch.targets().length / batch.rows();
      if (from == begin) {
        width = made.length / batch.rows();
        int rows = Math.max(batch.rows(), Packer.blockRows((long) width + each));
        end = Math.min(end, begin + rows);
        values = new float[(end - begin) * width];
        classes = new int[batch.classes().length > 0 ? end - begin : 0];
        targets = new float[(end - begin) * each];
      }
      System.arraycopy(made, 0, values, (from - begin) * width, made.length);
      for (int i = 0; i < batch.classes().length; i++) {
        classes[from - begin + i] = (int) batch.classes()[i];
      }
      System.arraycopy(batch.targets(), 0, targets, (from - begin) * each, batch.targets().length);
    }
    return new ValueBlock(end - begin, new int[] {width}, values, classes, targets);
  }
}

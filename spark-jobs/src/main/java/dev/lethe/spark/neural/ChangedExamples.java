package dev.lethe.spark.neural;

import dev.lethe.core.neural.NetworkBlock;
import dev.lethe.core.neural.NetworkUnlearning;
import dev.lethe.spark.neural.NetworkTable.Side;
import dev.lethe.spark.request.Change;
import dev.lethe.spark.request.Corrections;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.storage.StorageLevel;

/**
 * The examples of a request, cached for a network: all as they are now, and those that change as
 * they were and as they are.
 *
 * @param targetBefore those of {@code before} whose target changes
 * @param targetAfter those of {@code after} whose target has changed
 * @param featureSeconds that reading took where it makes features, too; else 0
 */
record ChangedExamples(
    DistributedNetwork corrected,
    DistributedNetwork before,
    DistributedNetwork after,
    DistributedNetwork targetBefore,
    DistributedNetwork targetAfter,
    double featureSeconds)
    implements AutoCloseable {

  /**
   * Reads them; five jobs, the second of which reads the touched rows and the others what it
   * packed.
   */
  static ChangedExamples of(
      OpenNetwork network,
      List<Change> changes,
      Corrections corrections,
      Dataset<Row> table,
      Dataset<Row> corrected,
      int partitions,
      String place) {
    long begin = System.nanoTime();
    NetworkDescription description = network.network().description();
    JavaRDD<NetworkBlock[]> changed =
        NetworkTable.changed(description, changes, corrections.touchedPairs(table), place);
    DistributedNetwork all =
        DistributedNetwork.of(
            network, NetworkTable.blocks(description, corrected, partitions, place), place);
    DistributedNetwork[] sides = new DistributedNetwork[Side.values().length];
    boolean read = false;
    changed.persist(StorageLevel.MEMORY_AND_DISK());
    try {
      for (Side side : Side.values()) {
        int k = side.ordinal();
        sides[k] =
            DistributedNetwork.of(
                network, changed.map(blocks -> blocks[k]).filter(block -> block.rows() > 0), place);
      }
      read = true;
      double seconds = network.hasFixedFeatures() ? (System.nanoTime() - begin) / 1e9 : 0;
      return new ChangedExamples(all, sides[0], sides[1], sides[2], sides[3], seconds);
    } finally { // Scala throws checked exceptions undeclared
      changed.unpersist(false); // each side has its blocks now
      if (!read) {
        all.close();
        for (DistributedNetwork side : sides) {
          if (side != null) {
            side.close();
          }
        }
      }
    }
  }

  /** The same examples for another network; closing either drops them. */
  ChangedExamples with(OpenNetwork other) {
    return new ChangedExamples(
        corrected.with(other),
        before.with(other),
        after.with(other),
        targetBefore.with(other),
        targetAfter.with(other),
        featureSeconds);
  }

  /** For the update. */
  NetworkUnlearning.Changed changed() {
    return new NetworkUnlearning.Changed(before, after, targetBefore, targetAfter);
  }

  @Override
  public void close() {
    corrected.close();
    before.close();
    after.close();
    targetBefore.close();
    targetAfter.close();
  }
}

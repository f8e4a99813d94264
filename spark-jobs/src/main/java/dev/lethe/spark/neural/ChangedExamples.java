package dev.lethe.spark.neural;

import dev.lethe.core.neural.NetworkUnlearning;
import dev.lethe.spark.neural.NetworkTable.Side;
import dev.lethe.spark.request.Corrections;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * The examples of a request, cached for a network: all as they are now, and those that change as
 * they were and as they are.
 *
 * @param targetBefore those of {@code before} whose target changes
 * @param targetAfter those of {@code after} whose target has changed
 */
record ChangedExamples(
    DistributedNetwork corrected,
    DistributedNetwork before,
    DistributedNetwork after,
    DistributedNetwork targetBefore,
    DistributedNetwork targetAfter)
    implements AutoCloseable {

  /** Reads them; five jobs, four of which read the touched rows alone. */
  static ChangedExamples of(
      OpenNetwork network,
      Corrections corrections,
      Dataset<Row> table,
      Dataset<Row> corrected,
      int partitions,
      String place) {
    NetworkDescription description = network.network().description();
    Dataset<Row> pairs = corrections.touchedPairs(table);
    DistributedNetwork all =
        DistributedNetwork.of(
            network, NetworkTable.blocks(description, corrected, partitions, place), place);
    DistributedNetwork[] sides = new DistributedNetwork[4];
    boolean read = false;
    try {
      for (int k = 0; k < sides.length; k++) {
        sides[k] =
            DistributedNetwork.of(
                network,
                NetworkTable.changed(
                    description, pairs, k % 2 == 0 ? Side.BEFORE : Side.AFTER, k >= 2, place),
                place);
      }
      read = true;
      return new ChangedExamples(all, sides[0], sides[1], sides[2], sides[3]);
    } finally { // Scala throws checked exceptions undeclared
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
        targetAfter.with(other));
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

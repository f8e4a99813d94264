package dev.lethe.spark.job;

import dev.lethe.spark.data.ReadTable;
import dev.lethe.spark.data.Table;
import java.util.List;
import org.apache.spark.sql.SparkSession;

/** The tables that say which rows there were and which there are: how corrections arrive. */
public sealed interface GivenTables {

  /** The tables, the original one first. */
  List<Table> tables();

  /** Names the data, for messages. */
  default String name() {
    return tables().get(0).name();
  }

  /** The same, one table alone looked up once for all who read it. */
  default GivenTables lookedUp(SparkSession spark) {
    return this;
  }

  /**
   * The original table; the request's changes are applied to it.
   *
   * @param data the table
   */
  record Original(Table data) implements GivenTables {
    @Override
    public List<Table> tables() {
      return List.of(data);
    }

    @Override
    public GivenTables lookedUp(SparkSession spark) {
      return new Original(ReadTable.of(spark, data));
    }
  }

  /**
   * The corrected table alone, without what was erased.
   *
   * @param corrected the table
   */
  record Corrected(Table corrected) implements GivenTables {
    @Override
    public List<Table> tables() {
      return List.of(corrected);
    }

    @Override
    public GivenTables lookedUp(SparkSession spark) {
      return new Corrected(ReadTable.of(spark, corrected));
    }
  }

  /**
   * The table before and after; a row is the same one where the key is.
   *
   * @param data the original table
   * @param corrected the corrected table
   * @param key columns of both
   */
  record Snapshots(Table data, Table corrected, List<String> key) implements GivenTables {
    public Snapshots {
      key = List.copyOf(key);
    }

    @Override
    public List<Table> tables() {
      return List.of(data, corrected);
    }

    @Override
    public String name() {
      return data.name() + " and " + corrected.name();
    }
  }

  /**
   * The original table, and the corrected rows alone.
   *
   * @param data the original table
   * @param corrections the key and the columns to overwrite
   * @param key columns of both
   */
  record Overwritten(Table data, Table corrections, List<String> key) implements GivenTables {
    public Overwritten {
      key = List.copyOf(key);
    }

    @Override
    public List<Table> tables() {
      return List.of(data, corrections);
    }

    @Override
    public String name() {
      return data.name() + " with " + corrections.name();
    }
  }
}

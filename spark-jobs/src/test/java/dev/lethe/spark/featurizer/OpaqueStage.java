package dev.lethe.spark.featurizer;

import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;

/** A stage of somebody else: Lethe cannot know what it reads. */
public final class OpaqueStage extends Transformer {
  private static final long serialVersionUID = 1L;

  @Override
  public String uid() {
    return "opaque_1";
  }

  @Override
  public Dataset<Row> transform(Dataset<?> dataset) {
    return dataset.toDF();
  }

  @Override
  public StructType transformSchema(StructType schema) {
    return schema;
  }

  @Override
  public Transformer copy(ParamMap extra) {
    return new OpaqueStage();
  }
}

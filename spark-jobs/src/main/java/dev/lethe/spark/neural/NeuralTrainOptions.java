package dev.lethe.spark.neural;

import dev.lethe.core.neural.NetworkLoss;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What {@code lethe neural train} is given; whatever can be refused without the data is refused
 * here, naming the option.
 *
 * @param columns of numbers; empty for a text
 * @param shape of the numbers
 * @param divisor of the numbers
 * @param text column of the text, or null
 * @param window characters before the one that is predicted
 * @param label column, or null for a text
 * @param outputs classes or numbers; ignored for a text
 * @param loss as {@link dev.lethe.core.neural.NetworkLoss#word}
 * @param module a TorchScript file to start from, or null; the architecture is "own" then
 * @param test test data, or null
 * @param out directory of the saved network; must not exist
 * @param checkpoint directory for checkpoints, or null
 * @param checkpointSteps steps between them
 * @param partitions 0 for the source's own
 */
public record NeuralTrainOptions(
    TableSource table,
    List<String> columns,
    List<Integer> shape,
    double divisor,
    @Nullable String text,
    int window,
    @Nullable String label,
    int outputs,
    String loss,
    NetworkArchitecture architecture,
    @Nullable String module,
    NetworkSchedule schedule,
    @Nullable TableSource test,
    String out,
    @Nullable String checkpoint,
    int checkpointSteps,
    int partitions) {
  public static final int DIVISOR = 1;
  public static final int WINDOW = 24;
  public static final int OUTPUTS = 2;
  public static final int CHECKPOINT_STEPS = 500;

  public NeuralTrainOptions {
    columns = List.copyOf(columns);
    shape = List.copyOf(shape);
    if (text == null) {
      NetworkInput.checkNumbers(Named.OPTION, shape, divisor);
    } else {
      NetworkInput.checkWindow(Named.OPTION, window);
    }
    NetworkDescription.checkTargets(Named.OPTION, loss, text != null, outputs);
    architecture.check(Named.OPTION, text != null, shape);
    schedule.check(Named.OPTION);
    Named.OPTION.require(checkpointSteps >= 1, "checkpointSteps", checkpointSteps, "be at least 1");
  }

  /** What has to be given, but for numbers or a text. */
  public static Builder builder(
      TableSource table, NetworkArchitecture architecture, NetworkSchedule schedule, String out) {
    return new Builder(table, architecture, schedule, out);
  }

  /** Options under construction; whatever is given null has its default. */
  public static final class Builder {
    private final TableSource table;
    private final NetworkArchitecture architecture;
    private final NetworkSchedule schedule;
    private final String out;
    private List<String> columns = List.of();
    private List<Integer> shape = List.of();
    private double divisor = DIVISOR;
    private @Nullable String text;
    private int window = WINDOW;
    private @Nullable String label;
    private int outputs = OUTPUTS;
    private String loss = NetworkLoss.CROSS_ENTROPY.word();
    private @Nullable String module;
    private @Nullable TableSource test;
    private @Nullable String checkpoint;
    private int checkpointSteps = CHECKPOINT_STEPS;
    private int partitions;

    private Builder(
        TableSource table, NetworkArchitecture architecture, NetworkSchedule schedule, String out) {
      this.table = table;
      this.architecture = architecture;
      this.schedule = schedule;
      this.out = out;
    }

    /** Columns of numbers, and the shape of these. */
    public Builder numbers(List<String> names, List<Integer> extents) {
      columns = names;
      shape = extents;
      return this;
    }

    public Builder divisor(@Nullable Double value) {
      divisor = value == null ? DIVISOR : value;
      return this;
    }

    /** A column of texts. */
    public Builder text(@Nullable String column) {
      text = column;
      return this;
    }

    public Builder window(@Nullable Integer value) {
      window = value == null ? WINDOW : value;
      return this;
    }

    public Builder label(@Nullable String column) {
      label = column;
      return this;
    }

    public Builder outputs(@Nullable Integer value) {
      outputs = value == null ? OUTPUTS : value;
      return this;
    }

    public Builder loss(@Nullable String word) {
      loss = word == null ? NetworkLoss.CROSS_ENTROPY.word() : word;
      return this;
    }

    public Builder module(@Nullable String file) {
      module = file;
      return this;
    }

    public Builder test(@Nullable TableSource value) {
      test = value;
      return this;
    }

    public Builder checkpoint(@Nullable String directory) {
      checkpoint = directory;
      return this;
    }

    public Builder checkpointSteps(@Nullable Integer value) {
      checkpointSteps = value == null ? CHECKPOINT_STEPS : value;
      return this;
    }

    public Builder partitions(int value) {
      partitions = value;
      return this;
    }

    /**
     * The options.
     *
     * @throws InvalidInputException naming the option that cannot be used
     */
    public NeuralTrainOptions build() {
      return new NeuralTrainOptions(
          table,
          columns,
          shape,
          divisor,
          text,
          window,
          label,
          outputs,
          loss,
          architecture,
          module,
          schedule,
          test,
          out,
          checkpoint,
          checkpointSteps,
          partitions);
    }
  }
}

package dev.lethe.spark.neural;

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
}

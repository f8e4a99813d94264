package dev.lethe.spark.neural;

import dev.lethe.core.neural.Curvature;
import dev.lethe.core.neural.NetworkUnlearning;
import dev.lethe.core.neural.NetworkUnlearning.Options;
import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.data.TableSource;
import dev.lethe.spark.job.RequestSource;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What {@code lethe neural unlearn} is given.
 *
 * @param model directory of the saved network
 * @param table the data that it was trained on
 * @param layers beginnings of the names of the parameters that are updated; empty for all
 * @param update null where the method trains; what it holds for remembered, its rounds and penalty
 *     are still to be fitted to the network
 * @param rememberedBeyond standard deviations of log odds from which on an old target counts as
 *     remembered, or avoided; null for {@link #LABELS_BEYOND}, of a text {@link #TEXTS_BEYOND}
 * @param epochs of fine-tuning
 * @param test test data, or null
 * @param canary file of a {@link Canary}, or null
 * @param out directory that appears with the network and the report; must not exist
 * @param partitions 0 for the source's own
 */
public record NeuralUnlearnOptions(
    String model,
    TableSource table,
    RequestSource request,
    Method method,
    List<String> layers,
    @Nullable Options update,
    @Nullable Double rememberedBeyond,
    int epochs,
    @Nullable TableSource test,
    @Nullable String canary,
    String out,
    int partitions) {
  /** A label is one of many: it is remembered where it is unlike next to all others. */
  public static final double LABELS_BEYOND = 2;

  /** Characters of a secret add up: none of them may stand out. */
  public static final double TEXTS_BEYOND = 0.5;

  public static final int EPOCHS = 1;

  /** What makes the new parameters. */
  public enum Method {
    SECOND_ORDER("second-order", NetworkUnlearning.Method.CONJUGATE_GRADIENT),
    LISSA("lissa", NetworkUnlearning.Method.LISSA),
    FIRST_ORDER("first-order", NetworkUnlearning.Method.FIRST_ORDER),
    /** Trains on, on the corrected data. */
    FINE_TUNE("fine-tune", null),
    /** Trains anew, on the corrected data. */
    RETRAIN("retrain", null);

    private final String word;
    private final NetworkUnlearning.@Nullable Method update;

    Method(String word, NetworkUnlearning.@Nullable Method update) {
      this.word = word;
      this.update = update;
    }

    /** As the command line and the report have it. */
    public String word() {
      return word;
    }

    /** The method of a word. */
    public static Method of(String word) {
      for (Method method : values()) {
        if (method.word.equals(word)) {
          return method;
        }
      }
      throw new InvalidInputException(
          "--method "
              + word
              + ": allowed are second-order, lissa, first-order, fine-tune and retrain");
    }
  }

  public NeuralUnlearnOptions {
    layers = List.copyOf(layers);
    Named named = Named.OPTION;
    if (update != null) {
      check(named, update);
    }
    requirePositive(named, "rememberedBeyond", rememberedBeyond);
    named.require(epochs >= 1, "epochs", epochs, "be at least 1");
  }

  private static void check(Named named, Options update) {
    requireShare(named, "share", update.share());
    requireShare(named, "lossShare", update.lossShare());
    named.require(
        update.lossIncrease() >= 0 && !Double.isInfinite(update.lossIncrease()),
        "lossIncrease",
        update.lossIncrease(),
        "be finite and at least 0");
    named.require(update.rounds() >= 1, "rounds", update.rounds(), "be at least 1");
    named.require(update.iterations() >= 1, "iterations", update.iterations(), "be at least 1");
    named.require(
        update.tolerance() > 0 && update.tolerance() < 1,
        "tolerance",
        update.tolerance(),
        "be above 0 and below 1");
    requirePositive(named, "rate", update.rate());
    requirePositive(named, "damping", update.damping());
    requirePositive(named, "scale", update.scale());
  }

  private static void requirePositive(Named named, String key, @Nullable Double value) {
    named.require(
        value == null || (value > 0 && !Double.isInfinite(value)),
        key,
        String.valueOf(value),
        "be finite and above 0");
  }

  private static void requireShare(Named named, String key, double share) {
    named.require(share > 0 && share <= 1, key, share, "be above 0 and at most 1");
  }

  /** Second order, and nothing but what has to be given. */
  public static Builder builder(
      String model, TableSource table, RequestSource request, String out) {
    return new Builder(model, table, request, out);
  }

  /** Options under construction; whatever is given null has its default. */
  public static final class Builder {
    private static final EnumSet<Method> UPDATES =
        EnumSet.of(Method.SECOND_ORDER, Method.LISSA, Method.FIRST_ORDER);
    private static final EnumSet<Method> SOLVES = EnumSet.of(Method.SECOND_ORDER, Method.LISSA);

    /** Of first order: what the largest eigenvalue is taken of. */
    private static final Set<String> CHOOSING_RATE = Set.of("curvature", "share");

    private final String model;
    private final TableSource table;
    private final RequestSource request;
    private final String out;
    private final Options.Builder update = Options.builder();
    private final List<Given> given = new ArrayList<>();
    private Method method = Method.SECOND_ORDER;
    private List<String> layers = List.of();
    private @Nullable Double rememberedBeyond;
    private int epochs = EPOCHS;
    private @Nullable TableSource test;
    private @Nullable String canary;
    private int partitions;

    /** A value that only some methods have a use for. */
    private record Given(String key, Object value, EnumSet<Method> methods) {
      /** As the command line has it. */
      String shown() {
        String word = value.toString();
        if (value instanceof Enum<?> constant) {
          word = constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
        } else if (value instanceof List<?> names) {
          word = names.stream().map(String::valueOf).collect(Collectors.joining(","));
        }
        return Named.OPTION.of(key) + " " + word;
      }
    }

    private Builder(String model, TableSource table, RequestSource request, String out) {
      this.model = model;
      this.table = table;
      this.request = request;
      this.out = out;
    }

    public Builder method(@Nullable Method value) {
      method = value == null ? Method.SECOND_ORDER : value;
      return this;
    }

    /**
     * @param value beginnings of the names of the parameters that are updated; empty for all
     */
    public Builder layers(List<String> value) {
      return set("layers", UPDATES, value.isEmpty() ? null : value, names -> layers = names);
    }

    public Builder gradient(NetworkUnlearning.@Nullable Gradient value) {
      return set("gradient", UPDATES, value, update::gradient);
    }

    public Builder curvature(@Nullable Curvature value) {
      return set("curvature", UPDATES, value, update::curvature);
    }

    public Builder share(@Nullable Double value) {
      return set("share", UPDATES, value, update::share);
    }

    public Builder lossShare(@Nullable Double value) {
      return set("lossShare", UPDATES, value, update::lossShare);
    }

    public Builder lossIncrease(@Nullable Double value) {
      return set("lossIncrease", UPDATES, value, update::lossIncrease);
    }

    public Builder rounds(@Nullable Integer value) {
      return set("rounds", UPDATES, value, update::rounds);
    }

    public Builder iterations(@Nullable Integer value) {
      return set("iterations", SOLVES, value, update::iterations);
    }

    public Builder tolerance(@Nullable Double value) {
      return set("tolerance", SOLVES, value, update::tolerance);
    }

    public Builder rate(@Nullable Double value) {
      return set("rate", EnumSet.of(Method.FIRST_ORDER), value, update::rate);
    }

    public Builder damping(@Nullable Double value) {
      return set("damping", SOLVES, value, update::damping);
    }

    public Builder scale(@Nullable Double value) {
      return set("scale", EnumSet.of(Method.LISSA), value, update::scale);
    }

    public Builder seed(@Nullable Long value) {
      return set("seed", UPDATES, value, update::seed);
    }

    public Builder epochs(@Nullable Integer value) {
      return set("epochs", EnumSet.of(Method.FINE_TUNE), value, number -> epochs = number);
    }

    public Builder rememberedBeyond(@Nullable Double value) {
      rememberedBeyond = value;
      return this;
    }

    public Builder test(@Nullable TableSource value) {
      test = value;
      return this;
    }

    public Builder canary(@Nullable String value) {
      canary = value;
      return this;
    }

    public Builder partitions(int value) {
      partitions = value;
      return this;
    }

    private <T> Builder set(
        String key, EnumSet<Method> methods, @Nullable T value, Consumer<T> setter) {
      if (value != null) {
        given.add(new Given(key, value, methods));
        setter.accept(value);
      }
      return this;
    }

    /**
     * The options.
     *
     * @throws InvalidInputException naming the option that cannot be used, or that the method has
     *     no use for
     */
    public NeuralUnlearnOptions build() {
      boolean rated = given.stream().anyMatch(option -> option.key().equals("rate"));
      for (Given option : given) {
        if (!option.methods().contains(method)) {
          throw new InvalidInputException(
              option.shown()
                  + ": no option of --method "
                  + method.word()
                  + ", but of "
                  + option.methods().stream().map(Method::word).collect(Collectors.joining(", ")));
        }
        if (rated && CHOOSING_RATE.contains(option.key())) {
          throw new InvalidInputException(
              option.shown()
                  + ": --method first-order only chooses a rate by it; --rate gives one");
        }
      }
      return new NeuralUnlearnOptions(
          model,
          table,
          request,
          method,
          layers,
          method.update == null ? null : update.method(method.update).build(),
          rememberedBeyond,
          epochs,
          test,
          canary,
          out,
          partitions);
    }
  }
}

package dev.lethe.spark.featurizer;

import dev.lethe.spark.InvalidInputException;
import dev.lethe.spark.SparkErrors;
import dev.lethe.spark.SparkFailedException;
import dev.lethe.spark.TableColumns;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.attribute.Attribute;
import org.apache.spark.ml.attribute.AttributeGroup;
import org.apache.spark.ml.feature.DCT;
import org.apache.spark.ml.feature.FeatureHasher;
import org.apache.spark.ml.feature.Normalizer;
import org.apache.spark.ml.feature.PCAModel;
import org.apache.spark.ml.feature.PolynomialExpansion;
import org.apache.spark.ml.feature.StringIndexerModel;
import org.apache.spark.ml.feature.VectorSizeHint;
import org.apache.spark.ml.feature.VectorSlicer;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/**
 * Follows the removed features through the fitted stages, slot by slot.
 *
 * <p>A column without an entry in {@code columns} is kept. A feature enters at the moment its
 * column exists: with the table, or when a stage makes it.
 */
final class SlotWalk implements StageRules {
  private final List<RemovedFeature> features;
  private final StructType tableSchema;
  private final boolean[] entered;
  private final Map<String, SlotOrigin[]> columns = new HashMap<>();
  private final List<Transformer> published = new ArrayList<>();
  private final Set<String> removedColumns = new LinkedHashSet<>();
  // the table through the stages so far; only its schema is used, or one row for a vector's size
  private Dataset<Row> rows;
  // rows through the stage at hand, while its rule runs
  private Dataset<Row> next;
  private final Map<String, SlotOrigin[]> outputs = new LinkedHashMap<>();
  private @Nullable Transformer replacement;

  SlotWalk(List<RemovedFeature> features, Dataset<Row> table) {
    this.features = List.copyOf(features);
    this.tableSchema = table.schema();
    this.entered = new boolean[features.size()];
    this.rows = table;
    this.next = table;
    enter(null);
  }

  List<Transformer> published() {
    return List.copyOf(published);
  }

  /** The whole columns of the table that are removed, as the table spells them. */
  Set<String> removedColumns() {
    return Collections.unmodifiableSet(removedColumns);
  }

  void step(Transformer stage) {
    StageSupport support = StageSupport.of(stage);
    StageSupport.Rule rule = support == null ? null : support.rule();
    if (rule == null) {
      refuseIfAnyEntered(stage);
      // it may make any column anew; nothing is removed so far, so unknown means kept
      columns.clear();
    }
    next = transform(stage);
    outputs.clear();
    replacement = null;
    if (rule != null) {
      rule.apply(stage, this);
    }
    published.add(replacement == null ? stage : replacement);
    rows = next;
    columns.putAll(outputs);
    enter(stage);
  }

  /** Features whose column neither the table nor a stage has. */
  void refuseUnknownColumns() {
    for (int id = 0; id < entered.length; id++) {
      if (!entered[id]) {
        RemovedFeature feature = features.get(id);
        throw new InvalidInputException(
            feature.place()
                + ": there is no column '"
                + feature.column()
                + "' in the table; "
                + TableColumns.list(tableSchema)
                + "; slots of the vector columns that the model's stages make can be named, too");
      }
    }
  }

  /** True if a removed feature reaches a slot of this column. */
  boolean isTainted(String column) {
    return TableColumns.find(rows.schema(), column) != null
        && Arrays.stream(read(column)).anyMatch(slot -> !slot.isKept());
  }

  boolean hasColumn(String column) {
    return TableColumns.find(rows.schema(), column) != null;
  }

  boolean isVector(String column) {
    return isVector(field(rows, column));
  }

  /** The slots of a column in the rows so far: n for a vector, one for everything else. */
  SlotOrigin[] read(String column) {
    StructField found = TableColumns.find(rows.schema(), column);
    if (found == null) {
      return readNested(column);
    }
    SlotOrigin[] known = columns.get(found.name());
    if (known == null) {
      known = SlotOrigin.repeat(SlotOrigin.KEPT, isVector(found) ? size(rows, found) : 1);
      columns.put(found.name(), known);
    }
    return known;
  }

  /** A field of a struct (Spark 4 lets stages read them) stems from the whole struct. */
  private SlotOrigin[] readNested(String column) {
    int dot = column.indexOf('.');
    StructField head = dot < 0 ? null : TableColumns.find(rows.schema(), column.substring(0, dot));
    StructField nested = field(rows, column);
    SlotOrigin[] of = head == null ? null : columns.get(head.name());
    SlotOrigin slot = of == null ? SlotOrigin.KEPT : of[0];
    return SlotOrigin.repeat(slot, isVector(nested) ? size(rows, nested, column) : 1);
  }

  // ---- rules -------------------------------------------------------------------------------

  @Override
  public void columnwise(Transformer stage, StageSupport.OutputSize size) {
    List<String> inputs = StageColumns.inputs(stage);
    List<String> out = StageColumns.outputs(stage);
    for (int i = 0; i < out.size(); i++) {
      // StringIndexerModel passes over a column that the table does not have
      if (TableColumns.find(next.schema(), out.get(i)) != null) {
        SlotOrigin slot = merge(stage, read(inputs.get(i)));
        outputs.put(out.get(i), SlotOrigin.repeat(slot, size.of(stage, i)));
      }
    }
  }

  @Override
  public void slotwise(Transformer stage, boolean mapsZeroToZero) {
    List<String> inputs = StageColumns.inputs(stage);
    List<String> out = StageColumns.outputs(stage);
    for (int i = 0; i < out.size(); i++) {
      SlotOrigin[] slots = read(inputs.get(i)).clone();
      Arrays.setAll(slots, j -> slots[j].through(mapsZeroToZero));
      outputs.put(out.get(i), slots);
    }
  }

  @Override
  public void hint(VectorSizeHint stage) {
    StructField input = TableColumns.find(rows.schema(), stage.getInputCol());
    String column = input == null ? stage.getInputCol() : input.name();
    SlotOrigin[] known = columns.get(column);
    outputs.put(
        column,
        known == null ? SlotOrigin.repeat(SlotOrigin.KEPT, stage.getSize()) : known.clone());
  }

  @Override
  public void assemble(Transformer stage) {
    List<SlotOrigin> slots = new ArrayList<>();
    for (String input : StageColumns.inputs(stage)) {
      slots.addAll(Arrays.asList(read(input)));
    }
    output(stage, slots.toArray(new SlotOrigin[0]));
  }

  @Override
  public void select(Transformer stage, int[] selected) {
    SlotOrigin[] slots = read(StageColumns.inputs(stage).get(0));
    SlotOrigin[] out = new SlotOrigin[selected.length];
    for (int i = 0; i < out.length; i++) {
      if (selected[i] >= slots.length) {
        throw new InvalidInputException(
            "stage "
                + StageColumns.name(stage)
                + " selects slot "
                + selected[i]
                + " of column '"
                + StageColumns.inputs(stage).get(0)
                + "', which has "
                + slots.length
                + " slots");
      }
      out[i] = slots[selected[i]];
    }
    output(stage, out);
  }

  @Override
  public void slice(VectorSlicer stage) {
    select(stage, selected(stage, field(rows, stage.getInputCol())));
  }

  /** The slots of its input that a VectorSlicer puts out: those by index, then those by name. */
  static int[] selected(VectorSlicer stage, StructField input) {
    int[] byIndex = stage.getIndices();
    String[] byName = stage.getNames();
    int[] selected = Arrays.copyOf(byIndex, byIndex.length + byName.length);
    for (int i = 0; i < byName.length; i++) {
      // the stage's own transform has refused unknown names already
      selected[byIndex.length + i] = slotNames(input).indexOf(byName[i]);
    }
    return selected;
  }

  @Override
  public void normalize(Transformer stage) {
    SlotOrigin[] slots = read(((Normalizer) stage).getInputCol());
    SlotOrigin all = merge(stage, slots);
    output(stage, all.isKept() ? slots.clone() : SlotOrigin.repeat(all, slots.length));
  }

  @Override
  public void mix(Transformer stage) {
    List<SlotOrigin> slots = new ArrayList<>();
    for (String input : StageColumns.inputs(stage)) {
      slots.addAll(Arrays.asList(read(input)));
    }
    SlotOrigin all = merge(stage, slots.toArray(new SlotOrigin[0]));
    output(stage, SlotOrigin.repeat(all, mixedSize(stage, slots.size(), next)));
  }

  /** The number of slots that a mixing stage makes of that many; {@code next} is its output. */
  static int mixedSize(Transformer stage, int inputs, Dataset<Row> next) {
    if (stage instanceof PCAModel pca) {
      return pca.pc().numCols();
    }
    if (stage instanceof PolynomialExpansion expansion) {
      // monomials of degree 1 to k in n variables: C(n + k, k) - 1
      long count = 1;
      for (int i = 1; i <= expansion.getDegree(); i++) {
        count = count * (inputs + i) / i;
      }
      return Math.toIntExact(count - 1);
    }
    StructField out = field(next, StageColumns.outputs(stage).get(0));
    if (!isVector(out)) {
      return 1;
    }
    return stage instanceof DCT ? inputs : size(next, out);
  }

  /** FeatureHasher adds its columns up, so the published copy just does not read the removed. */
  @Override
  public void hash(FeatureHasher stage) {
    List<String> kept = new ArrayList<>();
    List<String> removed = new ArrayList<>();
    SortedSet<Integer> lost = new TreeSet<>();
    for (String input : stage.getInputCols()) {
      SlotOrigin slot = merge(stage, read(input));
      lost.addAll(slot.features());
      (slot.isKept() ? kept : removed).add(input);
    }
    int n = stage.getNumFeatures();
    if (removed.isEmpty()) {
      output(stage, SlotOrigin.repeat(new SlotOrigin(SlotOrigin.State.KEPT, lost), n));
      return;
    }
    if (kept.isEmpty()) {
      output(stage, SlotOrigin.repeat(new SlotOrigin(SlotOrigin.State.REMOVED, lost), n));
      return;
    }
    BitSet byKept = reach(stage, kept);
    BitSet byRemoved = reach(stage, removed);
    SlotOrigin stays = new SlotOrigin(SlotOrigin.State.KEPT, lost);
    SlotOrigin vacant = new SlotOrigin(SlotOrigin.State.VACANT, lost);
    SlotOrigin[] slots = new SlotOrigin[n];
    Arrays.setAll(slots, j -> byRemoved.get(j) && !byKept.get(j) ? vacant : stays);
    FeatureHasher copy = stage.copy(ParamMap.empty());
    copy.setInputCols(kept.toArray(new String[0]));
    if (stage.isDefined(stage.categoricalCols())) {
      copy.setCategoricalCols(
          Arrays.stream(stage.getCategoricalCols())
              .filter(column -> !removed.contains(column))
              .toArray(String[]::new));
    }
    replacement = copy;
    output(stage, slots);
  }

  /**
   * The slots that a FeatureHasher may add to for some row. A numeric column hashes its name, so it
   * has one slot; a categorical one hashes name and value, so it may reach any.
   */
  private BitSet reach(FeatureHasher hasher, List<String> inputs) {
    BitSet slots = new BitSet(hasher.getNumFeatures());
    Set<String> categorical =
        hasher.isDefined(hasher.categoricalCols()) ? Set.of(hasher.getCategoricalCols()) : Set.of();
    StructType ones = new StructType();
    for (String input : inputs) {
      boolean numeric = field(rows, input).dataType() instanceof NumericType;
      if (!numeric || categorical.contains(input)) {
        slots.set(0, hasher.getNumFeatures());
        return slots;
      }
      ones = ones.add(input, DataTypes.DoubleType);
    }
    // asks the stage itself where a 1 in every column goes; positive values cannot cancel
    Row row = RowFactory.create(inputs.stream().map(input -> (Object) 1.0).toArray());
    Dataset<Row> one = rows.sparkSession().createDataFrame(List.of(row), ones);
    Row hashed =
        new FeatureHasher()
            .setInputCols(inputs.toArray(new String[0]))
            .setOutputCol("hashed")
            .setNumFeatures(hasher.getNumFeatures())
            .transform(one)
            .select("hashed")
            .collectAsList()
            .get(0);
    for (int slot : ((Vector) hashed.get(0)).toSparse().indices()) {
      slots.set(slot);
    }
    return slots;
  }

  private void output(Transformer stage, SlotOrigin[] slots) {
    outputs.put(StageColumns.outputs(stage).get(0), slots);
  }

  /** What stems from all of these slots together; refused if kept and removed ones mix. */
  private SlotOrigin merge(Transformer stage, SlotOrigin[] slots) {
    boolean kept = false;
    SortedSet<Integer> removed = new TreeSet<>();
    for (SlotOrigin slot : slots) {
      kept |= slot.isKept();
      if (slot.state() == SlotOrigin.State.REMOVED) {
        removed.addAll(slot.features());
      }
    }
    if (kept && !removed.isEmpty()) {
      throw new InvalidInputException(
          origin(removed)
              + " reaches stage "
              + StageColumns.name(stage)
              + ", which mixes it with other features of "
              + StageColumns.inputs(stage)
              + " so that it cannot be taken out again; retrain the pipeline without it, or remove"
              + " every feature that this stage reads");
    }
    SortedSet<Integer> all = SlotOrigin.featuresOf(slots);
    if (kept || slots.length == 0) {
      return new SlotOrigin(SlotOrigin.State.KEPT, all);
    }
    return new SlotOrigin(SlotOrigin.State.REMOVED, all);
  }

  private void refuseIfAnyEntered(Transformer stage) {
    SortedSet<Integer> in = new TreeSet<>();
    for (int id = 0; id < entered.length; id++) {
      if (entered[id]) {
        in.add(id);
      }
    }
    if (!in.isEmpty()) {
      throw new InvalidInputException(
          origin(in)
              + " cannot be followed through stage "
              + StageColumns.name(stage)
              + ": what a stage of class "
              + stage.getClass().getName()
              + " reads cannot be seen; retrain the pipeline without the feature, or remove slots"
              + " of a vector column that this stage or a later one makes, by index or name");
    }
  }

  private String origin(SortedSet<Integer> ids) {
    List<RemovedFeature> of = ids.stream().map(features::get).toList();
    return of.get(0).place()
        + ": "
        + of.stream()
            .map(feature -> "'" + feature.label() + "'")
            .collect(Collectors.joining(", ", of.size() == 1 ? "feature " : "features ", ""));
  }

  // ---- features entering -------------------------------------------------------------------

  private void enter(@Nullable Transformer maker) {
    for (int id = 0; id < entered.length; id++) {
      RemovedFeature feature = features.get(id);
      StructField field = entered[id] ? null : TableColumns.find(rows.schema(), feature.column());
      if (field != null) {
        entered[id] = true;
        enter(id, feature, field, maker);
      }
    }
  }

  private void enter(
      int id, RemovedFeature feature, StructField field, @Nullable Transformer maker) {
    SlotOrigin[] slots;
    if (feature.isColumn()) {
      if (maker != null && !isVector(field)) {
        throw new InvalidInputException(
            feature.place()
                + ": column '"
                + feature.column()
                + "' is not in the table; stage "
                + StageColumns.name(maker)
                + " makes it from "
                + StageColumns.inputs(maker)
                + "; name the column of the table");
      }
      if (maker == null) {
        removedColumns.add(field.name());
      }
      slots = read(field.name()).clone();
      int of = id;
      Arrays.setAll(slots, j -> slots[j].removedBy(of));
    } else {
      if (!isVector(field)) {
        throw new InvalidInputException(
            feature.place()
                + ": column '"
                + feature.column()
                + "' has no slots, its type is "
                + field.dataType().simpleString()
                + "; remove the whole column, or name a vector column");
      }
      slots = read(field.name()).clone();
      int slot = slot(feature, field, slots.length);
      slots[slot] = slots[slot].removedBy(id);
    }
    columns.put(field.name(), slots);
  }

  private static int slot(RemovedFeature feature, StructField field, int size) {
    if (feature.index() != null) {
      int index = feature.index();
      if (index < 0 || index >= size) {
        throw new InvalidInputException(
            feature.place()
                + ": slot "
                + index
                + " of column '"
                + feature.column()
                + "' does not exist, its slots are 0 to "
                + (size - 1));
      }
      return index;
    }
    List<String> names = slotNames(field);
    int first = names.indexOf(feature.slotName());
    List<String> known = names.stream().filter(name -> !name.isEmpty()).toList();
    if (known.isEmpty()) {
      throw new InvalidInputException(
          feature.place()
              + ": the slots of column '"
              + feature.column()
              + "' have no names (it carries no ML attributes); name the slot by index, 0 to "
              + (size - 1));
    }
    if (first < 0) {
      throw new InvalidInputException(
          feature.place()
              + ": column '"
              + feature.column()
              + "' has no slot named '"
              + feature.slotName()
              + "'; it has "
              + known.size()
              + " named slots (names of one-hot slots are categories, so they are not listed)");
    }
    if (names.lastIndexOf(feature.slotName()) != first) {
      throw new InvalidInputException(
          feature.place()
              + ": column '"
              + feature.column()
              + "' has several slots named '"
              + feature.slotName()
              + "', "
              + first
              + " is the first; name the slot by index");
    }
    return first;
  }

  // ---- columns -----------------------------------------------------------------------------

  private Dataset<Row> transform(Transformer stage) {
    if (stage instanceof StringIndexerModel indexer && indexer.isSet(indexer.inputCols())) {
      // Spark ML would pass over the column, and strike its output out of the stage's own params.
      for (String input : indexer.getInputCols()) {
        if (TableColumns.find(rows.schema(), input) == null) {
          throw new InvalidInputException(
              "stage "
                  + StageColumns.name(stage)
                  + " reads column '"
                  + input
                  + "', which the table does not have; "
                  + TableColumns.list(tableSchema));
        }
      }
    }
    try {
      return stage.transform(rows);
    } catch (Exception e) { // AnalysisException is checked, and Scala does not declare it
      // The message of a failed requirement lists columns; that of a failed analysis prints the
      // plan, whose literals are categories, and that of a failed job may quote cells.
      boolean schema =
          e instanceof IllegalArgumentException && !TableColumns.mayBeCells(tableSchema);
      String condition = e instanceof AnalysisException ? SparkErrors.condition(e) : "";
      throw new InvalidInputException(
          "stage "
              + StageColumns.name(stage)
              + " cannot read the table, its input columns are "
              + StageColumns.inputs(stage)
              + (schema ? ": " + e.getMessage() : "")
              + (condition.isEmpty() ? "" : " (" + condition + ")"),
          e);
    }
  }

  static StructField field(Dataset<Row> rows, String column) {
    StructField found = TableColumns.find(rows.schema(), column);
    return found != null ? found : rows.select(rows.col(column)).schema().apply(0);
  }

  static boolean isVector(StructField field) {
    return field.dataType().equals(SQLDataTypes.VectorType());
  }

  static int size(Dataset<Row> rows, StructField field) {
    return size(rows, field, TableColumns.quoted(field.name()));
  }

  private static int size(Dataset<Row> rows, StructField field, String reference) {
    int size = AttributeGroup.fromStructField(field).size();
    if (size >= 0) {
      return size;
    }
    List<Row> first;
    try {
      first =
          rows.select(functions.col(reference))
              .where(functions.col(reference).isNotNull())
              .limit(1)
              .collectAsList();
    } catch (Exception e) { // what Spark throws here is checked, and Scala does not declare it
      SparkFailedException.throwIfOutage("column '" + field.name() + "'", e);
      throw unknownSize(field, "reading its first row failed", e);
    }
    if (first.isEmpty()) {
      throw unknownSize(field, "it has no row with a value", null);
    }
    return ((Vector) first.get(0).get(0)).size();
  }

  private static InvalidInputException unknownSize(
      StructField field, String reason, @Nullable Exception cause) {
    String message =
        "the number of slots of vector column '"
            + field.name()
            + "' is not known: it carries no ML attributes and "
            + reason;
    return cause == null
        ? new InvalidInputException(message)
        : new InvalidInputException(message, cause);
  }

  /** Slot names from the ML attributes, "" for a slot without one; empty if there are none. */
  static List<String> slotNames(StructField field) {
    scala.Option<Attribute[]> attributes = AttributeGroup.fromStructField(field).attributes();
    List<String> names = new ArrayList<>();
    if (attributes.isDefined()) {
      for (Attribute attribute : attributes.get()) {
        names.add(attribute.name().isDefined() ? attribute.name().get() : "");
      }
    }
    return names;
  }
}

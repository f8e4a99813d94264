package dev.lethe.spark.certificate;

import dev.lethe.spark.InvalidInputException;
import java.io.ByteArrayOutputStream;
import java.io.Serializable;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Date;
import java.sql.Timestamp;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.Period;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.ml.linalg.Matrix;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.ByteType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DayTimeIntervalType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.NullType;
import org.apache.spark.sql.types.ShortType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampNTZType;
import org.apache.spark.sql.types.TimestampType;
import org.apache.spark.sql.types.YearMonthIntervalType;
import org.jspecify.annotations.Nullable;
import scala.jdk.javaapi.CollectionConverters;

/**
 * The canonical bytes of a row: columns (and fields of structs) in the order of their names; before
 * every value one byte that is 0 for null and names the type otherwise; numbers big-endian, doubles
 * and floats by their bits with one NaN and two zeros; texts and byte strings after their length;
 * decimals by scale and unscaled value; dates as days and timestamps as microseconds since 1970;
 * vectors as size and the entries that are not +0, so that dense and sparse agree; maps in the
 * order of the bytes of their keys.
 */
final class RowEncoding implements Serializable {
  private static final long serialVersionUID = 1L;

  private final String[] names;
  private final int[] positions;
  private final Codec[] codecs;

  private RowEncoding(String[] names, int[] positions, Codec[] codecs) {
    this.names = names;
    this.positions = positions;
    this.codecs = codecs;
  }

  static RowEncoding of(StructType schema) {
    return of(schema, "");
  }

  private static RowEncoding of(StructType schema, String prefix) {
    StructField[] fields = schema.fields();
    Set<String> seen = new HashSet<>();
    for (StructField field : fields) {
      if (!seen.add(field.name())) {
        throw new InvalidInputException(
            "data: two columns have the name \"" + prefix + field.name() + "\"");
      }
    }
    Integer[] order = new Integer[fields.length];
    Arrays.setAll(order, i -> i);
    Arrays.sort(order, Comparator.comparing(i -> fields[i].name()));
    String[] names = new String[fields.length];
    int[] positions = new int[fields.length];
    Codec[] codecs = new Codec[fields.length];
    for (int k = 0; k < fields.length; k++) {
      positions[k] = order[k];
      names[k] = fields[order[k]].name();
      codecs[k] = codec(fields[order[k]].dataType(), prefix + names[k]);
    }
    return new RowEncoding(names, positions, codecs);
  }

  /** Names and types in canonical order; equal for two schemas that differ in nullability only. */
  String description() {
    StringBuilder text = new StringBuilder("struct(");
    for (int k = 0; k < names.length; k++) {
      text.append(names[k].length())
          .append(':')
          .append(names[k])
          .append(' ')
          .append(codecs[k].name())
          .append(';');
    }
    return text.append(')').toString();
  }

  void encode(Row row, Output out) {
    for (int k = 0; k < positions.length; k++) {
      codecs[k].put(row.get(positions[k]), out);
    }
  }

  private static Codec codec(DataType type, String column) {
    if (type instanceof BooleanType) {
      return new Codec("boolean", 1, (v, out) -> out.write((Boolean) v ? 1 : 0));
    } else if (type instanceof ByteType) {
      return new Codec("byte", 2, (v, out) -> out.write((Byte) v));
    } else if (type instanceof ShortType) {
      return new Codec("short", 3, (v, out) -> out.putInt((Short) v));
    } else if (type instanceof IntegerType) {
      return new Codec("int", 4, (v, out) -> out.putInt((Integer) v));
    } else if (type instanceof LongType) {
      return new Codec("long", 5, (v, out) -> out.putLong((Long) v));
    } else if (type instanceof FloatType) {
      return new Codec("float", 6, (v, out) -> out.putInt(Float.floatToIntBits((Float) v)));
    } else if (type instanceof DoubleType) {
      return new Codec("double", 7, (v, out) -> out.putLong(Double.doubleToLongBits((Double) v)));
    } else if (type instanceof StringType) {
      return new Codec(
          "string", 8, (v, out) -> out.putBytes(((String) v).getBytes(StandardCharsets.UTF_8)));
    } else if (type instanceof BinaryType) {
      return new Codec("binary", 9, (v, out) -> out.putBytes((byte[]) v));
    } else if (type instanceof DecimalType decimal) {
      return new Codec(
          "decimal(" + decimal.precision() + "," + decimal.scale() + ")",
          10,
          (v, out) -> {
            BigDecimal number = (BigDecimal) v;
            out.putInt(number.scale());
            out.putBytes(number.unscaledValue().toByteArray());
          });
    } else if (type instanceof DateType) {
      return new Codec("date", 11, (v, out) -> out.putLong(days(v)));
    } else if (type instanceof TimestampType) {
      return new Codec("timestamp", 12, (v, out) -> out.putLong(micros(v)));
    } else if (type instanceof TimestampNTZType) {
      return new Codec(
          "timestamp_ntz",
          13,
          (v, out) -> out.putLong(micros(((LocalDateTime) v).toInstant(ZoneOffset.UTC))));
    } else if (type instanceof DayTimeIntervalType) {
      return new Codec(
          "interval day to second",
          14,
          (v, out) -> {
            out.putLong(((Duration) v).getSeconds());
            out.putInt(((Duration) v).getNano());
          });
    } else if (type instanceof YearMonthIntervalType) {
      return new Codec(
          "interval year to month", 15, (v, out) -> out.putLong(((Period) v).toTotalMonths()));
    } else if (type instanceof NullType) {
      return new Codec("void", 16, (v, out) -> {});
    } else if (type.equals(SQLDataTypes.VectorType())) {
      return new Codec("vector", 17, (v, out) -> putVector((Vector) v, out));
    } else if (type.equals(SQLDataTypes.MatrixType())) {
      return new Codec("matrix", 18, (v, out) -> putMatrix((Matrix) v, out));
    } else if (type instanceof ArrayType array) {
      Codec element = codec(array.elementType(), column + "[]");
      return new Codec("array(" + element.name() + ")", 19, (v, out) -> putArray(v, element, out));
    } else if (type instanceof MapType map) {
      Codec key = codec(map.keyType(), column + "{}");
      Codec value = codec(map.valueType(), column + "{}");
      return new Codec(
          "map(" + key.name() + "," + value.name() + ")",
          20,
          (v, out) -> putMap(v, key, value, out));
    } else if (type instanceof StructType struct) {
      RowEncoding fields = of(struct, column + ".");
      return new Codec(fields.description(), 21, (v, out) -> fields.encode((Row) v, out));
    }
    throw new InvalidInputException(
        "data: column \""
            + column
            + "\" has the type "
            + type.simpleString()
            + ", which has no canonical form; leave it out or cast it");
  }

  private static long days(Object value) {
    // At the top level a date comes as its number, see DataDigest.
    if (value instanceof Number number) {
      return number.longValue();
    }
    return (value instanceof LocalDate date ? date : ((Date) value).toLocalDate()).toEpochDay();
  }

  private static long micros(Object value) {
    if (value instanceof Number number) {
      return number.longValue();
    }
    Instant instant = value instanceof Instant i ? i : ((Timestamp) value).toInstant();
    return Math.addExact(
        Math.multiplyExact(instant.getEpochSecond(), 1_000_000L), instant.getNano() / 1000);
  }

  private static void putVector(Vector vector, Output out) {
    out.putInt(vector.size());
    Output entries = new Output();
    vector.foreachActive(
        new scala.runtime.AbstractFunction2<Object, Object, scala.runtime.BoxedUnit>() {
          @Override
          public scala.runtime.BoxedUnit apply(Object index, Object value) {
            long bits = Double.doubleToLongBits((Double) value);
            if (bits != 0) {
              entries.putInt((Integer) index);
              entries.putLong(bits);
            }
            return scala.runtime.BoxedUnit.UNIT;
          }
        });
    out.putBytes(entries.toByteArray());
  }

  private static void putMatrix(Matrix matrix, Output out) {
    out.putInt(matrix.numRows());
    out.putInt(matrix.numCols());
    for (double value : matrix.toArray()) {
      out.putLong(Double.doubleToLongBits(value));
    }
  }

  private static void putArray(Object value, Codec element, Output out) {
    List<?> elements = CollectionConverters.asJava((scala.collection.Seq<?>) value);
    out.putInt(elements.size());
    for (Object e : elements) {
      element.put(e, out);
    }
  }

  private static void putMap(Object value, Codec key, Codec content, Output out) {
    Map<?, ?> map = CollectionConverters.asJava((scala.collection.Map<?, ?>) value);
    List<byte[]> entries = new ArrayList<>();
    for (Map.Entry<?, ?> e : map.entrySet()) {
      Output entry = new Output();
      key.put(e.getKey(), entry);
      content.put(e.getValue(), entry);
      entries.add(entry.toByteArray());
    }
    entries.sort(Arrays::compareUnsigned);
    out.putInt(entries.size());
    for (byte[] entry : entries) {
      out.putBytes(entry);
    }
  }

  /** Writes one value that is not null. */
  private interface Writer extends Serializable {
    void put(Object value, Output out);
  }

  private record Codec(String name, int tag, Writer writer) implements Serializable {
    void put(@Nullable Object value, Output out) {
      if (value == null) {
        out.write(0);
      } else {
        out.write(tag);
        writer.put(value, out);
      }
    }
  }

  /** A growing byte string. */
  static final class Output extends ByteArrayOutputStream {
    /** The buffer itself, of which the first {@link #size} bytes count. */
    byte[] array() {
      return buf;
    }

    void putInt(int value) {
      for (int shift = 24; shift >= 0; shift -= 8) {
        write(value >>> shift);
      }
    }

    void putLong(long value) {
      putInt((int) (value >>> 32));
      putInt((int) value);
    }

    void putBytes(byte[] value) {
      putInt(value.length);
      write(value, 0, value.length);
    }
  }
}

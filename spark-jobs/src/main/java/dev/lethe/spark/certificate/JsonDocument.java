package dev.lethe.spark.certificate;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import com.fasterxml.jackson.databind.type.LogicalType;
import dev.lethe.spark.InvalidInputException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Arrays;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Records to JSON and back, strictly: every field is written, null included; a field that is
 * unknown, missing or given twice is refused; no value is converted from another type. A double is
 * written with enough digits that reading it gives the same bits.
 */
public final class JsonDocument {
  private static final JsonMapper MAPPER =
      JsonMapper.builder()
          .enable(
              DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES,
              DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES,
              DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES,
              DeserializationFeature.FAIL_ON_NUMBERS_FOR_ENUMS,
              DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
          .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .withCoercionConfig(
              LogicalType.Float, c -> c.setCoercion(CoercionInputShape.String, CoercionAction.Fail))
          .addModule(
              new SimpleModule()
                  .addSerializer(Instant.class, new InstantSerializer())
                  .addDeserializer(Instant.class, new InstantDeserializer()))
          .build();

  /** Fixed line ends, so that the same document has the same bytes on every system. */
  private static final ObjectWriter WRITER =
      MAPPER.writer(
          new DefaultPrettyPrinter()
              .withObjectIndenter(new DefaultIndenter("  ", "\n"))
              .withArrayIndenter(new DefaultIndenter("  ", "\n")));

  private JsonDocument() {}

  /** A document, all of it, in UTF-8. */
  public static byte[] write(Object document) {
    return write(document, Set.of());
  }

  /** A document on one line, as Spark's JSON source reads it, in UTF-8. */
  public static byte[] line(Object document) {
    try {
      byte[] json = MAPPER.writeValueAsBytes(document);
      byte[] line = Arrays.copyOf(json, json.length + 1);
      line[json.length] = '\n';
      return line;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * @param omitted fields that the document's version lacks
   */
  static byte[] write(Object document, Set<String> omitted) {
    try {
      Object written =
          omitted.isEmpty() ? document : MAPPER.<ObjectNode>valueToTree(document).without(omitted);
      // bytes at once: of millions of parameters, a text and its copies would not fit beside them
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      WRITER.without(JsonGenerator.Feature.AUTO_CLOSE_TARGET).writeValue(bytes, written);
      bytes.write('\n');
      return bytes.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Reads one document, of this version or, where that is known, of version 1.
   *
   * @param sinceVersion1 fields that version 1 lacks: null in such a document; null if version 1 is
   *     not read
   * @param source the file, for messages
   * @throws InvalidInputException naming the file and the field; cells of the document are not
   *     quoted, for it may be confidential
   */
  public static <T> T read(
      byte[] json,
      Class<T> type,
      int schemaVersion,
      @Nullable Set<String> sinceVersion1,
      String source) {
    try {
      // Asked first: of a later version even the field names are unknown.
      Integer version = version(json);
      boolean first = sinceVersion1 != null && version != null && version == 1;
      if (version == null || !(first || version == schemaVersion)) {
        throw new InvalidInputException(
            source
                + ": schemaVersion is "
                + (version == null ? "missing or no integer" : version)
                + "; this version of Lethe reads schemaVersion "
                + (sinceVersion1 == null ? "" : "1 and ")
                + schemaVersion);
      }
      if (first && sinceVersion1 != null && MAPPER.readTree(json) instanceof ObjectNode document) {
        for (String field : sinceVersion1) {
          if (document.replace(field, document.nullNode()) != null) {
            throw new InvalidInputException(
                source + ": unknown field \"" + field + "\" in schemaVersion 1");
          }
        }
        return MAPPER.treeToValue(document, type);
      }
      // From the bytes, not the tree: a number in the tree is already a rounded one.
      return MAPPER.readValue(json, type);
    } catch (UnrecognizedPropertyException e) {
      throw new InvalidInputException(
          source + ": unknown field \"" + e.getPropertyName() + "\"" + place(e), e);
    } catch (JsonMappingException e) {
      String detail =
          e.getCause() instanceof IllegalArgumentException
                  || e.getCause() instanceof InvalidInputException
              ? String.valueOf(e.getCause().getMessage())
              : "a field is missing, null or of the wrong type";
      throw new InvalidInputException(source + ": " + detail + place(e), e);
    } catch (JsonProcessingException e) {
      throw new InvalidInputException(
          source
              + ": not a JSON document (line "
              + (e.getLocation() == null ? "unknown" : e.getLocation().getLineNr())
              + ")",
          e);
    } catch (IOException e) {
      throw new InvalidInputException(source + ": cannot be read", e);
    }
  }

  /** Found without a tree of the document, which may have millions of numbers. */
  private static @Nullable Integer version(byte[] json) throws IOException {
    try (JsonParser in = MAPPER.createParser(json)) {
      in.nextToken();
      while (in.nextToken() == JsonToken.FIELD_NAME) {
        boolean found = in.currentName().equals("schemaVersion");
        JsonToken value = in.nextToken();
        if (found) {
          return value == JsonToken.VALUE_NUMBER_INT
                  && in.getNumberType() == JsonParser.NumberType.INT
              ? in.getIntValue()
              : null;
        }
        in.skipChildren();
      }
      return null;
    }
  }

  private static String place(JsonMappingException e) {
    String path =
        e.getPath().stream()
            .map(r -> r.getFieldName() != null ? r.getFieldName() : "[" + r.getIndex() + "]")
            .collect(Collectors.joining("."));
    return (path.isEmpty() ? "" : " at " + path)
        + (e.getLocation() == null ? "" : " (line " + e.getLocation().getLineNr() + ")");
  }

  private static final class InstantSerializer extends StdSerializer<Instant> {
    private static final long serialVersionUID = 1L;

    InstantSerializer() {
      super(Instant.class);
    }

    @Override
    public void serialize(Instant value, JsonGenerator out, SerializerProvider provider)
        throws IOException {
      out.writeString(value.toString());
    }
  }

  private static final class InstantDeserializer extends StdDeserializer<Instant> {
    private static final long serialVersionUID = 1L;

    InstantDeserializer() {
      super(Instant.class);
    }

    @Override
    public Instant deserialize(JsonParser in, DeserializationContext context) throws IOException {
      String text = in.getText();
      try {
        return Instant.parse(text);
      } catch (DateTimeException e) {
        throw JsonMappingException.from(
            in, "not an instant", new IllegalArgumentException("a time must be ISO 8601 in UTC"));
      }
    }
  }
}

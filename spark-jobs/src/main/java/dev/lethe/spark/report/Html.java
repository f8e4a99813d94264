package dev.lethe.spark.report;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * HTML under construction: elements are closed in order, text and attributes are escaped. Text is
 * hostile: names come from tables.
 */
final class Html {
  /** A longer text is cut: a name may be as long as its author likes. */
  private static final int MAX_NAME = 160;

  private final StringBuilder out = new StringBuilder();
  private final Deque<String> open = new ArrayDeque<>();

  /** Begins an element. */
  Html open(String element, String... attributes) {
    tag(element, attributes).append('>');
    open.push(element);
    return this;
  }

  /** Ends the element that began last. */
  Html close() {
    out.append("</").append(open.pop()).append('>');
    return this;
  }

  /** Ends elements that begin a line of their own. */
  Html closeLine() {
    close();
    out.append('\n');
    return this;
  }

  /** An element without content, of HTML. */
  Html empty(String element, String... attributes) {
    tag(element, attributes).append('>');
    return this;
  }

  /** An element without content, of SVG. */
  Html shape(String element, String... attributes) {
    tag(element, attributes).append("/>");
    return this;
  }

  /** An element with a text alone. */
  Html element(String element, String text, String... attributes) {
    return open(element, attributes).text(text).close();
  }

  Html text(String text) {
    escape(text);
    return this;
  }

  /** A name from elsewhere: cut, and apart from the direction of the text around. */
  Html name(String name) {
    return element("bdi", cut(name));
  }

  static String cut(String name) {
    if (name.length() <= MAX_NAME) {
      return name;
    }
    int end = Character.isHighSurrogate(name.charAt(MAX_NAME - 1)) ? MAX_NAME - 1 : MAX_NAME;
    return name.substring(0, end) + "\u2026";
  }

  /** A number for people, with its exact value for machines. */
  Html figure(double value) {
    return figure(value, Figure.of(value));
  }

  /** The same of a number that was chosen, not measured. */
  Html setting(double value) {
    return figure(value, Figure.setting(value));
  }

  /** The same in given words; what follows {@code ^} is a power. */
  Html figure(double value, String words) {
    open("data", "value", Double.toString(value));
    int at = out.length();
    out.append(words);
    int exponent = out.indexOf("^", at);
    if (exponent >= 0) {
      String power = out.substring(exponent + 1);
      out.setLength(exponent);
      element("sup", power);
    }
    return close();
  }

  Html line() {
    out.append('\n');
    return this;
  }

  /** What is known to need no escaping. */
  Html raw(String text) {
    out.append(text);
    return this;
  }

  private StringBuilder tag(String element, String... attributes) {
    out.append('<').append(element);
    for (int i = 0; i < attributes.length; i += 2) {
      out.append(' ').append(attributes[i]).append("=\"");
      escape(attributes[i + 1]);
      out.append('"');
    }
    return out;
  }

  private void escape(String text) {
    text.codePoints()
        .forEach(
            c -> {
              switch (c) {
                case '&' -> out.append("&amp;");
                case '<' -> out.append("&lt;");
                case '>' -> out.append("&gt;");
                case '"' -> out.append("&quot;");
                case '\'' -> out.append("&#39;");
                default -> out.appendCodePoint(isShown(c) ? c : '\ufffd');
              }
            });
  }

  /** Not what is invisible or turns the direction of text, nor half a character. */
  private static boolean isShown(int c) {
    int type = Character.getType(c);
    return c == '\n'
        || (type != Character.CONTROL
            && type != Character.FORMAT
            && type != Character.SURROGATE
            && type != Character.LINE_SEPARATOR
            && type != Character.PARAGRAPH_SEPARATOR);
  }

  @Override
  public String toString() {
    if (!open.isEmpty()) {
      throw new IllegalStateException("not closed: " + open);
    }
    return out.toString();
  }
}

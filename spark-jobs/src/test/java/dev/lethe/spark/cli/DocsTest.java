package dev.lethe.spark.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.lethe.spark.request.RequestReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/**
 * README.md and docs/ against the code: links, commands, usage texts, requests.
 *
 * <p>{@code -Dlethe.docs.rewrite=true} writes the current usage texts into docs/cli.md.
 */
class DocsTest {
  private static final Path ROOT = root();
  private static final Path CLI = ROOT.resolve("docs/cli.md");

  /** A fenced block: language, content. */
  private static final Pattern FENCED = Pattern.compile("(?ms)^```(\\w*)\n(.*?)^```$");

  /** A usage text in docs/cli.md: the command, then its block. */
  private static final Pattern USAGE =
      Pattern.compile("(?s)<!-- usage: ([\\w ]+) -->\n```text\n(.*?)```\n");

  /** The program that a command line starts: Lethe's script, the command itself, or its jar. */
  private static final Pattern PROGRAM =
      Pattern.compile("(?:\\S*scripts/)?lethe|\\S*lethe-spark-\\S*\\.jar");

  @Test
  void links_relative_leadSomewhere() throws IOException {
    List<String> broken = new ArrayList<>();
    int links = 0;
    for (Path page : pages()) {
      Matcher link = Pattern.compile("]\\(([^)\\s]+)\\)").matcher(withoutCode(read(page)));
      while (link.find()) {
        if (link.group(1).matches("[a-z]+:.*")) {
          continue;
        }
        links++;
        String[] parts = link.group(1).split("#", 2);
        Path target = parts[0].isEmpty() ? page : page.resolveSibling(parts[0]).normalize();
        if (!Files.exists(target)
            || (parts.length == 2 && !anchors(read(target)).contains(parts[1]))) {
          broken.add(ROOT.relativize(page) + ": " + link.group(1));
        }
      }
    }
    assertThat(broken).isEmpty();
    assertThat(links).as("links found").isGreaterThan(10);
  }

  @Test
  void commands_all_areUnderstood() throws IOException {
    int commands = 0;
    for (Path page : pages()) {
      for (List<String> words : commands(read(page))) {
        commands++;
        try {
          Lethe.commandLine().parseArgs(words.toArray(String[]::new));
        } catch (CommandLine.ParameterException e) {
          fail(ROOT.relativize(page) + ": lethe " + String.join(" ", words) + ": " + e, e);
        }
      }
    }
    assertThat(commands).as("commands found").isGreaterThan(10);
  }

  @Test
  void usage_everyCommand_isCurrent() throws IOException {
    String page = read(CLI);
    Map<String, String> current = usages();
    if (Boolean.getBoolean("lethe.docs.rewrite")) {
      page =
          USAGE
              .matcher(page)
              .replaceAll(
                  block ->
                      Matcher.quoteReplacement(
                          "<!-- usage: %s -->\n```text\n%s```\n"
                              .formatted(block.group(1), current.get(block.group(1)))));
      Files.writeString(CLI, page);
    }
    Map<String, String> written = new LinkedHashMap<>();
    Matcher block = USAGE.matcher(page);
    while (block.find()) {
      written.put(block.group(1), block.group(2));
    }
    assertThat(written)
        .as("run the test with -Dlethe.docs.rewrite=true to write the current texts")
        .isEqualTo(current);
  }

  @Test
  void requests_all_areRead() throws IOException {
    int requests = 0;
    for (Path page : pages()) {
      Matcher block = FENCED.matcher(read(page));
      while (block.find()) {
        if (block.group(1).equals("yaml")) {
          RequestReader.read(ROOT.relativize(page) + ".yaml", block.group(2));
          requests++;
        }
      }
    }
    assertThat(requests).as("requests found").isGreaterThan(4);
  }

  @Test
  void pages_all_nameNoFolderOfOneMachine() throws IOException {
    Pattern folder =
        Pattern.compile("(?<![\\w.:/-])/(work|root|home|Users|mnt|tmp|var(?!/\\w+/lethe\\b))/\\S*");
    for (Path page : pages()) {
      assertThat(folder.matcher(read(page)).results().map(found -> found.group()))
          .as(ROOT.relativize(page).toString())
          .isEmpty();
    }
  }

  private static Map<String, String> usages() {
    Map<String, String> usages = new LinkedHashMap<>();
    CommandLine lethe = Lethe.commandLine();
    usages.put("lethe", lethe.getUsageMessage(CommandLine.Help.Ansi.OFF));
    lethe
        .getSubcommands()
        .forEach(
            (name, command) -> {
              usages.put(name, command.getUsageMessage(CommandLine.Help.Ansi.OFF));
              command
                  .getSubcommands()
                  .forEach(
                      (inner, one) ->
                          usages.put(
                              name + " " + inner, one.getUsageMessage(CommandLine.Help.Ansi.OFF)));
            });
    usages.remove("help");
    usages.replaceAll((name, text) -> text.replace(System.lineSeparator(), "\n"));
    usages.replaceAll((name, text) -> text.replaceAll("(?m)[ \t]+$", ""));
    return usages;
  }

  /** The arguments of every Lethe command in a page's code blocks, docs/cli.md's usage included. */
  private static List<List<String>> commands(String page) {
    List<List<String>> commands = new ArrayList<>();
    for (String line : String.join("\n", blocks(page)).replaceAll("\\\\\n\\s*", " ").split("\n")) {
      for (String part : line.split("&&")) {
        List<String> words = words(part);
        for (int k = 0; k < words.size(); k++) {
          boolean first = k == 0 || (k == 1 && words.get(0).equals("$"));
          boolean submitted = words.get(k).endsWith(".jar") && words.contains("spark-submit");
          if ((first || submitted) && PROGRAM.matcher(words.get(k)).matches()) {
            List<String> arguments = words.subList(k + 1, words.size());
            if (!arguments.isEmpty()) {
              commands.add(arguments);
            }
            break;
          }
        }
      }
    }
    return commands;
  }

  /** Shell and usage blocks, fenced or indented by four spaces. */
  private static List<String> blocks(String page) {
    List<String> blocks = new ArrayList<>();
    Matcher fenced = FENCED.matcher(page);
    while (fenced.find()) {
      if (List.of("", "sh", "console").contains(fenced.group(1))) {
        blocks.add(fenced.group(2));
      } else if (fenced.group(1).equals("text")) {
        // The examples at the end of a usage text; its synopsis is no command.
        Matcher example = Pattern.compile("Examples?:").matcher(fenced.group(2));
        blocks.add(example.find() ? fenced.group(2).substring(example.start()) : "");
      }
    }
    Matcher indented =
        Pattern.compile("(?m)^    (.*)$").matcher(FENCED.matcher(page).replaceAll(""));
    while (indented.find()) {
      blocks.add(indented.group(1));
    }
    return blocks.stream().map(block -> block.replaceAll("(?m)^ +", "")).toList();
  }

  /** The words of a shell line: blanks separate, quotes hold together. */
  private static List<String> words(String line) {
    List<String> words = new ArrayList<>();
    Matcher word = Pattern.compile("(?:\"[^\"]*\"|'[^']*'|[^\\s\"'])+").matcher(line.strip());
    while (word.find()) {
      words.add(word.group().replaceAll("[\"']", ""));
    }
    return words;
  }

  private static String withoutCode(String page) {
    return FENCED.matcher(page).replaceAll("").replaceAll("`[^`\n]*`", "");
  }

  /** GitHub's anchors of a page's headings. */
  private static TreeSet<String> anchors(String page) {
    TreeSet<String> anchors = new TreeSet<>();
    Matcher heading = Pattern.compile("(?m)^#+ (.*)$").matcher(FENCED.matcher(page).replaceAll(""));
    while (heading.find()) {
      anchors.add(
          heading.group(1).toLowerCase(Locale.ROOT).replaceAll("[^\\w\\- ]", "").replace(' ', '-'));
    }
    return anchors;
  }

  private static List<Path> pages() throws IOException {
    List<Path> pages = new ArrayList<>(Arrays.asList(ROOT.resolve("README.md")));
    try (Stream<Path> docs = Files.list(ROOT.resolve("docs"))) {
      docs.filter(file -> file.toString().endsWith(".md")).sorted().forEach(pages::add);
    }
    return pages;
  }

  private static String read(Path page) throws IOException {
    return Files.readString(page).replace("\r\n", "\n");
  }

  private static Path root() {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.exists(folder.resolve("docs/cli.md"))) {
      folder = folder.getParent();
      if (folder == null) {
        throw new IllegalStateException("no folder above has docs/cli.md");
      }
    }
    return folder;
  }
}

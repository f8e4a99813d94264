package dev.lethe.spark.certificate;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.file.Files;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

/**
 * One of several processes that create the same files: {@code SETTINGS ROOT NAMES READY GO}. It
 * prints those that it created, with what it wrote into them.
 */
public final class NameTaker {
  private NameTaker() {}

  public static void main(String[] args) throws Exception {
    Configuration conf = new Configuration();
    conf.addResource(new Path(java.nio.file.Path.of(args[0]).toUri()));
    Path root = new Path(args[1]);
    Storage storage = Storage.of(conf, root);
    // Loads what the first file needs.
    storage.exists(root);
    storage.createIfAbsent(new Path(root.getParent(), "warm-" + UUID.randomUUID()), new byte[1]);
    Files.createFile(java.nio.file.Path.of(args[3]));
    while (!Files.exists(java.nio.file.Path.of(args[4]))) {
      Thread.sleep(1);
    }
    for (int k = 0; k < Integer.parseInt(args[2]); k++) {
      String content = UUID.randomUUID().toString();
      if (storage.createIfAbsent(new Path(root, "entry-" + k), content.getBytes(UTF_8))) {
        System.out.println("entry-" + k + " " + content);
      }
    }
  }
}

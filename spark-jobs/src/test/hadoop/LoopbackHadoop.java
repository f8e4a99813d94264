import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.MiniDFSCluster;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.server.MiniYARNCluster;

/**
 * A NameNode, a DataNode and, if asked for, a YARN of two nodes, on loopback, until standard input
 * ends. Compiled when it is started ({@code java LoopbackHadoop.java FOLDER [yarn]}): its classes
 * come with scripts/hadoop-jars and are on no class path of the build.
 *
 * <p>FOLDER/conf appears, with what clients need to know and nothing of the servers' settings, when
 * all of them are up. Some of those name classes that clients do not have, the network topology's
 * among them.
 */
public final class LoopbackHadoop {
  private LoopbackHadoop() {}

  public static void main(String[] args) throws Exception {
    Path folder = Path.of(args[0]);
    // Where MiniYARNCluster puts the work of its nodes and the containers' logs.
    System.setProperty("test.build.data", folder.resolve("yarn").toString());
    Configuration conf = new YarnConfiguration();
    // A full disk of the machine is no business of the tests.
    conf.set("yarn.nodemanager.disk-health-checker.enable", "false");
    conf.set("yarn.nodemanager.resource.memory-mb", "3072");
    conf.set("yarn.nodemanager.pmem-check-enabled", "false");
    conf.set("yarn.nodemanager.vmem-check-enabled", "false");
    conf.set("yarn.scheduler.minimum-allocation-mb", "128");
    // What distributions bring in capacity-scheduler.xml.
    conf.set("yarn.scheduler.capacity.root.queues", "default");
    conf.set("yarn.scheduler.capacity.root.default.capacity", "100");
    // The default lets the first application's driver in only.
    conf.set("yarn.scheduler.capacity.maximum-am-resource-percent", "0.5");
    conf.set("yarn.minicluster.fixed.ports", "false");
    conf.set("dfs.replication", "1");
    MiniDFSCluster hdfs =
        new MiniDFSCluster.Builder(conf, folder.resolve("hdfs").toFile()).numDataNodes(1).build();
    hdfs.waitActive();
    Path site = Files.createDirectories(folder.resolve("conf.writing"));
    write(site.resolve("core-site.xml"), Map.of("fs.defaultFS", hdfs.getURI().toString()));
    write(site.resolve("hdfs-site.xml"), Map.of("dfs.replication", "1"));
    MiniYARNCluster yarn = null;
    if (args.length > 1) {
      yarn = new MiniYARNCluster("nodes", 2, 1, 1);
      yarn.init(conf);
      yarn.start();
      if (!yarn.waitForNodeManagersToConnect(60_000)) {
        throw new IllegalStateException("the nodes did not register within a minute");
      }
      Configuration running = yarn.getConfig();
      Configuration known = new Configuration(false);
      for (Map.Entry<String, String> entry : running) {
        if (entry.getKey().matches("yarn\\.resourcemanager\\.([a-z-]+\\.)*address")) {
          known.set(entry.getKey(), running.get(entry.getKey()));
        }
      }
      write(site.resolve("yarn-site.xml"), known);
    }
    Files.move(site, folder.resolve("conf"));
    while (System.in.read() >= 0) {
      continue;
    }
    if (yarn != null) {
      yarn.stop();
    }
    hdfs.shutdown();
    System.exit(0);
  }

  private static void write(Path file, Map<String, String> settings) throws IOException {
    Configuration conf = new Configuration(false);
    settings.forEach(conf::set);
    write(file, conf);
  }

  private static void write(Path file, Configuration conf) throws IOException {
    try (OutputStream out = new FileOutputStream(file.toFile())) {
      conf.writeXml(out);
    }
  }
}

import static java.nio.charset.StandardCharsets.UTF_8;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Scanner;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The applications of examples/events, as a team would write them; the broker is $BROKER. */
public final class Events {
  private static Map<String, Object> config() {
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", System.getenv("BROKER"));
    return config;
  }

  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "topics" -> topics(args);
      case "produce" -> produce();
      case "work" -> work(args[1], args[2]);
      case "produce-shared" -> produceShared();
      case "work-shared" -> workShared(args[1], args[2]);
      case "dead" -> dead(Integer.parseInt(args[1]));
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  /** Makes topics, each written NAME or NAME=PARTITIONS: what the Topic Operator does of KafkaTopics. */
  private static void topics(String[] names) throws Exception {
    List<NewTopic> topics = new ArrayList<>();
    for (int index = 1; index < names.length; index++) {
      String[] parts = names[index].split("=");
      Optional<Integer> partitions = Optional.of(parts.length > 1 ? Integer.parseInt(parts[1]) : 3);
      topics.add(new NewTopic(parts[0], partitions, Optional.of((short) 1)));
    }
    try (Admin admin = Admin.create(config())) {
      admin.createTopics(topics).all().get();
    }
  }

  /** A line "TENANT ID" is an order: the tenant header that the service received, and what it is about. */
  private static void produce() {
    Map<String, String> topics = new HashMap<>();
    for (String pair : System.getenv("TOPICS_ORDERS").split(",")) {
      topics.put(pair.split("=")[0], pair.split("=")[1]);
    }
    try (Scanner lines = new Scanner(System.in);
        var producer = new KafkaProducer<>(config(), new StringSerializer(), new StringSerializer())) {
      while (lines.hasNextLine()) {
        String[] parts = lines.nextLine().split(" ");
        String tenant = parts[0];
        String topic = topics.getOrDefault(tenant, "orders");
        producer.send(new ProducerRecord<>(topic, parts[1], "order " + parts[1]));
      }
    }
  }

  /** Calls ledger about each order, through its sidecar; there is no request that a header could be copied from. */
  private static void work(String sidecar, String ledger) throws Exception {
    Map<String, Object> config = config();
    config.put("group.id", System.getenv("CONSUMER_GROUP"));
    config.put("auto.offset.reset", "earliest");
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of(System.getenv("TOPIC_ORDERS")));
      while (true) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
          URI uri = URI.create("http://" + sidecar + "/?path=ledger&run=invoice-" + record.key());
          HttpRequest request = HttpRequest.newBuilder(uri).header("host", ledger).build();
          int status = client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode();
          System.out.println(record.key() + " " + record.topic() + " " + status);
        }
      }
    }
  }

  /** A line "TENANT BAGGAGE ID": one topic for all, and what the request said of itself goes into the record's headers. */
  private static void produceShared() {
    try (Scanner lines = new Scanner(System.in);
        var producer = new KafkaProducer<>(config(), new StringSerializer(), new StringSerializer())) {
      while (lines.hasNextLine()) {
        String[] parts = lines.nextLine().split(" ");
        var record = new ProducerRecord<>("shared", parts[2], "order " + parts[2]);
        record.headers().add("tenant", parts[0].getBytes(UTF_8)).add("baggage", parts[1].getBytes(UTF_8));
        producer.send(record);
      }
    }
  }

  /** Calls ledger with what each record's headers say. A tenth of the orders fails at first, and half of these for good. */
  private static void workShared(String sidecar, String ledger) throws Exception {
    Map<String, Object> config = config();
    config.put("group.id", "shared");
    config.put("auto.offset.reset", "earliest");
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
        var producer = new KafkaProducer<>(config(), new StringSerializer(), new StringSerializer())) {
      consumer.subscribe(List.of("shared", "shared.retry"));
      while (true) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
          int id = Integer.parseInt(record.key());
          if (id % 10 == 0 && record.topic().equals("shared")) {
            producer.send(again("shared.retry", record));
            continue;
          }
          if (id % 20 == 0) {
            producer.send(again("shared.dead", record));
            continue;
          }
          URI uri = URI.create("http://" + sidecar + "/?path=ledger&run=shared-" + record.key());
          HttpRequest.Builder request = HttpRequest.newBuilder(uri).header("host", ledger);
          for (String name : List.of("tenant", "baggage")) {
            Header header = record.headers().lastHeader(name);
            if (header != null) {
              request.header(name, new String(header.value(), UTF_8));
            }
          }
          client.send(request.build(), HttpResponse.BodyHandlers.ofString());
        }
      }
    }
  }

  /** The same record for another topic, with all of its headers: without them it would be a live user's. */
  private static ProducerRecord<String, String> again(String topic, ConsumerRecord<String, String> record) {
    return new ProducerRecord<>(topic, null, record.key(), record.value(), record.headers());
  }

  /** Prints so many dead letters: key, tenant, baggage. */
  private static void dead(int count) {
    Map<String, Object> config = config();
    config.put("group.id", "dead");
    config.put("auto.offset.reset", "earliest");
    try (var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of("shared.dead"));
      for (int seen = 0; seen < count; ) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
          Header tenant = record.headers().lastHeader("tenant");
          Header baggage = record.headers().lastHeader("baggage");
          System.out.println(
              record.key() + " " + new String(tenant.value(), UTF_8) + " " + new String(baggage.value(), UTF_8));
          seen++;
        }
      }
    }
  }
}

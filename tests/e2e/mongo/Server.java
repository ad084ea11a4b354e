// A server that speaks MongoDB's protocol, with a log of changes unless "alone" is said: java Server.java PORT [alone]
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;

public class Server {
    public static void main(String[] words) throws Exception {
        MongoServer server = new MongoServer(new MemoryBackend());
        if (words.length < 2 || !words[1].equals("alone")) {
            server.enableOplog();
        }
        server.bind("127.0.0.1", Integer.parseInt(words[0]));
        System.out.println("listening");
        Thread.currentThread().join();
    }
}

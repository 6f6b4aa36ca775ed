import java.net.URI;
import java.sql.DriverManager;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Has Transactions transfer money from several threads, and says how it went. Used by `cargo xtask templates`. */
public final class Drive {
    /** What one worker says: done, found, refused, attempts. */
    private static long[] work(int worker, String url, String user, String password) throws Exception {
        long[] told = new long[4];
        try (Transactions transactions = new Transactions(() -> DriverManager.getConnection(url, user, password))) {
            for (int number = 0; number < Integer.parseInt(System.getenv("TRANSFERS")); number++) {
                long source = (worker * 7 + number * 3) % 8;
                long target = (source + 1 + number % 7) % 8;
                long amount = 1 + number % 20;
                try {
                    boolean done = transactions.run(
                        UUID.randomUUID(),
                        connection -> Transactions.transfer(connection, source + 1, target + 1, amount));
                    told[done ? 0 : 1]++;
                } catch (Transactions.Refused refused) {
                    told[2]++;
                }
            }
            told[3] = transactions.attempts;
        }
        return told;
    }

    public static void main(String[] arguments) throws Exception {
        URI address = URI.create(System.getenv("DATABASE_URL"));
        String[] login = address.getUserInfo().split(":", 2);
        // Without server-side names of statements the line that is cut can see which one is a commit.
        String url = "jdbc:postgresql://" + address.getHost() + ":" + address.getPort() + address.getPath()
            + "?sslmode=disable&prepareThreshold=0";
        int workers = Integer.parseInt(System.getenv("WORKERS"));
        ExecutorService threads = Executors.newFixedThreadPool(workers);
        List<Callable<long[]>> all = new ArrayList<>();
        for (int number = 0; number < workers; number++) {
            int worker = number;
            all.add(() -> work(worker, url, login[0], login[1]));
        }
        long[] told = new long[4];
        try {
            for (Future<long[]> ended : threads.invokeAll(all)) {
                for (int place = 0; place < told.length; place++) {
                    told[place] += ended.get()[place];
                }
            }
        } finally {
            // Its threads would keep a program alive that has failed.
            threads.shutdown();
        }
        System.out.printf(
            "{\"done\": %d, \"found\": %d, \"refused\": %d, \"attempts\": %d}%n", told[0], told[1], told[2], told[3]);
    }
}

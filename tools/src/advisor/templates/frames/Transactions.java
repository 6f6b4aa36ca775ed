import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Runs a transaction until it has committed once.
 *
 * <p>ABOUT
 *
 * <p>Needs Java 17, the PostgreSQL JDBC driver 42, and the table of request.sql.
 */
public final class Transactions implements AutoCloseable {
    private static final int MOST_ATTEMPTS = 12;
    private static final long FIRST_PAUSE_MS = 10;
    private static final long LONGEST_PAUSE_MS = 1_000;

    /** The server refused this attempt as a whole; the next one may succeed. */
    private static final Set<String> TRY_AGAIN = Set.of("40001", "40P01", "55P03");

    /** The business says no. Nothing was done. */
    public static final class Refused extends Exception {}

    /** Somebody was faster. Nothing was done; the transaction begins anew. */
    public static final class Again extends Exception {}

    /** Opens a connection, or takes one from a pool. */
    public interface Connect {
        Connection connect() throws SQLException;
    }

    /** What is done in the transaction. */
    public interface Work {
        void run(Connection connection) throws SQLException, Refused, Again;
    }

    private final Connect connect;
    private Connection connection;
    public int attempts;

    public Transactions(Connect connect) {
        this.connect = connect;
    }

    /**
     * Has the work done exactly once for the key, and tells whether this call did it.
     *
     * <p>The caller chooses the key and keeps it for as long as he repeats the request. If the connection breaks during
     * commit, nobody knows whether it happened: the next attempt finds the key, or it does not.
     */
    public boolean run(UUID key, Work work) throws SQLException, Refused, InterruptedException {
        for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
            attempts++;
            try {
                return attempt(key, work);
            } catch (Again again) {
                connection.rollback();
            } catch (Refused refused) {
                connection.rollback();
                throw refused;
            } catch (SQLException error) {
                if (isLost(error)) {
                    close();
                } else {
                    connection.rollback();
                    if (!TRY_AGAIN.contains(error.getSQLState())) {
                        throw error;
                    }
                }
            }
            // All of the transaction is run again, never one statement; the pause is drawn by lot, so that two that met
            // do not meet again.
            long longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << attempt);
            Thread.sleep(ThreadLocalRandom.current().nextLong(longest + 1));
        }
        throw new SQLException("gave up after " + MOST_ATTEMPTS + " attempts");
    }

    /** Class 08: connection; 57P01 to 57P03: the server is going down or coming up. */
    private static boolean isLost(SQLException error) {
        String state = error.getSQLState();
        return state != null && (state.startsWith("08") || state.startsWith("57P0"));
    }

    private boolean attempt(UUID key, Work work) throws SQLException, Refused, Again {
        if (connection == null) {
            connection = connect.connect();
            connection.setAutoCommit(false);
            connection.setTransactionIsolation(Connection.LEVEL);
        }
        String take = "insert into request (key) values (?) on conflict (key) do nothing";
        try (PreparedStatement taken = connection.prepareStatement(take)) {
            taken.setObject(1, key);
            if (taken.executeUpdate() == 0) {
                connection.rollback();
                return false;
            }
        }
        work.run(connection);
        connection.commit();
        return true;
    }

    /** Gives the connection back. */
    @Override
    public void close() {
        if (connection != null) {
            try {
                connection.close();
            } catch (SQLException lost) {
                // It is gone already.
            }
            connection = null;
        }
    }

    // BODY
}

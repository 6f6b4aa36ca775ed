"""Runs a transaction until it has committed once.

ABOUT

Needs psycopg 3, and the table of request.sql.
"""

import random
import time

import psycopg
from psycopg import errors

MOST_ATTEMPTS = 12
FIRST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 1.0

# The server refused this attempt as a whole; the next one may succeed: 40001, 40P01, 55P03.
TRY_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)


class Refused(Exception):
    """The business says no. Nothing was done."""


class Again(Exception):
    """Somebody was faster. Nothing was done; the transaction begins anew."""


class Transactions:
    """Runs transactions on one connection at a time, and opens another when it is lost."""

    def __init__(self, connect):
        """`connect` opens a connection, or takes one from a pool."""
        self._connect = connect
        self._connection = None
        self.attempts = 0

    def run(self, key, work):
        """Has `work(cursor)` done exactly once for `key`, and returns whether this call did it.

        The caller chooses the key (a UUID) and keeps it for as long as he repeats the request. If the connection breaks
        during commit, nobody knows whether it happened: the next attempt finds the key, or it does not.
        """
        for attempt in range(MOST_ATTEMPTS):
            self.attempts += 1
            try:
                return self._attempt(key, work)
            except (*TRY_AGAIN, Again):
                pass
            except psycopg.OperationalError:
                if self._connection is not None and not self._connection.broken:
                    raise
                self.close()
            # All of the transaction is run again, never one statement; the pause is drawn by lot, so that two that met
            # do not meet again.
            time.sleep(random.uniform(0, min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**attempt)))
        raise TimeoutError(f"gave up after {MOST_ATTEMPTS} attempts")

    def _attempt(self, key, work):
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
            self._connection.isolation_level = psycopg.IsolationLevel.LEVEL
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute("insert into request (key) values (%s) on conflict (key) do nothing", (key,))
            if cursor.rowcount == 0:
                return False
            work(cursor)
        return True

    def close(self):
        """Gives the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


# BODY

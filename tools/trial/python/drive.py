"""Has `transaction.py` transfer money from several threads, and says how it went. Used by `cargo xtask templates`."""

import json
import os
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg

import transaction

TOLD = {"done": 0, "found": 0, "refused": 0, "attempts": 0}
LOCK = threading.Lock()


def work(worker):
    transactions = transaction.Transactions(lambda: psycopg.connect(os.environ["DATABASE_URL"]))
    for number in range(int(os.environ["TRANSFERS"])):
        source = (worker * 7 + number * 3) % 8
        target = (source + 1 + number % 7) % 8
        amount = 1 + number % 20
        try:
            done = transactions.run(
                uuid.uuid4(),
                lambda cursor: transaction.transfer(cursor, source + 1, target + 1, amount),
            )
            answer = "done" if done else "found"
        except transaction.Refused:
            answer = "refused"
        with LOCK:
            TOLD[answer] += 1
    with LOCK:
        TOLD["attempts"] += transactions.attempts
    transactions.close()


WORKERS = int(os.environ["WORKERS"])
with ThreadPoolExecutor(WORKERS) as pool:
    # Taking the results raises what a worker raised.
    list(pool.map(work, range(WORKERS)))
print(json.dumps(TOLD))

-- The level of the transaction that is open, or of the one that the next statement would be. Showing it takes no
-- snapshot, so a transaction may still choose its level behind it.
show transaction_isolation

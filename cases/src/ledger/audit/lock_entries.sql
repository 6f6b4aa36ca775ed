-- Waits for whoever is writing entries, and lets nobody begin to, so that what is there and where the log is read from
-- fit together. Takes no transaction number, which a slot would wait for.
lock table ledger.entries in share mode;

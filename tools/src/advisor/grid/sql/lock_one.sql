-- One lock for all writers, held until the transaction ends.
select pg_advisory_xact_lock(1101);

-- Removes the books and everything in them.
drop schema if exists ledger cascade;

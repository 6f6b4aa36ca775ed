-- Each statement sees what was committed when it began. PostgreSQL's default, said here so that no server's own default
-- decides.
set default_transaction_isolation = 'read committed';

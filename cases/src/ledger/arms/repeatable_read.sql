-- Each transaction sees one snapshot, and fails (40001) when it writes a row that was changed since.
set default_transaction_isolation = 'repeatable read';

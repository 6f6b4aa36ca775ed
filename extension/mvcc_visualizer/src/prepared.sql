-- Transactions that are prepared and wait for their second phase, as numbers.
select transaction::text::bigint
from pg_catalog.pg_prepared_xacts

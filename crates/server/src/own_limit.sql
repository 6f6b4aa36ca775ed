-- How long a transaction of this role may stay idle in this database, milliseconds; 0 for ever.
select setting::bigint
from pg_catalog.pg_settings
where name = 'idle_in_transaction_session_timeout'

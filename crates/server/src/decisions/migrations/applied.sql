-- The migrations that were applied, in order.

select version, name, checksum
from pgstrata_history.migration
order by version;

-- Acknowledged keys that have no row.
select k::text
from unnest($1::uuid[]) as k
where not exists (select from counter.operation where key = k)

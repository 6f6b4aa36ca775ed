-- The versions of a table that a transaction sees that begins now, at most $1: all that is to be had without an extension. A
-- read like any other: it may prune pages and set hint bits.
select (seen.ctid::text::point)[0]::bigint as block,
       (seen.ctid::text::point)[1]::int as line,
       seen.xmin::text::bigint as xmin,
       seen.xmax::text::bigint as xmax,
       seen.cmin::text::bigint as command,
       to_jsonb(seen) as row_values
from only {table} seen
limit $1

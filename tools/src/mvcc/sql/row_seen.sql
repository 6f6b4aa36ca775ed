-- The version of the row with key $2 that a transaction sees that begins now: where it is, and what its system columns say.
select (seen.ctid::text::point)[0]::bigint as block,
       (seen.ctid::text::point)[1]::int as line,
       seen.xmin::text::bigint as xmin,
       seen.xmax::text::bigint as xmax,
       seen.cmin::text::bigint as command,
       to_jsonb(seen) as row_values
from only {table} seen
where seen.{key} = $2::text::{type}
limit $1

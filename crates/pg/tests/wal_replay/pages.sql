-- Shows all pages of a table as they are in memory.
select get_raw_page($1, 'main', block::int) as page
from generate_series(0, pg_relation_size($1::text::regclass) / 8192 - 1) as block
order by block

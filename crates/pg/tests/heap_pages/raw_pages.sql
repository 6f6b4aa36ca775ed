-- All pages of a table, in their order.
select get_raw_page($1::text, block::int)
from generate_series(0, pg_relation_size($1::text::regclass) / current_setting('block_size')::int - 1) as block
order by block

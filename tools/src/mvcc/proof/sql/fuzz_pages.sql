-- The pages of the table, as they are.
select get_raw_page('fuzz', page::integer)
from generate_series(0, pg_relation_size('fuzz') / current_setting('block_size')::bigint - 1) as page

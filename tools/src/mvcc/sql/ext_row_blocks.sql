-- The pages of table $1 that hold versions of row $2, by mvcc_visualizer, which looks in the index; at most $3.
select distinct found.block
from mvcc_show_versions($1::bigint::oid::regclass, $2::text) as found
where found.block is not null
limit $3

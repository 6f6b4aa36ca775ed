-- The first $3 pages of table $1 (its OID is $2), as they are in memory. Needs `pageinspect`, and a superuser.
select page.block,
       get_raw_page($1, 'main', page.block) as bytes
from generate_series(
    0,
    least($3::bigint, pg_relation_size($2::bigint::oid::regclass) / current_setting('block_size')::bigint) - 1
) as page(block)

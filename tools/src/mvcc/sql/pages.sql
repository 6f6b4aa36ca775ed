-- Pages of table $1 that are not as they were: $2 are the numbers, $3 the digests of what is known of them. A page beyond the
-- table's end, as after a truncation, is not there.
select wanted.block,
       md5(page.bytes) as digest,
       case when md5(page.bytes) is distinct from wanted.digest then page.bytes end as bytes
from unnest($2::bigint[], $3::text[]) as wanted(block, digest)
cross join lateral (
    select case
               when wanted.block < pg_relation_size($4::bigint::oid::regclass) / current_setting('block_size')::bigint
                   then get_raw_page($1, 'main', wanted.block)
           end as bytes
) page
where page.bytes is not null

-- Every version on every page, judged with the eyes of a snapshot (and of its own transaction), or with the caller's.
select version.block,
       version.line,
       version.visible,
       version.reason,
       version.xmin::text,
       version.xmin_status,
       version.xmax::text,
       version.xmax_kind,
       version.xmax_status
from generate_series(0, pg_relation_size('proof') / current_setting('block_size')::bigint - 1) as page,
     lateral mvcc_page('proof', page, $1::text::pg_snapshot, $2::text::xid8) as version
where version.line_state = 'normal'

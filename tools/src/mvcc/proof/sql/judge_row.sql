-- Every version of one row, found by its key and judged with the eyes of a snapshot (and of its own transaction).
select version.block,
       version.line,
       version.visible,
       version.reason,
       version.xmin::text,
       version.xmin_status,
       version.xmax::text,
       version.xmax_kind,
       version.xmax_status
from mvcc_show_versions('proof', $1::text, $2::text::pg_snapshot, $3::text::xid8) as version
where version.line_state = 'normal'

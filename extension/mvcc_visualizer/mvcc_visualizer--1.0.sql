-- The functions of mvcc_visualizer. Written by hand: each is a C function of the library. What their columns mean is said
-- in the README beside this file. Nobody but who creates the extension may call them until they are granted.

-- Every version of a row that is still on disk. A row is named by the text of its key or by a ctid, as '(0,3)'; by the
-- columns of its key as an object; or by a number. Judged with the eyes of a snapshot (its transaction and command
-- beside it, if that has written), or of the caller.
create function mvcc_show_versions(
    relation regclass,
    row_id text,
    snapshot pg_snapshot default null,
    own xid8 default null,
    command_id bigint default null,
    out block bigint,
    out line integer,
    out line_state text,
    out line_to integer,
    out bytes integer,
    out hot_root integer,
    out parent integer,
    out is_parent_inferred boolean,
    out next tid,
    out xmin xid8,
    out xmin_status text,
    out xmax xid8,
    out xmax_kind text,
    out xmax_mode text,
    out xmax_status text,
    out command bigint,
    out is_combo boolean,
    out members jsonb,
    out flags text[],
    out is_hot_updated boolean,
    out is_heap_only boolean,
    out row_key jsonb,
    out "values" jsonb,
    out fate text,
    out visible boolean,
    out reason text,
    out problem text
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_show_versions_text'
language c stable parallel unsafe;

revoke all on function mvcc_show_versions(regclass, text, pg_snapshot, xid8, bigint) from public;

create function mvcc_show_versions(
    relation regclass,
    row_id jsonb,
    snapshot pg_snapshot default null,
    own xid8 default null,
    command_id bigint default null,
    out block bigint,
    out line integer,
    out line_state text,
    out line_to integer,
    out bytes integer,
    out hot_root integer,
    out parent integer,
    out is_parent_inferred boolean,
    out next tid,
    out xmin xid8,
    out xmin_status text,
    out xmax xid8,
    out xmax_kind text,
    out xmax_mode text,
    out xmax_status text,
    out command bigint,
    out is_combo boolean,
    out members jsonb,
    out flags text[],
    out is_hot_updated boolean,
    out is_heap_only boolean,
    out row_key jsonb,
    out "values" jsonb,
    out fate text,
    out visible boolean,
    out reason text,
    out problem text
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_show_versions_jsonb'
language c stable parallel unsafe;

revoke all on function mvcc_show_versions(regclass, jsonb, pg_snapshot, xid8, bigint) from public;

create function mvcc_show_versions(
    relation regclass,
    row_id bigint,
    snapshot pg_snapshot default null,
    own xid8 default null,
    command_id bigint default null,
    out block bigint,
    out line integer,
    out line_state text,
    out line_to integer,
    out bytes integer,
    out hot_root integer,
    out parent integer,
    out is_parent_inferred boolean,
    out next tid,
    out xmin xid8,
    out xmin_status text,
    out xmax xid8,
    out xmax_kind text,
    out xmax_mode text,
    out xmax_status text,
    out command bigint,
    out is_combo boolean,
    out members jsonb,
    out flags text[],
    out is_hot_updated boolean,
    out is_heap_only boolean,
    out row_key jsonb,
    out "values" jsonb,
    out fate text,
    out visible boolean,
    out reason text,
    out problem text
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_show_versions_bigint'
language c stable parallel unsafe;

revoke all on function mvcc_show_versions(regclass, bigint, pg_snapshot, xid8, bigint) from public;

-- Every line pointer of a page.
create function mvcc_page(
    relation regclass,
    page bigint,
    snapshot pg_snapshot default null,
    own xid8 default null,
    command_id bigint default null,
    out block bigint,
    out line integer,
    out line_state text,
    out line_to integer,
    out bytes integer,
    out hot_root integer,
    out parent integer,
    out is_parent_inferred boolean,
    out next tid,
    out xmin xid8,
    out xmin_status text,
    out xmax xid8,
    out xmax_kind text,
    out xmax_mode text,
    out xmax_status text,
    out command bigint,
    out is_combo boolean,
    out members jsonb,
    out flags text[],
    out is_hot_updated boolean,
    out is_heap_only boolean,
    out row_key jsonb,
    out "values" jsonb,
    out fate text,
    out visible boolean,
    out reason text,
    out problem text
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_page'
language c stable parallel unsafe;

revoke all on function mvcc_page(regclass, bigint, pg_snapshot, xid8, bigint) from public;

-- The same of bytes that are read as a page of the table. Superusers only.
create function mvcc_page_image(
    relation regclass,
    image bytea,
    snapshot pg_snapshot default null,
    own xid8 default null,
    command_id bigint default null,
    out block bigint,
    out line integer,
    out line_state text,
    out line_to integer,
    out bytes integer,
    out hot_root integer,
    out parent integer,
    out is_parent_inferred boolean,
    out next tid,
    out xmin xid8,
    out xmin_status text,
    out xmax xid8,
    out xmax_kind text,
    out xmax_mode text,
    out xmax_status text,
    out command bigint,
    out is_combo boolean,
    out members jsonb,
    out flags text[],
    out is_hot_updated boolean,
    out is_heap_only boolean,
    out row_key jsonb,
    out "values" jsonb,
    out fate text,
    out visible boolean,
    out reason text,
    out problem text
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_page_image'
language c stable parallel unsafe;

revoke all on function mvcc_page_image(regclass, bytea, pg_snapshot, xid8, bigint) from public;

-- How a page is filled.
create function mvcc_page_header(
    relation regclass,
    page bigint,
    out lsn pg_lsn,
    out flags text[],
    out lower integer,
    out upper integer,
    out special integer,
    out prune_xid xid8,
    out free_bytes integer,
    out unused integer,
    out normal integer,
    out redirect integer,
    out dead integer,
    out is_all_visible boolean,
    out is_all_frozen boolean,
    out pages bigint
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_page_header'
language c stable parallel unsafe strict;

revoke all on function mvcc_page_header(regclass, bigint) from public;

-- What a snapshot is made of, and how its transactions stand now.
create function mvcc_show_snapshot(
    snapshot pg_snapshot default pg_current_snapshot(),
    out part text,
    out xid xid8,
    out status text
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_show_snapshot'
language c stable parallel unsafe strict;

revoke all on function mvcc_show_snapshot(pg_snapshot) from public;
-- What other sessions do. No row's contents are shown, so members of pg_monitor may ask.

create function mvcc_live_snapshots(
    out pid integer,
    out snapshot pg_snapshot,
    out command bigint,
    out suboverflowed boolean,
    out taken timestamptz,
    out own xid8,
    out subxids xid8[],
    out subxids_overflowed boolean,
    out is_current boolean,
    out overflowed boolean,
    out nesting integer
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_live_snapshots'
language c strict volatile parallel restricted;

comment on function mvcc_live_snapshots() is
'what every session sees: the snapshot its statement goes by, or will go by; needs shared_preload_libraries';

create function mvcc_preload_state(
    out is_preloaded boolean,
    out fits_server boolean,
    out tracks_snapshots boolean,
    out slots integer,
    out xids_max integer,
    out worker_pid integer,
    out wait_interval_ms integer,
    out wait_ring_size integer,
    out looks bigint,
    out waits bigint
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_preload_state'
language c strict volatile parallel restricted;

comment on function mvcc_preload_state() is
'whether the library was loaded at the server''s start, and what that part of it is doing';

create function mvcc_waits(
    out pid integer,
    out since timestamptz,
    out lock_type text,
    out mode text,
    out object text,
    out relation oid,
    out row_id text,
    out transaction xid8,
    out blockers integer[],
    out soft_blockers integer[],
    out in_cycle boolean,
    out is_truncated boolean,
    out leader_pid integer
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_waits'
language c strict volatile parallel restricted;

comment on function mvcc_waits() is
'who waits for which lock now, who holds it, who is ahead in the queue, and whether the wait is part of a cycle';

create function mvcc_wait_ring(
    after bigint default 0,
    out seq bigint,
    out wait bigint,
    out pid integer,
    out since timestamptz,
    out ended timestamptz,
    out lock_type text,
    out mode text,
    out object text,
    out relation oid,
    out row_id text,
    out transaction xid8,
    out blockers integer[],
    out soft_blockers integer[],
    out in_cycle boolean,
    out is_truncated boolean,
    out leader_pid integer
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_wait_ring'
language c strict volatile parallel restricted;

comment on function mvcc_wait_ring(bigint) is
'kept waits that began, changed or ended after a sequence number, in that order; needs shared_preload_libraries';

create function mvcc_ssi_graph(
    out node integer,
    out pid integer,
    out xid xid8,
    out virtual_transaction text,
    out state text,
    out doomed boolean,
    out is_pivot boolean,
    out is_read_only boolean,
    out waits_for_safe_snapshot boolean,
    out is_safe boolean,
    out xmin xid8,
    out finished_before xid8,
    out commit_number bigint,
    out conflicts_out integer[],
    out conflicts_in integer[],
    out summary_out boolean,
    out summary_in boolean,
    out committed_out boolean
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_ssi_graph'
language c strict volatile parallel restricted;

comment on function mvcc_ssi_graph() is
'serializable transactions the server knows of, with the conflicts out (not seen by it) and in (did not see it)';

create function mvcc_ssi_conflicts(
    out reader integer,
    out writer integer,
    out reader_pid integer,
    out writer_pid integer,
    out is_possible boolean
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_ssi_conflicts'
language c strict volatile parallel restricted;

comment on function mvcc_ssi_conflicts() is
'reads that did not see a concurrent write: the reader is before the writer in every serial order';

create function mvcc_horizon(
    relation regclass,
    out horizon xid8,
    out next xid8,
    out age bigint,
    out holder text,
    out pid integer,
    out xid xid8,
    out xmin xid8,
    out holds xid8,
    out is_binding boolean,
    out see text
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_horizon'
language c strict volatile parallel restricted;

comment on function mvcc_horizon(regclass) is
'from which transaction on dead versions of a table must be kept, and who wants that, the oldest first';

revoke all on function
    mvcc_live_snapshots(),
    mvcc_preload_state(),
    mvcc_waits(),
    mvcc_wait_ring(bigint),
    mvcc_ssi_graph(),
    mvcc_ssi_conflicts(),
    mvcc_horizon(regclass)
from public;

grant execute on function
    mvcc_live_snapshots(),
    mvcc_preload_state(),
    mvcc_waits(),
    mvcc_wait_ring(bigint),
    mvcc_ssi_graph(),
    mvcc_ssi_conflicts(),
    mvcc_horizon(regclass)
to pg_monitor;

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

-- The functions of mvcc_visualizer. Written by hand: each is a C function of the same name in the library.
-- Nobody but the one who creates the extension may call them until they are granted.

create function mvcc_page_header(
    relation regclass,
    block bigint,
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
    out blocks bigint
)
returns setof record
as 'MODULE_PATHNAME', 'mvcc_page_header'
language c strict stable parallel unsafe;

revoke all on function mvcc_page_header(regclass, bigint) from public;

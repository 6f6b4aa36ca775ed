-- The grid's rows. value is what transactions read and compute from; version counts how often a row was written, so
-- that
-- a lost write shows. fillfactor: room on the page for new versions, so that updates stay on the page and touch no index.
create schema grid;

create table grid.cell (
    id bigint primary key,
    value bigint not null,
    version bigint not null
) with (fillfactor = 20, autovacuum_enabled = off);

-- Numbers in the place of a sequence's: new ones, each session's own, the same in every order of transactions. A session
-- runs one transaction in a play, after which the count begins anew.
create function pgstrata_number() returns bigint
language sql
volatile
as $$
    select pg_catalog.set_config(
            'pgstrata.number',
            (coalesce(nullif(pg_catalog.current_setting('pgstrata.number', true), ''), '0')::bigint + 1)::text,
            true
        )::bigint
        + coalesce(substring(pg_catalog.current_setting('application_name') from '/T([0-9]+)$')::bigint * 5000, 2500)
$$

-- Notes which version of which row a query has come to, as far as the columns go that it reads, and tells the notes of a
-- transaction at its end. What is read is said before the query, as {"#": number, "table": ["column", …]}.
create function pgstrata_saw(named text, identity text, writers jsonb) returns boolean
language plpgsql
volatile
as $$
declare
    reading jsonb := nullif(pg_catalog.current_setting('pgstrata.reading', true), '')::jsonb;
    by_column text;
begin
    if reading is null or reading -> named is null then
        return true;
    end if;
    select pg_catalog.string_agg(pg_catalog.concat(c.name, ' by ', writers ->> c.name), ', ' order by c.name)
    into by_column
    from pg_catalog.jsonb_array_elements_text(reading -> named) as c (name)
    where writers ->> c.name <> '';
    perform pg_catalog.set_config(
        'pgstrata.seen',
        pg_catalog.concat_ws(
            e'\n',
            nullif(pg_catalog.current_setting('pgstrata.seen', true), ''),
            pg_catalog.concat_ws(' ', '[' || (reading ->> '#') || ']', named, identity, 'with ' || by_column)
        ),
        true
    );
    return true;
end
$$;

create function pgstrata_seen() returns setof text
language sql
volatile
as $$
    select distinct line
    from pg_catalog.string_to_table(nullif(pg_catalog.current_setting('pgstrata.seen', true), ''), e'\n') as line
$$

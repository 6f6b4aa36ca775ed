-- Notes in each row who has written each of its columns, in order: the order of versions, which values need not show.
create function pgstrata_note() returns trigger
language plpgsql
as $$
begin
    new.pgstrata_writers := pg_catalog.jsonb_set(
        new.pgstrata_writers,
        array[tg_argv[0]],
        pg_catalog.to_jsonb(pg_catalog.concat_ws(
            ' ',
            new.pgstrata_writers ->> tg_argv[0],
            substring(pg_catalog.current_setting('application_name') from '/(T[0-9]+)$')
        ))
    );
    return new;
end
$$

-- What pg_regress sets for the database of its tests (create_database in src/test/regress/pg_regress.c): the expected
-- outputs are in English and in these formats.
do $$
begin
    execute format('alter database %I set lc_messages to ''C''', current_database());
    execute format('alter database %I set lc_monetary to ''C''', current_database());
    execute format('alter database %I set lc_numeric to ''C''', current_database());
    execute format('alter database %I set lc_time to ''C''', current_database());
    execute format('alter database %I set bytea_output to ''hex''', current_database());
    execute format('alter database %I set timezone_abbreviations to ''Default''', current_database());
end
$$

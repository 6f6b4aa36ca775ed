-- How a session of the observer is set up: catalogs first, so that no table of a user can stand in for one of them; then $1,
-- the schemas of the extensions that it uses; then where it would look anyway.
select current_setting('search_path') as was,
       set_config(
           'search_path',
           concat_ws(', ', 'pg_catalog', nullif($1, ''), nullif(current_setting('search_path'), '')),
           false
       ) as search_path

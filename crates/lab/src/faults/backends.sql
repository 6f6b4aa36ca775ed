-- The backends that serve clients: their processes, and whether they are the workbench's own control sessions (which go
-- by the name of the session that asks).
select
    pid,
    pid = pg_backend_pid()
        or (application_name <> '' and application_name = current_setting('application_name'))
from pg_stat_activity
where backend_type = 'client backend'
order by pid

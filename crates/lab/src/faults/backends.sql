-- The backends that serve clients, but for the one that asks: their processes, and whether they go by the name of the
-- session that asks, as the workbench's own control sessions do.
select
    pid,
    application_name <> '' and application_name = current_setting('application_name')
from pg_stat_activity
where backend_type = 'client backend'
    and pid <> pg_backend_pid()
order by pid

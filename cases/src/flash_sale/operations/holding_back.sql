-- The transactions that keep old row versions from being cleared away, the oldest first. One of many minutes makes each
-- look at the hot row step over all its versions since.
select
    pid,
    application_name,
    state,
    now() - xact_start as open_for,
    age(backend_xmin) as transactions_behind,
    left(query, 60) as statement
from pg_stat_activity
where backend_xmin is not null
    and pid <> pg_backend_pid()
order by age(backend_xmin) desc
limit 10;

-- How well the accounts' rows stay on their pages: updates that touched no index, and versions that wait for vacuum.
select
    n_tup_upd as updates,
    round(100.0 * n_tup_hot_upd / nullif(n_tup_upd, 0), 1) as hot_percent,
    n_dead_tup as dead_versions,
    last_autovacuum
from pg_stat_user_tables
where schemaname = 'ledger'
    and relname = 'accounts';

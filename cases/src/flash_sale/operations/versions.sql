-- Whether the hot row's versions stay on their page (hot_share near 1) and are cleared away.
select
    relname,
    n_tup_upd as updates,
    round(n_tup_hot_upd::numeric / nullif(n_tup_upd, 0), 3) as hot_share,
    n_dead_tup as dead_rows,
    last_autovacuum,
    pg_size_pretty(pg_total_relation_size(relid)) as size
from pg_stat_user_tables
where schemaname = 'flash_sale'
order by relname;

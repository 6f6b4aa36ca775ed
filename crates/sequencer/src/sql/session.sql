-- Makes a commit of this session durable before it is answered, whatever the server, database or role default is.
-- remote_apply is stronger than on and stays. $1: lock_timeout, $2: idle_in_transaction_session_timeout (ms as text).
-- Answers with what is in force, and with what tells this server process from every other one.
select
    set_config(
        'synchronous_commit',
        case when current_setting('synchronous_commit') = 'remote_apply' then 'remote_apply' else 'on' end,
        false
    ) as synchronous_commit,
    set_config('lock_timeout', $1::text, false),
    set_config('idle_in_transaction_session_timeout', $2::text, false),
    coalesce(current_setting('fsync', true), 'unknown') as fsync,
    pg_backend_pid() as pid,
    (
        select (extract(epoch from backend_start) * 1000000)::bigint
        from pg_stat_activity
        where pid = pg_backend_pid()
    ) as started_us;

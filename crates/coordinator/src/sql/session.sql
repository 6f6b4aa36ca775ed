-- Bounds for every wait of a session, and a durable commit whatever the server's or role's default is (the decision is
-- an ordinary commit; preparing and finishing always flush). remote_apply is stronger than on and stays.
-- A cycle of locks over two servers is seen by neither one's deadlock detector: lock_timeout ends it.
-- $1: lock_timeout, $2: idle_in_transaction_session_timeout (ms as text).
select
    set_config(
        'synchronous_commit',
        case when current_setting('synchronous_commit') = 'remote_apply' then 'remote_apply' else 'on' end,
        false
    ),
    set_config('lock_timeout', $1::text, false),
    set_config('idle_in_transaction_session_timeout', $2::text, false),
    pg_backend_pid() as pid;

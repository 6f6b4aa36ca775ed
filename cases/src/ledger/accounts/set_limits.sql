-- Changes what may leave an account. Its revision grows, as in set_status.sql.
-- $1 the account, $2 its floor, $3 its daily limit; none for no limit.
update ledger.accounts
set
    floor = $2,
    daily_limit = $3,
    revision = revision + 1
where account_id = $1;

-- Opens, freezes or closes an account. Its revision grows, so that whoever remembers the account learns of it.
-- $1 the account, $2 the status.
update ledger.accounts
set
    status = $2::text::ledger.account_status,
    revision = revision + 1
where account_id = $1;

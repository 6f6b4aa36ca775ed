-- The books, the same on every server and for every way of keeping them. A transfer is written once and never changed:
-- one row in transfers, one row in entries for each account that it touches. An account's row carries the balance that
-- its entries add up to, so that funds are checked without adding them up.
--
-- Amounts are minor units (cents, yen) in bigint. A positive amount credits an account, a negative one debits it.
create schema ledger;

-- ISO 4217: the number, the code that people know it by, and how many decimal places the minor unit stands for.
create table ledger.currencies (
    currency smallint primary key,
    code text not null unique check (code ~ '^[A-Z]{3}$'),
    minor_unit_places smallint not null check (minor_unit_places between 0 and 4)
);

insert into ledger.currencies (currency, code, minor_unit_places)
values
    (156, 'CNY', 2),
    (392, 'JPY', 0),
    (756, 'CHF', 2),
    (826, 'GBP', 2),
    (840, 'USD', 2),
    (978, 'EUR', 2);

-- cash: where money comes from and goes to outside these books. desk: holds two currencies' ends of an exchange, one
-- account for each. clearing: what this server owes another one or is owed by it; everybody's cross-server transfers
-- meet there, so its row keeps no balance: it is what its entries add up to.
create type ledger.account_kind as enum ('customer', 'desk', 'cash', 'clearing');

create type ledger.account_status as enum ('open', 'frozen', 'closed');

create table ledger.accounts (
    account_id bigint primary key,
    currency smallint not null references ledger.currencies,
    kind ledger.account_kind not null default 'customer',
    status ledger.account_status not null default 'open',
    balance bigint not null default 0,
    -- The least that the balance may be; none for accounts that may owe any amount.
    floor bigint default 0,
    -- The most that may leave the account on one day, UTC; none for no limit.
    daily_limit bigint check (daily_limit >= 0),
    -- What has left it on spent_day, counted in days since 1970-01-01; on any other day nothing has.
    spent bigint not null default 0 check (spent >= 0),
    spent_day int not null default 0,
    -- The number of its last entry: how many there are.
    last_entry bigint not null default 0,
    -- Grows when status, floor or limit are changed, so that whoever remembers them learns that they are old.
    revision int not null default 0,
    opened_at timestamptz not null default now(),
    constraint balance_not_under_floor check (balance >= floor),
    constraint closed_accounts_are_empty check (status <> 'closed' or balance = 0)
) with (fillfactor = 50);

-- fillfactor: room on the page for a row's versions, so that a posting stays on the page and touches no index (HOT).

create table ledger.transfer_kinds (
    kind smallint primary key,
    name text not null unique
);

insert into ledger.transfer_kinds (kind, name)
values
    (1, 'transfer'),
    (2, 'exchange'),
    (3, 'reversal'),
    (4, 'opening');

-- Where entries stand: {account, number} of each, in the order of account ids.
create domain ledger.legs as bigint[];

create table ledger.transfers (
    -- The client's idempotency key: the same for each repetition of a request. It is what a transfer is known by.
    transfer_id uuid primary key,
    -- 64 bits of the SHA-256 of what was asked for: the same key with another request is told from a repetition.
    request_hash bigint not null,
    kind smallint not null,
    -- The transfer that this one takes back.
    reversal_of uuid,
    posted_at timestamptz not null,
    -- Its entries, so that they are found by their primary key. An index of entries by transfer would cost each entry as
    -- much as the primary key does, for the few transfers that are looked up again. I4 compares.
    legs ledger.legs not null,
    constraint reversal_names_what_it_reverses check ((kind = 3) = (reversal_of is not null))
);

-- A transfer is taken back once.
create unique index transfers_one_reversal
on ledger.transfers (reversal_of)
where reversal_of is not null;

-- No foreign keys: one check for each entry would lock the account's row once more, and cost more than the entry. The
-- ways of posting read the accounts they write anyway; I4 looks for entries without account or transfer.
create table ledger.entries (
    account_id bigint not null,
    -- Its place among the account's entries, from 1 and without a gap.
    number bigint not null,
    transfer_id uuid not null,
    -- The account's, here so that a transfer's entries can be added up by themselves.
    currency smallint not null,
    amount bigint not null check (amount <> 0),
    -- The account's balance after this entry.
    balance bigint not null,
    posted_at timestamptz not null,
    primary key (account_id, number)
);

-- Numbers the entries of clearing accounts, whose row nobody locks; theirs may have gaps.
create sequence ledger.clearing_number;

-- Double entry, for whoever writes: what a statement adds to a transfer must come to zero in each currency. So a
-- transfer's entries are written by one statement, and stay balanced whatever is written after them. A trigger for the
-- whole statement instead of a deferred one for each row: it adds a batch up once, and refuses at once.
--
-- total() is sum() that stays in bigint, and refuses what does not fit: sum() would make a numeric of each transfer.
create aggregate ledger.total(bigint) (
    sfunc = int8pl,
    stype = bigint,
    initcond = '0',
    combinefunc = int8pl,
    parallel = safe
);

create function ledger.refuse_unbalanced_entries() returns trigger
language plpgsql
as $$
declare
    unbalanced record;
begin
    select
        e.transfer_id,
        e.currency,
        ledger.total(e.amount) as difference
    into unbalanced
    from added as e
    group by e.transfer_id, e.currency
    having ledger.total(e.amount) <> 0
    limit 1;
    if found then
        raise exception 'the entries of transfer % differ by % in currency %',
            unbalanced.transfer_id, unbalanced.difference, unbalanced.currency
        using errcode = 'check_violation', constraint = 'entries_are_balanced';
    end if;
    return null;
end
$$;

create trigger entries_are_balanced
after insert on ledger.entries
referencing new table as added
for each statement execute function ledger.refuse_unbalanced_entries();

-- What is written stays: a mistake is taken back by another transfer, which stands there too.
create function ledger.refuse_change() returns trigger
language plpgsql
as $$
begin
    raise exception 'ledger.% is append-only', tg_table_name
    using errcode = 'restrict_violation', hint = 'take a transfer back by a reversal';
end
$$;

create trigger transfers_are_append_only
before update or delete or truncate on ledger.transfers
for each statement execute function ledger.refuse_change();

create trigger entries_are_append_only
before update or delete or truncate on ledger.entries
for each statement execute function ledger.refuse_change();

-- The day that daily limits count by: days since 1970-01-01, UTC.
create function ledger.today() returns int
language sql
stable
as $$
    select floor(extract(epoch from now()) / 86400)::int
$$;

-- The number of an account's last entry before a time, 0 if there is none: found by halving, because the numbers have no
-- gaps and the times do not go back; so a statement of any day costs the same, and no index by time is needed.
create function ledger.last_entry_before(p_account_id bigint, p_time timestamptz) returns bigint
language sql
stable
as $$
    with recursive search as (
        select
            0::bigint as low,
            a.last_entry as high
        from ledger.accounts as a
        where a.account_id = p_account_id
        union all
        select
            case when e.posted_at < p_time then e.number else s.low end,
            case when e.posted_at < p_time then s.high else e.number - 1 end
        from search as s
        join ledger.entries as e on e.account_id = p_account_id
            and e.number = (s.low + s.high + 1) / 2
        where s.low < s.high
    )
    select s.low
    from search as s
    where s.low = s.high
$$;

-- What clients were told: the transfer, and the number of its entry on the account of the smallest id; no number for those
-- that were refused.
create temporary table if not exists acknowledged (
    transfer_id uuid not null,
    entry bigint
);
truncate acknowledged;

-- Who sees the tuples of pages $2 of table $1: snapshot $3 of a session with transaction $4 at command $5, judged inside the server,
-- which knows of which transaction a subtransaction was part.
select found.block, found.line, found.visible, found.reason
from unnest($2::bigint[]) as wanted(page)
cross join lateral mvcc_page(
    $1::bigint::oid::regclass, wanted.page, $3::text::pg_snapshot, $4::text::xid8, $5::bigint
) as found
where found.reason is not null

-- Locks keys in their order until the transaction ends. $1 the keys, $2 whether each is written: exclusively then,
-- shared
-- otherwise. The inner query orders the keys before any is locked.
select
    case
        when wanted.is_written then pg_advisory_xact_lock(1102, wanted.id::int)
        else pg_advisory_xact_lock_shared(1102, wanted.id::int)
    end
from (
    select
        id,
        is_written
    from unnest($1::bigint[], $2::boolean[]) as asked (id, is_written)
    order by id
) as wanted;

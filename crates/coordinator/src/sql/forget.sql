-- Forgets decisions that nobody can need: commits that no shard has prepared any more, and aborts whose coordinator can
-- no longer try to commit. $1: realm, $2: seconds to keep them, $3 and $4: epochs and transactions that are prepared
-- somewhere, $5: how many at most.
delete from pgstrata_coordinator.decision
where ctid = any (array(
    select d.ctid
    from pgstrata_coordinator.decision as d
    where d.realm = $1
        and d.decided_at < clock_timestamp() - make_interval(secs => $2::float8)
        and not exists (
            select
            from unnest($3::int[], $4::bigint[]) as t (epoch, transaction)
            where t.epoch = d.epoch
                and t.transaction = d.transaction
        )
        and (
            d.is_commit
            or exists (
                select
                from pgstrata_coordinator.instance as i
                where i.epoch = d.epoch
                    and i.closed_at is not null
            )
        )
    limit $5
));

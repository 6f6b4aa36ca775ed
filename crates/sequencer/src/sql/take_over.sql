-- Begins a new epoch of the shard, whoever had the last one. $1: shard, $2: the instance that takes it, $3: its name.
-- A flush of the last holder that is under way keeps the row locked, so this waits until that flush has committed or
-- rolled back; each later flush of his finds another epoch and writes nothing.
insert into pgstrata_sequencer.shard as s (shard, epoch, flush, token, holder, taken_at)
values ($1, 1, 0, $2, $3, now())
on conflict (shard) do update
set epoch = s.epoch + 1,
    flush = 0,
    token = excluded.token,
    holder = excluded.holder,
    taken_at = excluded.taken_at
returning epoch;

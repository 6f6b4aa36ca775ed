-- Which instance has the shard. $1: shard.
select token
from pgstrata_sequencer.shard
where shard = $1;

-- Opens a flush. Read committed whatever the default is: the sequencer is the only writer of its shard, and a
-- statement that waited for somebody else's row lock must see what that one wrote.
begin isolation level read committed;

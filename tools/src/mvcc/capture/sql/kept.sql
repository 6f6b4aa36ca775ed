-- What the worker has kept that changed after a sequence number.
select seq, leader_pid, since, ended
from mvcc_wait_ring($1);

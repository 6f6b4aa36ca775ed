-- Reads that did not see a concurrent write, by mvcc_visualizer; at most $1.
select reader, writer
from mvcc_ssi_conflicts()
where not is_possible
limit $1

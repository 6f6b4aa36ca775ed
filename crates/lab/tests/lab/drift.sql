-- The counter, where it differs from the number of operations.
select value, (select count(*) from counter.operation) as operations
from counter.total
where value <> (select count(*) from counter.operation)

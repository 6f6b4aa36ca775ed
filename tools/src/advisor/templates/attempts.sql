-- How many attempts were begun.
select case when is_called then last_value else 0 end as attempts
from attempts_begun;

-- The answer that a request got. $1 its key.
select value
from advisor_value.answer
where key = $1;

-- All answers, for the check.
select
    key,
    value
from advisor_value.answer;

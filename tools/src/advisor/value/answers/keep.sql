-- Keeps the answer to a request. $1 its key, $2 the answer.
insert into advisor_value.answer (key, value)
values ($1, $2);

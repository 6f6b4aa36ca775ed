-- What was answered to requests that changed something, by the request's key: a request that comes again gets the answer
-- that it got. A row is written in the transaction that it is about.
create schema advisor_value;

create table advisor_value.answer (
    key uuid primary key,
    value bigint not null
);

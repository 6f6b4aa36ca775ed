-- The table of the soak: few rows, so that each has a long chain of versions.
create table account (
    id int primary key,
    balance int not null,
    note text not null
);
insert into account
select
    number,
    100,
    'account ' || number
from generate_series(1, 200) as number;

-- The extension, and a function that runs a small statement many times, each through the executor.
create extension mvcc_visualizer;

create table numbers (n integer primary key);

insert into numbers
select n
from generate_series(1, 10) n;

create function statements(wanted integer) returns void
language plpgsql as $$
begin
    for i in 1..wanted loop
        perform n from numbers where n = 5;
    end loop;
end
$$;

analyze numbers;

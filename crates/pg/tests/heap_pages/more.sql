-- Many rows more, from number 100000 on, so that they are in nobody's way.
insert into item select 100000 + number, number, 'wide', null from generate_series(1, $1::int) as number

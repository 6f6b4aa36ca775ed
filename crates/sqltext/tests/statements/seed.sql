-- A few rows of each kind, so that every statement finds something to do.
insert into customers (id, email, name, credit) select n, 'c' || n, 'name', n * 10 from generate_series(1, 9) as n;
insert into orders (customer_id) select n from generate_series(1, 9) as n;
insert into products (name, stock, price) select 'p' || n, 10, n from generate_series(1, 5) as n;
insert into lines select id, number, number, 1 from orders cross join generate_series(1, 2) as number;
insert into reviews values (1, 1, 5), (2, 5, 1);
insert into counters values ('customers', 0), ('a', 1), ('x', 1);
insert into events values ('2025-05-05', 'e');
insert into base values (1, 1);
insert into derived values (2, 2, 2);

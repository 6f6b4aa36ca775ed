-- Booking seats of a performance. BookInPieces runs its statements without a transaction around them: what it read has
-- changed when it acts, and no isolation level helps (Warszawski & Bailis, ACIDRain, SIGMOD 2017). BookWhole decides and
-- writes in one transaction.

create table performance (
  performance_id bigint primary key,
  seats_left int not null
);

create table booking (
  booking_id bigint generated always as identity primary key,
  performance_id bigint not null references performance,
  guest text not null
);

-- Programs

-- Looks, then books, then counts down: three transactions.
-- pgstrata: program BookInPieces
-- pgstrata: frequency 0.5
-- pgstrata: parameter performance bigint = 1
-- pgstrata: parameter guest text = 'alice'
select seats_left from performance where performance_id = :performance \gset
insert into booking (performance_id, guest) values (:performance, :guest);
update performance set seats_left = :seats_left::int - 1 where performance_id = :performance;

-- Counts down where a seat is left, and books.
-- pgstrata: program BookWhole
-- pgstrata: frequency 0.5
-- pgstrata: parameter performance bigint = 1
-- pgstrata: parameter guest text = 'bob'
begin;
update performance set seats_left = seats_left - 1 where performance_id = :performance and seats_left > 0;
insert into booking (performance_id, guest) values (:performance, :guest);
commit;

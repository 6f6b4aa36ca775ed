-- Removes everything that the grid made.
drop schema if exists grid cascade;

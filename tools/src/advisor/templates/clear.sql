-- Empties the database of a trial.
drop schema public cascade;
create schema public;

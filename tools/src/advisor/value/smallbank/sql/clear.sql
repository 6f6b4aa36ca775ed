-- Removes everything that the study made.
drop schema if exists smallbank cascade;

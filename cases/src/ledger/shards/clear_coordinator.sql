-- Removes the coordinator's book of decisions, when nothing is prepared any more.
drop schema if exists pgstrata_coordinator cascade;

-- Removes the answers.
drop schema if exists advisor_value cascade;

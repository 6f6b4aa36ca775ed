-- Where specifications run: of this name, and made from template0, as pg_regress makes it, so that nothing of this
-- machine is in it.
create database isolation_regression template template0

-- Where the transactions of a permutation run again one after the other, so that nothing of that is seen where the
-- permutations themselves run.
create database isolation_serial template template0

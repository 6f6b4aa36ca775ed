-- What a trial is judged by: the sum of all balances, and the requests that were kept.
select (select cast(sum(balance) as bigint) from account) as balances,
       (select count(*) from request) as requests;

-- Damaged pages read as pages of the table: rows, rows whose tuple was refused, rows with a value that was.
select count(*),
       count(problem),
       count(*) filter (where "values"::text like '%$damaged%')
from unnest($1::bytea[]) as image,
     lateral mvcc_page_image('fuzz', image)

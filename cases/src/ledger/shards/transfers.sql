-- The keys of all transfers of this server.
select t.transfer_id
from ledger.transfers as t;

-- As repeatable read; and of transactions that could not have run one after the other, one fails (40001).
set default_transaction_isolation = 'serializable';

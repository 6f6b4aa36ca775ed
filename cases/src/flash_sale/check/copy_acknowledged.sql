-- Fills acknowledged.sql's table.
copy acknowledged (key, order_id, user_id)
from stdin (format binary);

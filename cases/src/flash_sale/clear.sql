-- Removes what an earlier trial left.
drop schema if exists flash_sale cascade;

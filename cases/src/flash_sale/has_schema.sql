-- Whether a shop is here already.
select to_regnamespace('flash_sale') is not null;

-- The two tables in which the hunt's programs are played.
create table t (id int primary key, value int not null);
create table u (id int primary key, value int not null);

-- An online shop: fifty programs on fifteen tables, as an application of middle size has them. With foreign keys,
-- predicates, branches and loops. What the speed of the decision is measured with.

create table customers (
  customer_id bigint primary key,
  email text not null unique,
  name text not null,
  status text not null default 'active',
  points int not null default 0,
  credit numeric(12, 2) not null default 0,
  last_seen timestamptz
);

create table addresses (
  address_id bigint primary key,
  customer_id bigint not null references customers,
  street text not null,
  city text not null,
  is_default boolean not null default false
);

create table categories (
  category_id int primary key,
  parent_id int references categories,
  title text not null
);

create table suppliers (
  supplier_id int primary key,
  name text not null,
  rating int not null default 3
);

create table products (
  product_id bigint primary key,
  category_id int not null references categories,
  supplier_id int not null references suppliers,
  title text not null,
  price numeric(10, 2) not null,
  is_active boolean not null default true,
  views bigint not null default 0
);

create table warehouses (
  warehouse_id int primary key,
  city text not null,
  capacity int not null,
  used int not null default 0
);

create table stock (
  product_id bigint not null references products,
  warehouse_id int not null references warehouses,
  quantity int not null,
  reserved int not null default 0,
  primary key (product_id, warehouse_id)
);

create table carts (
  cart_id bigint primary key,
  customer_id bigint not null references customers,
  state text not null default 'open',
  coupon_code text
);

create table cart_items (
  cart_id bigint not null references carts on delete cascade,
  product_id bigint not null references products,
  quantity int not null,
  primary key (cart_id, product_id)
);

create table orders (
  order_id bigint primary key,
  customer_id bigint not null references customers,
  address_id bigint not null references addresses,
  status text not null default 'new',
  total numeric(12, 2) not null default 0,
  placed_at timestamptz not null default now()
);

create table order_items (
  order_id bigint not null references orders,
  line int not null,
  product_id bigint not null references products,
  quantity int not null,
  price numeric(10, 2) not null,
  primary key (order_id, line)
);

create table payments (
  payment_id bigint primary key,
  order_id bigint not null references orders,
  amount numeric(12, 2) not null,
  state text not null default 'pending'
);

create table shipments (
  shipment_id bigint primary key,
  order_id bigint not null references orders,
  warehouse_id int not null references warehouses,
  state text not null default 'packing',
  tracking text
);

create table coupons (
  code text primary key,
  discount int not null,
  uses_left int not null,
  expires_at timestamptz not null
);

create table reviews (
  product_id bigint not null references products,
  customer_id bigint not null references customers,
  stars int not null,
  body text not null,
  is_hidden boolean not null default false,
  primary key (product_id, customer_id)
);

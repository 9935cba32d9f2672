-- Keys, indexes, triggers and views, over the rows that are there.

ALTER TABLE customer ADD PRIMARY KEY (customer_id), ADD UNIQUE (email), ADD UNIQUE (username), ADD UNIQUE (public_ref);
ALTER TABLE address ADD PRIMARY KEY (address_id);
ALTER TABLE staff.employee ADD PRIMARY KEY (employee_id), ADD UNIQUE (email);
ALTER TABLE product ADD PRIMARY KEY (product_id), ADD UNIQUE (sku);
ALTER TABLE orders ADD PRIMARY KEY (order_id), ADD UNIQUE (invoice_no);
ALTER TABLE payment ADD PRIMARY KEY (payment_id, paid_on);
ALTER TABLE message ADD PRIMARY KEY (message_id);
ALTER TABLE newsletter ADD PRIMARY KEY (email);
ALTER TABLE login_log ADD PRIMARY KEY (login_id);

CREATE INDEX ON address (customer_id);
CREATE INDEX ON orders (customer_id, placed_at);
CREATE INDEX ON payment (order_id);
CREATE INDEX ON message (customer_id);
CREATE INDEX ON customer (lower(last_name)) WHERE status <> 'blocked';

-- A cycle: a customer has a default address, an address has a customer.
ALTER TABLE address ADD FOREIGN KEY (customer_id) REFERENCES customer;
ALTER TABLE customer ADD FOREIGN KEY (default_address_id) REFERENCES address DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE staff.employee ADD FOREIGN KEY (manager_id) REFERENCES staff.employee;
ALTER TABLE orders
	ADD FOREIGN KEY (customer_id) REFERENCES customer,
	ADD FOREIGN KEY (shipping_address_id) REFERENCES address,
	ADD FOREIGN KEY (product_id) REFERENCES product,
	ADD FOREIGN KEY (handled_by) REFERENCES staff.employee;
ALTER TABLE payment ADD FOREIGN KEY (order_id) REFERENCES orders;
ALTER TABLE message ADD FOREIGN KEY (customer_id) REFERENCES customer;
-- By value: masked addresses have to agree on both sides.
ALTER TABLE newsletter ADD FOREIGN KEY (email) REFERENCES customer (email) ON UPDATE CASCADE;
ALTER TABLE login_log ADD FOREIGN KEY (customer_id) REFERENCES customer;

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.updated_at := now();
	RETURN NEW;
END $$;
CREATE TRIGGER customer_touch BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION touch();

CREATE VIEW customer_orders AS
	SELECT c.customer_id, c.full_name, count(o.order_id) AS orders, sum(o.total) AS spent
	FROM customer c LEFT JOIN orders o USING (customer_id) GROUP BY c.customer_id, c.full_name;
CREATE MATERIALIZED VIEW revenue_by_month AS
	SELECT date_trunc('month', placed_at AT TIME ZONE 'UTC')::date AS month, count(*) AS orders, sum(total) AS revenue
	FROM orders GROUP BY 1;
CREATE UNIQUE INDEX ON revenue_by_month (month);

SELECT setval(pg_get_serial_sequence('customer', 'customer_id'), max(customer_id)) FROM customer;
SELECT setval(pg_get_serial_sequence('address', 'address_id'), max(address_id)) FROM address;
SELECT setval(pg_get_serial_sequence('staff.employee', 'employee_id'), max(employee_id)) FROM staff.employee;
SELECT setval(pg_get_serial_sequence('product', 'product_id'), max(product_id)) FROM product;
SELECT setval(pg_get_serial_sequence('orders', 'order_id'), max(order_id)) FROM orders;
SELECT setval(pg_get_serial_sequence('message', 'message_id'), max(message_id)) FROM message;
SELECT setval(pg_get_serial_sequence('login_log', 'login_id'), max(login_id)) FROM login_log;
SELECT setval('payment_id_seq', max(payment_id)) FROM payment;
SELECT setval('invoice_number', max(invoice_no)) FROM orders;

ANALYZE;

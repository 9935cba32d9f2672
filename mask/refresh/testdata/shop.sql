CREATE SCHEMA sales;
CREATE SCHEMA "Odd Names";
CREATE TYPE mood AS ENUM ('happy', 'sad');
CREATE DOMAIN postcode AS varchar(10) CHECK (VALUE ~ '^[0-9A-Z -]+$');
CREATE TABLE customer (
	id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	email text NOT NULL UNIQUE,
	first_name text NOT NULL,
	last_name text,
	phone varchar(30),
	code postcode,
	mood mood,
	tags text[],
	notes text,
	born date,
	favourite int,
	full_text text GENERATED ALWAYS AS (first_name || ' ' || coalesce(last_name, '')) STORED,
	created_at timestamptz NOT NULL DEFAULT '2026-01-01');
CREATE TABLE sales.orders (
	id bigserial PRIMARY KEY,
	customer_id int NOT NULL REFERENCES customer,
	customer_email text NOT NULL REFERENCES customer (email),
	total numeric(10,2) NOT NULL,
	note text DEFAULT 'none');
ALTER TABLE customer ADD CONSTRAINT favourite_order FOREIGN KEY (favourite) REFERENCES customer (id) DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE payment (
	id int NOT NULL, customer_id int NOT NULL REFERENCES customer, paid_at date NOT NULL, card text, PRIMARY KEY (id, paid_at)
) PARTITION BY RANGE (paid_at);
CREATE TABLE payment_2025 PARTITION OF payment FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE payment_2026 PARTITION OF payment FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE visit (id int NOT NULL, seen date NOT NULL, who text, PRIMARY KEY (id, seen)) PARTITION BY RANGE (seen);
CREATE TABLE visit_a PARTITION OF visit FOR VALUES FROM ('2000-01-01') TO ('2025-07-01');
CREATE TABLE visit_b PARTITION OF visit FOR VALUES FROM ('2025-07-01') TO ('2050-01-01');
CREATE TABLE "Odd Names"."It's ""quoted"" — ünï" ("Key \ One" int PRIMARY KEY, "select" text);
CREATE TABLE audit_log (id int PRIMARY KEY, line text NOT NULL);
CREATE TABLE country (code char(2) PRIMARY KEY, name text NOT NULL);
CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY);
CREATE VIEW customer_names AS SELECT id, first_name FROM customer;
CREATE MATERIALIZED VIEW spend AS SELECT customer_id, sum(total) AS total FROM sales.orders GROUP BY 1;
CREATE MATERIALIZED VIEW big_spend AS SELECT * FROM spend WHERE total > 10;
CREATE UNIQUE INDEX ON spend (customer_id);
CREATE INDEX ON customer (lower(last_name));
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.first_name := upper(NEW.first_name); RETURN NEW; END $$;

INSERT INTO country VALUES ('DE', 'Germany'), ('FR', 'France');
INSERT INTO customer (email, first_name, last_name, phone, code, mood, tags, notes, born, favourite)
	SELECT 'person' || i || '@mail-' || (i % 7) || '.test-source.net', 'Firstname' || i, CASE WHEN i % 10 > 0 THEN 'Lastname' || i END,
		'+4930' || (1000000 + i * 37), 'AB ' || i, (ARRAY['happy', 'sad'])[1 + i % 2]::mood, ARRAY['a,b', 'q"' || i, NULL],
		'tab' || chr(9) || 'back\slash ' || chr(10) || 'new \N line of customer ' || i, date '1950-01-01' + i * 11, 1 + i % 5
	FROM generate_series(1, 500) i;
INSERT INTO sales.orders (customer_id, customer_email, total, note)
	SELECT c.id, c.email, c.id * 1.5, 'order note ' || i FROM customer c, generate_series(1, 3) i;
INSERT INTO payment SELECT i, 1 + i % 500, date '2025-01-01' + i, '4111 1111 1111 ' || lpad((1000 + i)::text, 4, '0') FROM generate_series(1, 700) i;
INSERT INTO visit SELECT i, date '2025-06-01' + i % 60, 'Visitor number ' || i FROM generate_series(1, 300) i;
INSERT INTO "Odd Names"."It's ""quoted"" — ünï" SELECT i, 'Secret word ' || i FROM generate_series(1, 20) i;
INSERT INTO audit_log SELECT i, 'person' || i || '@mail-' || (i % 7) || '.test-source.net logged in' FROM generate_series(1, 50) i;
CREATE TRIGGER shout BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION shout();
REFRESH MATERIALIZED VIEW spend;
REFRESH MATERIALIZED VIEW big_spend;
ANALYZE;

CREATE TABLE patient (
	patient_id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	first_name text NOT NULL,
	last_name  text NOT NULL,
	email      varchar(80) NOT NULL UNIQUE,
	card       text,
	notes      text,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE visit (
	visit_id   int8 PRIMARY KEY,
	patient_id int8 NOT NULL REFERENCES patient,
	day        date NOT NULL,
	shout      text GENERATED ALWAYS AS (upper(day_text)) STORED,
	day_text   text
);
INSERT INTO patient (first_name, last_name, email, card, notes)
	SELECT (ARRAY['Ana','Ben','Cleo','Dan'])[1 + i % 4], (ARRAY['Novak','Orton','Price'])[1 + i % 3],
		'person' || i || '@clinic-mail.net', '4111 1111 1111 1111',
		'called about person' || i || '@clinic-mail.net'
	FROM generate_series(1, 300) i;
INSERT INTO visit (visit_id, patient_id, day, day_text)
	SELECT i, 1 + i % 300, '2024-01-01'::date + i % 400, 'morning' FROM generate_series(1, 900) i;

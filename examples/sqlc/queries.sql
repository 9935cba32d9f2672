-- name: NextCustomerID :one
SELECT nextval(pg_get_serial_sequence('customer', 'id'))::bigint;

-- name: InsertCustomer :exec
INSERT INTO customer (id, country, email, email_index, card) VALUES ($1, $2, $3, $4, $5);

-- name: CustomerByEmail :one
SELECT * FROM customer WHERE email_index = ANY(sqlc.arg(index_values)::bytea[]);

-- name: CustomersAfter :many
SELECT * FROM customer WHERE id > sqlc.arg(after) ORDER BY id LIMIT sqlc.arg(max_rows);

-- name: ChangeEmail :execrows
UPDATE customer SET email = $2, email_index = $3 WHERE id = $1;

// Package reencrypt fills, refreshes and completes encrypted columns of a PostgreSQL
// table that is in use: nobody starts with an empty one.
//
// The way from a plaintext column to an encrypted one, each step as often as wanted:
//
//  1. Add the new columns, and let the application write both and read the old one.
//  2. [Run] with [Fill] encrypts what was there before.
//  3. Let the application read the new column only.
//  4. [Run] with [Clear] empties the plaintext where the ciphertext opens to exactly it.
//     Old row versions stay in the table's files until VACUUM, and in backups and the
//     write-ahead log for as long as these are kept.
//
// After a rotation, [Run] with [Refresh] moves ciphertexts and blind indexes to the
// newest keys; every row is decrypted, so it is also a test of the whole column.
//
// The walk is in order of the primary key, in pages of short transactions. No lock is
// held while keys are asked for. A row is written only if plaintext, ciphertext, tenant
// and subject are what was read; otherwise it is read again, and after a few attempts
// counted and left to the next run. A run that was stopped goes on where it was, unless
// told to start again: a refresh that was stopped before another rotation should be.
// Rows that are inserted behind the walk are the application's, which writes the new
// column by then; run again until nothing is written.
//
// Triggers of the table fire for each row that is written. Values are in no error and
// no report; a server that logs the parameters of statements logs those of the run's
// updates too, as it does those of the application.
//
// # Rights
//
//	GRANT CONNECT ON DATABASE shop TO mover;
//	GRANT USAGE ON SCHEMA public TO mover;
//	GRANT SELECT (id, org, email, email_enc, email_idx), UPDATE (email, email_enc, email_idx) ON public.customer TO mover;
//	CREATE SCHEMA privet; CREATE TABLE privet.walk (…);   -- the first run prints it
//	GRANT USAGE ON SCHEMA privet TO mover;
//	GRANT SELECT, INSERT, UPDATE, DELETE ON privet.walk TO mover;
//
// SELECT on the primary key and on the columns that are named; UPDATE on the encrypted
// and the index column for Fill and Refresh, on the plaintext for Clear. A dry run needs
// SELECT alone. A table whose row security would hide rows from the role is refused by
// the server.
package reencrypt

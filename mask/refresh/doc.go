// Package refresh is the staging refresh: it copies a PostgreSQL database into
// another with every personal column masked, proves the result, and puts it in
// the place of the old staging database in one transaction.
//
// Start with [MakePlan], which needs neither target nor rows and says what would
// happen to every column, and [Run]. [Resume] finishes a run whose last step,
// the swap, had to wait for a session to end.
//
// # What a run promises
//
// The source is only read, in one snapshot, with the weakest lock there is, and
// the run ends itself when that lock makes somebody wait. The target is not
// touched before a complete, verified copy stands beside it; a run that fails
// leaves it exactly as it was. What the policy does not decide is not copied.
//
// The copy is built in a database of its own, to which nobody but the loading
// role can connect. Its comment says which run it belongs to and how far it got
// (loading, failed, verified), so that the next run finds and drops it.
//
// # Roles
//
// The source role needs SELECT on every table and sequence (pg_read_all_data
// will do) and must not be subject to row security. The target role needs
// CREATEDB, membership in the role that owns the target database, and
// pg_signal_backend where other roles have sessions in it. Neither needs to be
// a superuser, unless an extension does.
//
// Every error is a fault.Error whose kind says what kind of trouble it is;
// the sentinels of this package and of guard are in its chain. No error, note or
// progress report holds a value of a row.
package refresh

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
// # What is copied
//
// The structure as pg_dump writes it, comments included. Left out, and named in a
// note, is what ties a database to others: publications, subscriptions, event
// triggers, user mappings with their passwords. Large objects are refused.
// Owners, privileges, default privileges, settings, connection limit and comment
// are those of the old target: objects of the same name keep what they had
// there, new ones belong to its owner and are granted to nobody. What the loading
// role may not carry over is told in a note.
//
// # When a run ends early
//
// A database that a run did not finish refuses connections (after a kill -9 it
// is open to the loading role alone) until the next run drops it. A copy that
// failed verification is treated the same. A copy that is verified and cannot be
// swapped, because a session of the target cannot be ended, waits for [Resume].
//
// On this machine a killed run leaves a folder privet-refresh-* that only its user
// can read. It holds the source's structure and no row; the next run removes it.
// When the machine itself is gone, the servers end its sessions within a minute,
// and with them its locks on the source.
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

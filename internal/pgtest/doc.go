// Package pgtest runs a throwaway PostgreSQL server: for tests, one per test
// process with a fresh database for each test, and for programs such as the
// demo.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
//	func TestOrders(t *testing.T) {
//		uri := pgtest.Database(t) // postgres://postgres@/t1?host=/tmp/privet-pg…
//		pgtest.Exec(t, uri, `CREATE TABLE orders (id int8 PRIMARY KEY)`)
//		reader := pgtest.Role(t, uri, "orders_reader")
//		...
//	}
//
// The server starts with the first call that needs it. It listens on a unix
// socket in a folder of its own that only its user can enter, and keeps nothing:
// fsync is off, and the folder goes with the server. Where the process is root,
// which PostgreSQL refuses to run as, the server runs as the user postgres, else
// nobody.
//
// A server never outlives its process. It is the child of a small shell script
// that holds one end of a pipe; when the process ends, in whatever way, SIGKILL
// included, the pipe closes, and the script stops the server and removes the
// folder. [Main] does the same in order, so that nothing is left even for the
// blink of an eye after the tests.
//
// PRIVET_TEST_PG_BIN names the folder of another installation's programs. Where
// no server is installed, tests are skipped with the line that installs one; with
// CI=true they fail.
package pgtest

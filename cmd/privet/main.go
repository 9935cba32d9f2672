// Command privet protects personal data through its life: a sidecar for
// services in any language, masked staging copies for DBAs, keys for both.
//
// Data goes to standard output, everything else to standard error. The exit
// codes are 0 done, 1 unexpected, 2 usage or configuration, 3 policy, 4 a guard
// refused, 5 bad data, 6 verification failed, 7 stopped early with work left.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; a second one does not wait for it.
	context.AfterFunc(ctx, stop)
	// The second signal ends the process at once: the first one may find it where
	// no context reaches, such as opening a pipe that nobody writes to.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// Command demo shows privet at work, on a machine that has nothing but
// PostgreSQL's programs: it makes a shop's production database, refreshes a
// staging database from it with every personal column masked, and calls a sidecar.
// `make demo` runs it.
//
// Everything it starts it stops, and it leaves nothing but the receipt of the
// refresh. With KEEP=1 the servers keep running, and it says how to stop them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/privet-dev/privet/examples/shop"
	"github.com/privet-dev/privet/internal/fault"
)

func main() {
	var o options
	flag.StringVar(&o.privet, "privet", "bin/privet", "the privet command")
	flag.StringVar(&o.receipt, "receipt", "demo-receipt.json", "where the receipt of the refresh goes")
	flag.IntVar(&o.size.Customers, "customers", shop.Full.Customers, "customers of the shop")
	flag.IntVar(&o.size.Orders, "orders", shop.Full.Orders, "orders of the shop")
	flag.Parse()
	o.keep = os.Getenv("KEEP") == "1"
	o.out, o.err = os.Stdout, os.Stderr

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		if h := fault.HintOf(err); h != "" {
			fmt.Fprintf(os.Stderr, "hint: %s\n", h)
		}
		os.Exit(1)
	}
}

// options are the flags, and KEEP.
type options struct {
	privet, receipt string
	size            shop.Size
	keep            bool
	out, err        io.Writer
}

// run plays the demo from the first act to the last and cleans up behind it.
func run(ctx context.Context, o options) (err error) {
	for _, path := range []*string{&o.privet, &o.receipt} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if _, err := os.Stat(o.privet); err != nil {
		return fault.New(fault.Config, "the privet command: %v", err).WithHint("make build")
	}
	s, err := openStage(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = s.close(err) }()

	for _, act := range []func(context.Context) error{
		s.makeShop, s.markStaging, s.refresh, s.compare, s.callSidecar,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	s.finale()
	return nil
}

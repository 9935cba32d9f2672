package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/newfile"
)

// fileInfo is what `privet encrypt --json` and `decrypt --json` print.
type fileInfo struct {
	Output  string  `json:"output"`
	Read    int64   `json:"bytes_read"`
	Written int64   `json:"bytes_written"`
	Seconds float64 `json:"seconds"`
}

// fileFlags are what encrypt and decrypt share.
type fileFlags struct {
	at      crypto.Context
	in, out string
}

// command adds the flags to c and makes it run a file's way through work.
func (f *fileFlags) command(c *cobra.Command, a *app, work func(context.Context, *crypto.Client, io.Writer, io.Reader) error) *cobra.Command {
	c.Args = noArgs
	c.Flags().StringVar(&f.at.Tenant, "tenant", "privet", "whose data it is; the default is nobody's but the operator's")
	c.Flags().StringVar(&f.at.Field, "field", "file", "stable name of what it is; the same to decrypt as to encrypt")
	c.Flags().StringVarP(&f.in, "input", "i", "-", "file to read; - for standard input")
	c.Flags().StringVarP(&f.out, "output", "o", "-", "new file to write, whole or not at all; - for standard output")
	c.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd, a, work) }
	return c
}

func (a *app) encryptCommand() *cobra.Command {
	f := &fileFlags{}
	c := &cobra.Command{
		Use:   "encrypt",
		Short: "Encrypt a file or stream of any size",
		Long: `Encrypt a file or stream of any size under the tenant's keys, in constant memory:

  set -o pipefail
  pg_dump shop | privet encrypt > shop.privet

A program before the pipe that fails looks like the end of its output: only
pipefail tells. Tenant and field are bound to the result and are needed to
decrypt it, and so are the keystore and the key-encryption key.`,
	}
	return f.command(c, a, func(ctx context.Context, client *crypto.Client, dst io.Writer, src io.Reader) error {
		if f.out == "-" && isTerminal(a.out) {
			return fault.New(fault.Config, "standard output is a terminal, and the result is binary").
				WithHint("redirect it, or name a file by -o")
		}
		w, err := client.NewEncryptWriter(ctx, dst, f.at)
		if err != nil {
			return err
		}
		n, err := pipe(w, src)
		if err != nil {
			return err
		}
		if n == 0 {
			a.note("nothing was read: this is the encrypted form of an empty file")
		}
		return w.Close()
	})
}

func (a *app) decryptCommand() *cobra.Command {
	f := &fileFlags{}
	c := &cobra.Command{
		Use:   "decrypt",
		Short: "Decrypt what privet encrypt has written",
		Long: `Decrypt what privet encrypt has written.

Each megabyte is verified before any of it is written, and only the end shows
whether the whole is there. With -o the file appears when all was verified.
On standard output the beginning is out by then: WHEN THE EXIT CODE IS NOT 0,
THROW AWAY WHAT WAS WRITTEN. Exit code 5 says that the input was changed, cut
short, or is of another tenant or field.

  privet decrypt -i shop.privet -o shop.sql && psql -f shop.sql shop

psql takes a pipe that breaks for the end of its input and commits what came:
pipe into it only to a database that you can drop.`,
	}
	return f.command(c, a, func(ctx context.Context, client *crypto.Client, dst io.Writer, src io.Reader) error {
		r, err := client.NewDecryptReader(ctx, src, f.at)
		if err == nil {
			_, err = pipe(dst, r)
		}
		if errors.Is(err, crypto.ErrDecrypt) {
			return f.refused(err)
		}
		return err
	})
}

// pipe copies src to dst in pieces that suit streams.
func pipe(dst io.Writer, src io.Reader) (int64, error) {
	// The wrappers hide what would let the two choose pieces of their own.
	return io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, make([]byte, 256<<10))
}

// refused says about the input what crypto.ErrDecrypt does not.
func (f *fileFlags) refused(err error) error {
	e := &fault.Error{
		Kind: fault.KindOf(err), Err: err,
		Msg:  f.name() + " cannot be decrypted: it was changed or cut short, or it is of another tenant or field",
		Hint: "give the --tenant and --field it was encrypted with",
	}
	if err != crypto.ErrDecrypt { // the first bytes were enough to say more
		e.Msg, e.Hint = f.name()+": "+strings.TrimPrefix(err.Error(), "crypto: "), fault.HintOf(err)
	} else if f.out == "-" {
		e.Hint = "throw away what was written; " + e.Hint
	}
	return e
}

func (f *fileFlags) name() string {
	if f.in == "-" {
		return "standard input"
	}
	return f.in
}

// run opens both ends, does the work between them, and keeps what it wrote only
// where the work was done.
func (f *fileFlags) run(cmd *cobra.Command, a *app, work func(context.Context, *crypto.Client, io.Writer, io.Reader) error) (err error) {
	if a.json && f.out == "-" {
		return fault.New(fault.Config, "%s: --json needs -o: standard output has the data", cmd.CommandPath())
	}
	src, size, err := f.source(a)
	if err != nil {
		return err
	}
	defer src.Close()
	d, err := a.open(cmd.Context())
	if err != nil {
		return err
	}
	defer closing(d, &err)
	dst, commit, discard, err := f.destination(a)
	if err != nil {
		return err
	}
	start, out := time.Now(), &counter{w: dst}
	var show *transfer
	if f.out == "-" && isTerminal(a.out) {
		show = newTransfer(io.Discard, cmd.Name(), src, size) // a bar would stand in the data
	} else {
		show = newTransfer(a.err, cmd.Name(), src, size)
	}
	done := make(chan error, 1)
	go func() { done <- work(cmd.Context(), d.Crypto, out, show) }()
	select {
	case err = <-done:
	case <-cmd.Context().Done():
		// A read from a pipe cannot be interrupted: the process ends without it.
		err = fault.New(fault.Stopped, "%s was stopped: %v", cmd.CommandPath(), context.Cause(cmd.Context()))
	}
	show.Close()
	if err == nil {
		err = commit()
	}
	if err != nil {
		return errors.Join(err, discard())
	}
	if a.json {
		return a.printJSON(fileInfo{Output: f.out, Read: show.read.Load(), Written: out.n, Seconds: time.Since(start).Seconds()})
	}
	return nil
}

// source opens the input and says how long it is, or 0.
func (f *fileFlags) source(a *app) (io.ReadCloser, int64, error) {
	in := io.NopCloser(a.in)
	file, ok := a.in.(*os.File)
	if f.in != "-" {
		opened, err := os.Open(f.in)
		if err != nil {
			return nil, 0, fault.New(fault.Config, "%v", err)
		}
		in, file, ok = opened, opened, true
	}
	if !ok {
		return in, 0, nil
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, 0, fault.New(fault.Config, "%v", err)
	case info.IsDir():
		return nil, 0, fault.New(fault.Config, "%s is a folder", f.name()).WithHint("tar -c %s | privet encrypt", f.in)
	case info.Mode().IsRegular():
		return in, info.Size(), nil
	}
	return in, 0, nil
}

// destination opens the output. What was written to a file counts after commit.
func (f *fileFlags) destination(a *app) (w io.Writer, commit, discard func() error, err error) {
	if f.out == "-" {
		nothing := func() error { return nil }
		return a.out, nothing, nothing, nil
	}
	file, err := newfile.Create(f.out)
	if err != nil {
		return nil, nil, nil, err
	}
	return file, file.Commit, file.Discard, nil
}

// A counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

// Write writes to w.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

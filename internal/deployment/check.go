package deployment

import (
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/privet-dev/privet/access"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/suggest"
)

// nobody is the uid that the kernel shows for every peer whose own one is not
// mapped into our user namespace, so that it identifies no one.
const nobody = 65534

// check holds the values against each other and makes paths absolute.
func (c *Config) check() error {
	if c.Version != 1 {
		return c.fail("version", "version %d of the format is unknown; this version of privet reads 1", c.Version)
	}
	if err := c.checkKeys(); err != nil {
		return err
	}
	if err := c.checkListen(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Roles)) {
		if err := c.checkRole(name); err != nil {
			return err
		}
	}
	return c.checkCallers()
}

func (c *Config) fail(path, format string, args ...any) *fault.Error {
	e := fault.New(fault.Config, format, args...)
	e.Msg = c.At(path) + ": " + path + ": " + e.Msg
	return e
}

func (c *Config) checkKeys() error {
	k := &c.Keys
	if err := checkKEK(c.failing("keys.kek"), &k.KEK, c.absolute); err != nil {
		return err
	}
	for i := range k.Former {
		if err := checkKEK(c.failing("keys.former["+strconv.Itoa(i)+"]"), &k.Former[i], c.absolute); err != nil {
			return err
		}
	}
	if err := checkStore(c.failing("keys.keystore"), &k.Keystore, c.absolute); err != nil {
		return err
	}
	if k.Ledger != "" {
		if err := checkStore(c.failing("keys.ledger"), &k.Ledger, c.absolute); err != nil {
			return err
		}
		if err := c.checkLedgerApart(); err != nil {
			return err
		}
	}
	if k.PassphraseFile != "" {
		if !strings.HasPrefix(k.KEK, "file:") {
			return c.fail("keys.passphrase_file", "only a local key file (keys.kek: file:/path) has a passphrase")
		}
		k.PassphraseFile = c.absolute(k.PassphraseFile)
	}
	return nil
}

// A failing returns an error of kind Config that says what it is about.
type failing func(format string, args ...any) *fault.Error

// failing returns one for what the file says at path.
func (c *Config) failing(path string) failing {
	return func(format string, args ...any) *fault.Error { return c.fail(path, format, args...) }
}

// checkStore checks where a store is, and makes its path absolute.
func checkStore(fail failing, store *string, absolute func(string) string) error {
	if path, ok := strings.CutPrefix(*store, "sqlite:"); ok {
		if path == "" {
			return fail("sqlite: needs the path of a file")
		}
		*store = "sqlite:" + absolute(path)
	} else if !isPostgres(*store) {
		scheme, _, _ := strings.Cut(*store, ":")
		return fail("expected sqlite:/path or a PostgreSQL connection%s", suggest.DidYouMean(scheme, []string{"sqlite", "postgres", "postgresql"})).
			WithHint("a connection is a URI (postgresql://host/database) or keywords (service=privet)")
	}
	return nil
}

// checkKEK checks the URI of a key-encryption key and makes its path absolute.
func checkKEK(fail failing, uri *string, absolute func(string) string) error {
	scheme, rest, ok := strings.Cut(*uri, ":")
	switch {
	case !ok || rest == "" || scheme != "awskms" && scheme != "file":
		return fail("expected awskms:alias/NAME, awskms:ARN or file:/path%s", suggest.DidYouMean(scheme, []string{"awskms", "file"}))
	case scheme == "file":
		*uri = "file:" + absolute(rest)
	case !strings.HasPrefix(rest, "alias/") && !strings.HasPrefix(rest, "arn:"):
		return fail("awskms: takes alias/NAME or the ARN of a key or alias")
	}
	return nil
}

func (c *Config) checkListen() error {
	if c.Listen.Unix != "" {
		c.Listen.Unix = c.absolute(c.Listen.Unix)
	}
	for path, addr := range map[string]string{"listen.tcp": c.Listen.TCP, "listen.diagnostics": c.Listen.Diagnostics} {
		if addr == "" {
			continue
		}
		_, port, err := net.SplitHostPort(addr)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return c.fail(path, "expected an address and a port, such as 127.0.0.1:8765")
		}
	}
	return nil
}

func (c *Config) checkRole(name string) error {
	for i, r := range c.Roles[name] {
		path := "roles." + name + "[" + strconv.Itoa(i) + "]"
		for j, op := range r.Do {
			if _, err := access.ParseOperation(op); err != nil {
				return c.fail(path+".do["+strconv.Itoa(j)+"]", "%v", err).
					WithHint("operations are: %s", strings.Join(access.Operations(), ", "))
			}
		}
		if err := r.access().Check(); err != nil {
			return c.fail(path, "%v", err)
		}
	}
	return nil
}

func (c *Config) checkCallers() error {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Callers)) {
		caller, path := c.Callers[name], "callers."+name
		var keys []string
		if caller.UID != nil {
			if *caller.UID == nobody {
				return c.fail(path+".uid", "uid %d stands for every user the kernel cannot name, and identifies no one", nobody)
			}
			keys = append(keys, "uid "+strconv.FormatUint(uint64(*caller.UID), 10))
		}
		if caller.GID != nil {
			if caller.UID != nil {
				return c.fail(path+".gid", "a caller has a uid or a gid, not both")
			}
			if *caller.GID == nobody {
				return c.fail(path+".gid", "gid %d stands for every group the kernel cannot name, and identifies no one", nobody)
			}
			keys = append(keys, "gid "+strconv.FormatUint(uint64(*caller.GID), 10))
		}
		if caller.TokenFile != "" {
			caller.TokenFile = c.absolute(caller.TokenFile)
			c.Callers[name] = caller
			keys = append(keys, "token file "+caller.TokenFile)
		}
		if len(keys) == 0 {
			return c.fail(path, "a caller needs a uid, a gid or a token_file to be recognized by")
		}
		for _, k := range keys {
			if other, ok := seen[k]; ok {
				return c.fail(path, "%s is that of caller %q already", k, other)
			}
			seen[k] = name
		}
		for i, role := range caller.Roles {
			if _, ok := c.Roles[role]; !ok {
				return c.fail(path+".roles["+strconv.Itoa(i)+"]", "there is no role %q%s", role, suggest.DidYouMean(role, slices.Sorted(maps.Keys(c.Roles))))
			}
		}
	}
	return nil
}

// absolute takes relative paths from the file's folder, so that they mean the
// same wherever the command is started.
func (c *Config) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(filepath.Dir(c.file), path)
}

package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/deployment"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask/refresh/receipt"
)

func (a *app) keysCommand() *cobra.Command {
	return family("keys", "The life of keys: look at them, rotate, rewrap, disable",
		a.keysListCommand(), a.keysRotateCommand(), a.keysRewrapCommand(), a.keysEnableCommand(), a.keysDisableCommand(),
		a.keysStatusCommand(), a.keysPublicCommand(), a.keysShredCommand())
}

// withKeys opens the deployment for a command that works on its keys.
func (a *app) withKeys(do func(context.Context, *deployment.Deployment) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) (err error) {
		d, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		defer closing(d, &err)
		return do(cmd.Context(), d)
	}
}

// scopeFlags adds the flags that name one keyring to c, which must name exactly one;
// instead is a flag that takes the place of all of them, or "".
func scopeFlags(c *cobra.Command, s *crypto.Scope, instead string) {
	c.Flags().StringVar(&s.Tenant, "tenant", "", "whose keyring it is")
	c.Flags().BoolVar(&s.Root, "root", false, "the tenant's root, which wraps all its keyrings")
	c.Flags().StringVar(&s.Subject, "subject", "", "the keyring of the subject with this id")
	c.Flags().StringVar(&s.Domain, "domain", "", "the keyset of the domain with this name")
	c.PreRunE = func(cmd *cobra.Command, _ []string) error {
		var given []string
		for _, name := range []string{instead, "root", "subject", "domain"} {
			if name != "" && cmd.Flags().Changed(name) {
				given = append(given, "--"+name)
			}
		}
		whole := instead != "" && cmd.Flags().Changed(instead)
		switch {
		case len(given) > 1:
			return fault.New(fault.Config, "%s: %s exclude one another", cmd.CommandPath(), strings.Join(given, " and ")).
				WithHint("%s --help", cmd.CommandPath())
		case whole && s.Tenant != "":
			return fault.New(fault.Config, "%s: --%s takes no --tenant", cmd.CommandPath(), instead).
				WithHint("%s --help", cmd.CommandPath())
		case !whole && s.Tenant == "":
			return fault.New(fault.Config, "%s needs --tenant, to say whose keyring it is", cmd.CommandPath()).
				WithHint("%s --help", cmd.CommandPath())
		}
		return nil
	}
}

// printKeyring prints one keyring and its keys.
func (a *app) printKeyring(i crypto.KeyringInfo) error {
	if a.json {
		return a.printJSON(i)
	}
	_, err := fmt.Fprint(a.out, keyringLine(i), keyLines(i))
	return err
}

func keyringLine(i crypto.KeyringInfo) string {
	name := i.Tenant + "/" + i.Purpose
	if i.Subject != "" {
		name += "/" + i.Subject
	}
	under := i.KEK
	if i.Parent != nil {
		under = "root key " + i.Parent.String()
	}
	if under != "" {
		under = " under " + under
	}
	return fmt.Sprintf("%s %s%s, changed %s\n", name, i.State, under, i.Updated.Format(time.RFC3339))
}

func keyLines(i crypto.KeyringInfo) string {
	var b strings.Builder
	for _, k := range i.Keys {
		state := "enabled"
		if !k.Enabled {
			state = "disabled"
		}
		if k.Primary {
			state = "primary"
		}
		fmt.Fprintf(&b, "  %s  version %d  %s  %s\n", k.ID, k.Version, k.Algorithm, state)
	}
	return b.String()
}

func (a *app) keysListCommand() *cobra.Command {
	var o crypto.ListOptions
	c := &cobra.Command{
		Use:   "list",
		Short: "List keyrings, tombstones included, and their keys",
		Args:  noArgs,
		RunE: a.withKeys(func(ctx context.Context, d *deployment.Deployment) error {
			if !a.json {
				return d.Crypto.List(ctx, o, func(i crypto.KeyringInfo) error {
					_, err := fmt.Fprint(a.out, keyringLine(i), keyLines(i))
					return err
				})
			}
			s := a.stream("keyrings")
			if err := d.Crypto.List(ctx, o, func(i crypto.KeyringInfo) error { return s.add(i) }); err != nil {
				return err
			}
			return s.end(struct{}{})
		}),
	}
	c.Flags().StringVar(&o.Tenant, "tenant", "", "of this tenant only")
	c.Flags().StringVar(&o.Purpose, "purpose", "", `of this purpose only: root, value, subject, "domain/NAME"`)
	c.Flags().BoolVar(&o.Keys, "keys", false, "show the keys of each; calls the key service once per tenant")
	return c
}

// rotatedInfo is what `privet keys rotate --all-roots --json` prints.
type rotatedInfo struct {
	Rotated int       `json:"rotated"`
	Before  time.Time `json:"before"`
}

func (a *app) keysRotateCommand() *cobra.Command {
	var s crypto.Scope
	var allRoots bool
	var before string
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Add a key to a keyring; what is new is encrypted under it",
		Long: `Add a key to a keyring and make it the primary: what is new is encrypted under
it, and its former keys stay to decrypt what is old. Without --root, --subject or
--domain it is the keyring of the tenant's values.

A rotated domain gives other tokens and pseudonyms from then on. After rotating
roots, privet keys rewrap moves their keyrings.`,
		Args: noArgs,
		RunE: a.withKeys(func(ctx context.Context, d *deployment.Deployment) error {
			if !allRoots {
				info, err := d.Crypto.Rotate(ctx, s)
				if err != nil {
					return err
				}
				return a.printKeyring(info)
			}
			at, err := startOr(before)
			if err != nil {
				return err
			}
			a.note("rotating roots that were changed before %s", at.Format(time.RFC3339Nano))
			n, err := d.Crypto.RotateRoots(ctx, at, nil)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(rotatedInfo{Rotated: n, Before: at})
			}
			_, err = fmt.Fprintf(a.out, "%d roots rotated\n", n)
			return err
		}),
	}
	scopeFlags(c, &s, "all-roots")
	c.Flags().BoolVar(&allRoots, "all-roots", false, "rotate the root of every tenant")
	c.Flags().StringVar(&before, "before", "", "with --all-roots: only roots that were changed before this time (RFC 3339), to resume; default now")
	return c
}

// startOr returns the time that text says, or now.
func startOr(text string) (time.Time, error) {
	if text == "" {
		return time.Now().UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fault.New(fault.Config, "--before %q is no time", text).WithHint("2026-01-31T12:00:00Z")
	}
	return at, nil
}

func (a *app) keysEnableCommand() *cobra.Command {
	var s crypto.Scope
	c := &cobra.Command{
		Use:   "enable KEY...",
		Short: "Bring disabled keys of a keyring back",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withKeys(func(ctx context.Context, d *deployment.Deployment) error {
				return a.changeKeys(ctx, s, args, d.Crypto.Enable)
			})(cmd, args)
		},
	}
	scopeFlags(c, &s, "")
	return c
}

func (a *app) keysDisableCommand() *cobra.Command {
	var s crypto.Scope
	var older string
	c := &cobra.Command{
		Use:   "disable KEY...",
		Short: "Make keys of a keyring unusable until they are enabled again",
		Long: `Make keys of a keyring unusable until they are enabled again: what is encrypted
under them cannot be opened. With --older-than KEY, all keys that were added before
it. The primary key is refused.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withKeys(func(ctx context.Context, d *deployment.Deployment) error {
				if older == "" {
					return a.changeKeys(ctx, s, args, d.Crypto.Disable)
				}
				return a.changeKeys(ctx, s, append(args, older), func(ctx context.Context, s crypto.Scope, keys ...crypto.KeyID) (crypto.KeyringInfo, error) {
					if len(keys) > 1 {
						return crypto.KeyringInfo{}, fault.New(fault.Config, "name keys, or --older-than, not both")
					}
					return d.Crypto.DisableOlder(ctx, s, keys[0])
				})
			})(cmd, args)
		},
	}
	scopeFlags(c, &s, "")
	c.Flags().StringVar(&older, "older-than", "", "disable all keys that were added before this one")
	return c
}

// changeKeys does what change does to the keys that args name.
func (a *app) changeKeys(ctx context.Context, s crypto.Scope, args []string, change func(context.Context, crypto.Scope, ...crypto.KeyID) (crypto.KeyringInfo, error)) error {
	keys := make([]crypto.KeyID, len(args))
	for i, arg := range args {
		var err error
		if keys[i], err = crypto.ParseKeyID(arg); err != nil {
			return err
		}
	}
	info, err := change(ctx, s, keys...)
	if err != nil {
		return err
	}
	return a.printKeyring(info)
}

// publicKeyInfo is what `privet keys public --json` prints.
type publicKeyInfo struct {
	KeyID     string `json:"key_id"`
	PublicKey string `json:"public_key"`
}

func (a *app) keysPublicCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "public",
		Short: "Print the public key that receipts are checked with",
		Args:  noArgs,
		RunE: a.withKeys(func(ctx context.Context, d *deployment.Deployment) error {
			private, err := d.ReceiptKey(ctx)
			if err != nil {
				return err
			}
			public := private.Public().(ed25519.PublicKey)
			info := publicKeyInfo{KeyID: receipt.KeyID(public), PublicKey: receipt.FormatPublicKey(public)}
			if a.json {
				return a.printJSON(info)
			}
			_, err = fmt.Fprintln(a.out, info.PublicKey)
			return err
		}),
	}
}

// A jsonStream prints one JSON object whose first member is a list of any length.
type jsonStream struct {
	a   *app
	sep string
}

// stream begins the object.
func (a *app) stream(list string) *jsonStream {
	return &jsonStream{a: a, sep: fmt.Sprintf("{\n  %q: [\n    ", list)}
}

// add prints one element.
func (s *jsonStream) add(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.a.out, "%s%s", s.sep, b)
	s.sep = ",\n    "
	return err
}

// end ends the list and adds the members of rest, a struct.
func (s *jsonStream) end(rest any) error {
	b, err := json.MarshalIndent(rest, "", "  ")
	if err != nil {
		return err
	}
	if !strings.HasPrefix(s.sep, ",") { // the list is empty
		if _, err := fmt.Fprint(s.a.out, s.sep); err != nil {
			return err
		}
	}
	members := strings.TrimPrefix(string(b), "{")
	if members == "}" {
		members = "\n}"
	} else {
		members = "," + members
	}
	_, err = fmt.Fprintf(s.a.out, "\n  ]%s\n", members)
	return err
}

// table prints rows with aligned columns.
func (a *app) table(rows ...string) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		if _, err := fmt.Fprintln(w, row); err != nil {
			return err
		}
	}
	return w.Flush()
}

package main

import (
	"crypto/ed25519"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/privet-dev/privet/mask/refresh/receipt"
)

// publicKeyInfo is what `privet keys public --json` prints.
type publicKeyInfo struct {
	KeyID     string `json:"key_id"`
	PublicKey string `json:"public_key"`
}

func (a *app) keysCommand() *cobra.Command {
	return family("keys", "Look at keys", a.keysPublicCommand())
}

func (a *app) keysPublicCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "public",
		Short: "Print the public key that receipts are checked with",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			d, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(d, &err)
			private, err := d.ReceiptKey(cmd.Context())
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
		},
	}
}

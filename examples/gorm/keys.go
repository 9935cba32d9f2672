package main

import (
	"context"
	"errors"
	"io/fs"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore/pgstore"
	"github.com/privet-dev/privet/crypto/kms/localkms"
)

// tenant is whose customers these are. A service for several clients takes it from the
// request.
const tenant = "acme"

// keys is what a service opens once, at its start, and keeps.
type keys struct {
	client *crypto.Client
	emails *crypto.BlindIndex
	store  *pgstore.Store
}

// openKeys opens the client: its keyrings are in the schema privet of the database, its
// key-encryption key in a file that is made where there is none. In production the
// latter is awskms.Open(ctx, awskms.Config{KeyID: "alias/privet"}).
func openKeys(ctx context.Context, database, kekFile string) (k *keys, err error) {
	kek, err := localkms.Open(kekFile, nil)
	if errors.Is(err, fs.ErrNotExist) {
		kek, err = localkms.Create(kekFile, nil)
	}
	if err != nil {
		return nil, err
	}
	k = &keys{}
	defer func() {
		if err != nil {
			_ = k.Close()
		}
	}()
	if k.store, err = pgstore.Open(ctx, database); err != nil {
		return nil, err
	}
	if k.client, err = crypto.New(ctx, crypto.Config{KEK: kek, Keystore: k.store}); err != nil {
		return nil, err
	}
	normalize, err := crypto.NormalizerFor(classify.Email)
	if err != nil {
		return nil, err
	}
	k.emails, err = k.client.BlindIndex(ctx, crypto.BlindIndexConfig{
		Tenant: tenant, Field: "customer.email", Normalize: normalize,
	})
	return k, err
}

// Close forgets the keys. Nothing may use them any more.
func (k *keys) Close() error {
	var errs []error
	if k.client != nil {
		errs = append(errs, k.client.Close())
	}
	if k.store != nil {
		errs = append(errs, k.store.Close())
	}
	return errors.Join(errs...)
}

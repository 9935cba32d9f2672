package crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/event"
)

// endTenant moves the root of the tenant in work, now that its keyrings are where
// they belong. Old keys leave the root before it moves: the new KEK then never wraps
// them, and they are gone with the old one.
func (w *rewrap) endTenant(ctx context.Context) error {
	for range maxConflicts {
		if w.root == nil {
			return nil
		}
		err := w.moveRoot(ctx)
		if !errors.Is(err, keystore.ErrConflict) {
			return err
		}
		// Whoever changed the root may have rotated it: its keyrings are under an old
		// key then, and which ones the next run finds out.
		if w.root, err = w.openRoot(ctx); err != nil {
			return err
		}
		w.left = true
	}
	w.report.fail(fmt.Errorf("the root of tenant %q is changed by others all the time", w.tenant))
	return nil
}

// moveRoot takes old keys out of the root, where that is asked for and safe, and
// wraps it by the target, where it is not.
func (w *rewrap) moveRoot(ctx context.Context) error {
	next, removed, err := w.withoutOld()
	if err != nil {
		return err
	}
	// The name alone does not tell: an alias may have been pointed at another key.
	moves := w.o.AllRoots || w.root.rec.KEK != w.target.URI() || w.root.kek.URI() != w.target.URI()
	if len(removed) == 0 && !moves {
		return nil
	}
	if !w.o.DryRun {
		if err := w.replaceRoot(ctx, next, removed, moves); err != nil {
			return err
		}
	}
	w.report.KeysRemoved += int64(len(removed))
	if moves {
		w.report.RootsMoved++
	}
	w.o.Progress(w.report)
	return nil
}

// withoutOld returns the root without the keys that wrap nothing, and their ids.
func (w *rewrap) withoutOld() (*keyset.Handle, []KeyID, error) {
	h := w.root.handle
	if !w.o.RemoveOld || w.left || h.Len() == 1 {
		return h, nil, nil
	}
	if age := time.Since(w.root.rec.Updated); age < w.o.oldFor() {
		w.report.TooYoung++
		return h, nil, nil
	}
	m := keyset.NewManagerFromHandle(h)
	var removed []KeyID
	for _, k := range keysOf(h) {
		if k.Primary {
			continue
		}
		if err := m.Delete(uint32(k.ID)); err != nil {
			return nil, nil, fmt.Errorf("crypto: removing key %s from the root of tenant %q: %w", k.ID, w.tenant, err)
		}
		removed = append(removed, k.ID)
	}
	next, err := m.Handle()
	return next, removed, err
}

// replaceRoot stores the root in the place of the one that was read.
func (w *rewrap) replaceRoot(ctx context.Context, h *keyset.Handle, removed []KeyID, moves bool) error {
	id := w.root.rec.ID
	if len(removed) > 0 {
		if err := w.c.recordKeys(ctx, "crypto.keyring.remove", id, removed); err != nil {
			return err
		}
	}
	kek, next := w.root.kek, *w.root.rec
	if moves {
		kek, next.KEK = w.target, w.target.URI()
		err := w.c.recordEvent(ctx, event.Event{
			Action: "crypto.root.rewrap", Tenant: w.tenant, Count: 1,
			Object: fmt.Sprintf("%s -> %s", w.root.rec.KEK, next.KEK),
		})
		if err != nil {
			return err
		}
	}
	if err := w.pace.wait(ctx); err != nil {
		return interrupted(err)
	}
	inside := false
	var err error
	if len(removed) == 0 {
		next.Wrapped, inside, err = w.takeOver(ctx, kek)
	} else {
		next.Wrapped, err = wrapRoot(ctx, kek, w.tenant, h)
	}
	if err != nil {
		return err
	}
	if err := prove(ctx, kek, w.tenant, next.Wrapped, h); err != nil {
		return err
	}
	if err := w.c.store.Update(ctx, next); err != nil {
		return fmt.Errorf("crypto: rewrapping the root of tenant %q: %w", w.tenant, err)
	}
	if inside {
		w.report.InsideKMS++
	}
	if len(removed) > 0 {
		w.c.dropTenant(w.tenant)
	}
	return nil
}

// takeOver wraps the root as it is by kek, inside of the key service where it can.
func (w *rewrap) takeOver(ctx context.Context, kek kms.KEK) (wrapped []byte, inside bool, err error) {
	to, ok := bare(kek).(kms.ReWrapper)
	if !ok {
		wrapped, err = wrapRoot(ctx, kek, w.tenant, w.root.handle)
		return wrapped, false, err
	}
	sealed, err := sealedRoot(w.root.rec)
	if err != nil {
		return nil, false, err
	}
	at := kms.RootContext(w.tenant)
	out, err := to.ReWrap(ctx, bare(w.root.kek), sealed, at, at)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		wrapped, err = wrapRoot(ctx, kek, w.tenant, w.root.handle)
		return wrapped, false, err
	case err != nil:
		return nil, false, fmt.Errorf("crypto: moving the root of tenant %q: %w", w.tenant, err)
	}
	var b bytes.Buffer
	err = keyset.NewBinaryWriter(&b).WriteEncrypted(&tinkpb.EncryptedKeyset{EncryptedKeyset: out})
	return b.Bytes(), true, err
}

// sealedRoot returns what the KEK wrapped, without the proto around it.
func sealedRoot(rec *keystore.Record) ([]byte, error) {
	e, err := keyset.NewBinaryReader(bytes.NewReader(rec.Wrapped)).ReadEncrypted()
	if err != nil {
		return nil, fmt.Errorf("%w: the root of tenant %q is malformed", ErrKeyring, rec.Tenant)
	}
	return e.GetEncryptedKeyset(), nil
}

// prove opens what is about to take the root's place: a KEK that wraps and does not
// unwrap, for want of a permission, would lose the tenant's keys.
func prove(ctx context.Context, kek kms.KEK, tenant string, wrapped []byte, want *keyset.Handle) error {
	aead := &kekAEAD{kek: kek, encryptionContext: kms.RootContext(tenant)}
	h, err := keyset.ReadWithContext(ctx, keyset.NewBinaryReader(bytes.NewReader(wrapped)), aead, nil)
	if aead.err != nil {
		err = aead.err
	}
	if err != nil {
		return fmt.Errorf("crypto: %s wraps the root of tenant %q and does not open it again, and was not given it: %w", kek.URI(), tenant, err)
	}
	if h.Len() != want.Len() || h.KeysetInfo().GetPrimaryKeyId() != want.KeysetInfo().GetPrimaryKeyId() {
		return fmt.Errorf("crypto: %s gives back another root than that of tenant %q, and was not given it", kek.URI(), tenant)
	}
	return nil
}

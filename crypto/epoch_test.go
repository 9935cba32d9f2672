package crypto_test

import (
	"slices"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/awskms"
	"github.com/privet-dev/privet/crypto/kms/kmstest"
)

// copyStore returns a copy of a keystore, as a backup restores it.
func copyStore(t *testing.T, from keystore.Store) keystore.Store {
	t.Helper()
	to := memstore.New()
	for after := (keystore.ID{}); ; {
		page, err := from.List(t.Context(), keystore.Filter{}, after, 0)
		require.NoError(t, err)
		if len(page) == 0 {
			return to
		}
		for _, r := range page {
			require.NoError(t, to.Create(t.Context(), r))
		}
		after = page[len(page)-1].ID
	}
}

// The epoch of docs/crypto-operations.md, made of the operations that its commands
// call: at its end copies of the keystore from before it bring nobody back.
func TestEpochMakesOldBackupsHarmless(t *testing.T) {
	onEveryStore(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		server := kmstest.NewServer(t)
		oldID, newID := server.CreateKey(), server.CreateKey()
		open := func(id string) *awskms.KEK {
			k, err := awskms.Open(ctx, server.Config(id))
			require.NoError(t, err)
			return k
		}
		oldKEK, newKEK := open(oldID), open(newID)
		on := func(store keystore.Store, kek kms.KEK, former ...kms.KEK) *crypto.Client {
			c, err := crypto.New(ctx, crypto.Config{KEK: kek, FormerKEKs: former, Keystore: store, CacheLife: time.Minute})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, c.Close()) })
			return c
		}
		opens := func(c *crypto.Client, v sealedValue) error {
			_, err := c.Decrypt(ctx, v.ciphertext, v.at)
			return err
		}
		status := func(c *crypto.Client) crypto.Status {
			s, err := c.Status(ctx, crypto.StatusOptions{Verify: true, Former: []kms.KEK{oldKEK}})
			require.NoError(t, err)
			require.Zero(t, s.Unreadable())
			return s
		}

		service := on(w.store, oldKEK)
		values := seal(t, service, "acme", "globex")
		living := slices.Concat(values[:1], values[2:])
		gone := values[1] // of acme's subject 1
		backup := copyStore(t, w.store)

		// The subject is erased. The backup brings it back, under whatever KEK its root
		// is under.
		_, err := service.Shred(ctx, "acme", "1", crypto.ShredOptions{})
		require.NoError(t, err)
		require.ErrorIs(t, opens(service, gone), crypto.ErrErased)
		require.NoError(t, opens(on(backup, oldKEK), gone), "this is what an epoch is for")

		// 1. New roots.
		operator := on(w.store, oldKEK)
		n, err := operator.RotateRoots(ctx, time.Now().Add(time.Minute), nil)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.False(t, status(operator).OldBackups.Harmless)

		// 2. Living keyrings move to them, and the former ones leave.
		report := rewrap(t, operator, crypto.RewrapOptions{})
		require.Equal(t, int64(11), report.Rewrapped)
		require.Equal(t, int64(1), report.Erased)
		report = rewrap(t, operator, crypto.RewrapOptions{RemoveOld: true, OldFor: time.Nanosecond})
		require.Equal(t, int64(2), report.KeysRemoved)

		// 3. The roots move under the new KEK; services know both.
		service = on(w.store, newKEK, oldKEK)
		readable(t, service, living)
		report = rewrap(t, service, crypto.RewrapOptions{})
		require.Equal(t, int64(2), report.RootsMoved)
		require.Equal(t, int64(2), report.InsideKMS)

		// 4. A backup, restored for a test and opened by the new KEK alone.
		restored := on(copyStore(t, w.store), newKEK)
		status(restored)
		readable(t, restored, living)
		require.ErrorIs(t, opens(restored, gone), crypto.ErrErased)

		// 5. The old KEK's days are counted. Until then the old backup still works.
		server.Disable(oldID)
		left := status(service).OldBackups
		require.False(t, left.Harmless)
		require.Len(t, left.Left, 1, "%q", left.Left)
		require.Contains(t, left.Left[0], "schedule its deletion")
		server.Enable(oldID)
		require.NoError(t, opens(on(backup, oldKEK), gone))
		days := int32(7)
		sdk := awssdk.New(awssdk.Options{Region: kmstest.Region, BaseEndpoint: &server.URL, Credentials: server.Config("x").Credentials})
		scheduled, err := sdk.ScheduleKeyDeletion(ctx, &awssdk.ScheduleKeyDeletionInput{KeyId: &oldID, PendingWindowInDays: &days})
		require.NoError(t, err)
		said := status(service).OldBackups
		require.True(t, said.Harmless, "%q", said.Left)
		require.True(t, scheduled.DeletionDate.Equal(said.From), "from which day on")

		// 6. It is gone, and with it what the old backup was good for.
		server.Destroy(oldID)
		said = status(service).OldBackups
		require.True(t, said.Harmless)
		require.Zero(t, said.From)
		readable(t, on(w.store, newKEK), living)
		for _, c := range []*crypto.Client{on(backup, oldKEK), on(backup, newKEK), on(backup, newKEK, oldKEK)} {
			for _, v := range values {
				require.Error(t, opens(c, v))
			}
		}

		// Nor does what lives today open it: not the root of today over the old rows, nor
		// the old rows brought back one by one.
		mixed := copyStore(t, backup)
		for _, r := range w.all(t) {
			if r.Purpose != "root" {
				continue
			}
			recs, err := mixed.Get(ctx, []keystore.ID{r.ID})
			require.NoError(t, err)
			r.Version = recs[0].Version
			require.NoError(t, mixed.Update(ctx, r))
		}
		for _, v := range values {
			require.Error(t, opens(on(mixed, newKEK), v))
		}
	})
}

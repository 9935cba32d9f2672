package awskms_test

import (
	"errors"
	"path/filepath"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/kmstest"
	"github.com/privet-dev/privet/crypto/kms/localkms"
)

func TestReWrapStaysInsideKMS(t *testing.T) {
	server := kmstest.NewServer(t)
	server.CreateKey("alias/old")
	server.CreateKey("alias/new")
	old, to := open(t, server.Config("alias/old")), open(t, server.Config("alias/new"))
	wrapped, err := old.Wrap(t.Context(), []byte("a keyset"), root)
	require.NoError(t, err)
	server.ResetCalls()

	moved, err := to.ReWrap(t.Context(), old, wrapped, root, root)
	require.NoError(t, err)
	require.Equal(t, 1, server.Calls(""), "one call, and the plaintext was in none")
	require.Equal(t, 1, server.Calls("ReEncrypt"))
	plaintext, err := to.Unwrap(t.Context(), moved, root)
	require.NoError(t, err)
	require.Equal(t, "a keyset", string(plaintext))
	_, err = old.Unwrap(t.Context(), moved, root)
	require.ErrorIs(t, err, kms.ErrInvalid)
}

func TestReWrapRefuses(t *testing.T) {
	server := kmstest.NewServer(t)
	server.CreateKey("alias/old")
	server.CreateKey("alias/new")
	old, to := open(t, server.Config("alias/old")), open(t, server.Config("alias/new"))
	wrapped, err := old.Wrap(t.Context(), []byte("a keyset"), root)
	require.NoError(t, err)
	local, err := localkms.Create(filepath.Join(t.TempDir(), "kek.json"), nil)
	require.NoError(t, err)
	abroad := server.In("eu-west-1")
	abroad.CreateKey("alias/new")
	far := open(t, abroad.Config("alias/new"))
	envelopes := server.Config("alias/new")
	envelopes.Purpose = kms.Envelopes

	_, err = to.ReWrap(t.Context(), local, wrapped, root, root)
	require.ErrorIs(t, err, errors.ErrUnsupported, "another kind of service")
	_, err = far.ReWrap(t.Context(), old, wrapped, root, root)
	require.ErrorIs(t, err, errors.ErrUnsupported, "another region")
	_, err = to.ReWrap(t.Context(), old, wrapped, kms.RootContext("other"), root)
	require.ErrorIs(t, err, kms.ErrInvalid, "another source context")
	_, err = to.ReWrap(t.Context(), to, wrapped, root, root)
	require.ErrorIs(t, err, kms.ErrInvalid, "wrapped by another key than said")
	_, err = to.ReWrap(t.Context(), old, nil, root, root)
	require.ErrorIs(t, err, kms.ErrInvalid, "nothing")
	_, err = open(t, envelopes).ReWrap(t.Context(), old, wrapped, root, root)
	require.ErrorIs(t, err, kms.ErrInvalid, "a key for envelopes")
	server.Disable("alias/old")
	_, err = to.ReWrap(t.Context(), old, wrapped, root, root)
	require.ErrorIs(t, err, kms.ErrDenied)
}

func TestDescribeSaysWhatKMSSays(t *testing.T) {
	server := kmstest.NewServer(t)
	id := server.CreateKey("alias/privet")
	k := open(t, server.Config("alias/privet"))
	describe := func() kms.Description {
		d, err := k.Describe(t.Context())
		require.NoError(t, err)
		return d
	}
	d := describe()
	require.Equal(t, kms.Enabled, d.State)
	require.Contains(t, d.ID, id)
	require.Equal(t, server.Material(id), d.Material)
	server.Disable(id)
	require.Equal(t, kms.Disabled, describe().State)

	days := int32(7)
	client := sdkClient(server)
	out, err := client.ScheduleKeyDeletion(t.Context(), &awssdk.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: &days})
	require.NoError(t, err)
	d = describe()
	require.Equal(t, kms.Pending, d.State)
	require.True(t, out.DeletionDate.Equal(d.Destruction))

	server.Destroy(id)
	require.Equal(t, kms.Gone, describe().State)
	server.Inject(kmstest.AccessDenied())
	_, err = k.Describe(t.Context())
	require.ErrorIs(t, err, kms.ErrDenied)
}

func sdkClient(server *kmstest.Server) *awssdk.Client {
	return awssdk.New(awssdk.Options{Region: kmstest.Region, BaseEndpoint: &server.URL, Credentials: server.Config("x").Credentials})
}

func TestMaterialTellsWhichWrapped(t *testing.T) {
	server := kmstest.NewServer(t)
	id := server.CreateKey()
	k := open(t, server.Config(id))
	before := server.Material(id)
	wrapped, err := k.Wrap(t.Context(), []byte("a keyset"), root)
	require.NoError(t, err)
	after := server.Rotate(id)
	require.NotEqual(t, before, after)

	got, err := k.Material(t.Context(), wrapped, root)
	require.NoError(t, err)
	require.Equal(t, before, got)
	moved, err := k.ReWrap(t.Context(), k, wrapped, root, root)
	require.NoError(t, err)
	got, err = k.Material(t.Context(), moved, root)
	require.NoError(t, err)
	require.Equal(t, after, got)
	_, err = k.Material(t.Context(), wrapped, kms.RootContext("other"))
	require.ErrorIs(t, err, kms.ErrInvalid)
}

package kmstest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/kms/kmstest"
)

func encrypt(t *testing.T, c *awskms.Client, key string, ec map[string]string) []byte {
	t.Helper()
	out, err := c.Encrypt(t.Context(), &awskms.EncryptInput{KeyId: &key, Plaintext: []byte("x"), EncryptionContext: ec})
	require.NoError(t, err)
	return out.CiphertextBlob
}

// ReEncrypt moves a blob between keys and between contexts, and checks both ends.
func TestReEncrypt(t *testing.T) {
	s := kmstest.NewServer(t)
	a, b := s.CreateKey("alias/a"), s.CreateKey("alias/b")
	c, ctx := client(s), t.Context()
	from, to := map[string]string{"tenant": "acme"}, map[string]string{"tenant": "globex"}
	blob := encrypt(t, c, a, from)
	good := awskms.ReEncryptInput{
		CiphertextBlob: blob, SourceKeyId: aws.String("alias/a"), DestinationKeyId: aws.String("alias/b"),
		SourceEncryptionContext: from, DestinationEncryptionContext: to,
	}
	out, err := c.ReEncrypt(ctx, &good)
	require.NoError(t, err)
	require.Equal(t, to, s.LastContext("ReEncrypt"))
	require.Contains(t, *out.SourceKeyId, a)
	require.Contains(t, *out.KeyId, b)
	require.Equal(t, s.Material(a), *out.SourceKeyMaterialId)
	require.Equal(t, s.Material(b), *out.DestinationKeyMaterialId)
	back, err := c.Decrypt(ctx, &awskms.DecryptInput{KeyId: &b, CiphertextBlob: out.CiphertextBlob, EncryptionContext: to})
	require.NoError(t, err)
	require.Equal(t, "x", string(back.Plaintext))
	_, err = c.Decrypt(ctx, &awskms.DecryptInput{CiphertextBlob: out.CiphertextBlob, EncryptionContext: from})
	require.ErrorAs(t, err, new(*types.InvalidCiphertextException))
	_, err = c.Decrypt(ctx, &awskms.DecryptInput{CiphertextBlob: blob, EncryptionContext: from})
	require.NoError(t, err, "the old blob stays good")

	for name, tc := range map[string]struct {
		change func(*awskms.ReEncryptInput)
		want   any
	}{
		"source context":      {func(in *awskms.ReEncryptInput) { in.SourceEncryptionContext = to }, new(*types.InvalidCiphertextException)},
		"source key":          {func(in *awskms.ReEncryptInput) { in.SourceKeyId = &b }, new(*types.IncorrectKeyException)},
		"unknown source":      {func(in *awskms.ReEncryptInput) { in.SourceKeyId = aws.String("alias/c") }, new(*types.NotFoundException)},
		"unknown destination": {func(in *awskms.ReEncryptInput) { in.DestinationKeyId = aws.String("alias/c") }, new(*types.NotFoundException)},
		"changed blob": {func(in *awskms.ReEncryptInput) {
			in.CiphertextBlob = append(append([]byte{}, blob[:len(blob)-1]...), blob[len(blob)-1]^1)
		}, new(*types.InvalidCiphertextException)},
		"dry run": {func(in *awskms.ReEncryptInput) { in.DryRun = aws.Bool(true) }, new(*types.DryRunOperationException)},
	} {
		t.Run(name, func(t *testing.T) {
			in := good
			tc.change(&in)
			_, err := c.ReEncrypt(ctx, &in)
			require.ErrorAs(t, err, tc.want)
		})
	}
	in := good
	in.SourceKeyId = nil
	_, err = c.ReEncrypt(ctx, &in)
	require.NoError(t, err, "the blob names its key")
	s.Disable(a)
	_, err = c.ReEncrypt(ctx, &good)
	require.ErrorAs(t, err, new(*types.DisabledException))
	s.Enable(a)
	s.Disable(b)
	_, err = c.ReEncrypt(ctx, &good)
	require.ErrorAs(t, err, new(*types.DisabledException))
}

// Every flipped bit and every truncation of a blob is noticed.
func TestChangedBlobs(t *testing.T) {
	s := kmstest.NewServer(t)
	id := s.CreateKey()
	c := client(s)
	blob := encrypt(t, c, id, nil)
	decrypt := func(blob []byte) error {
		_, err := c.Decrypt(t.Context(), &awskms.DecryptInput{CiphertextBlob: blob})
		return err
	}
	require.NoError(t, decrypt(blob))
	for i := range blob {
		changed := append([]byte{}, blob...)
		changed[i] ^= 1 << (i % 8)
		require.Error(t, decrypt(changed), "byte %d", i)
		require.Error(t, decrypt(blob[:i]), "%d bytes", i)
	}
}

// A blob of a key that is not in this account and region is answered like one that
// the caller may not open.
func TestForeignBlob(t *testing.T) {
	s := kmstest.NewServer(t)
	blob := encrypt(t, client(s), s.CreateKey(), nil)
	elsewhere := s.In("us-west-2")
	other := elsewhere.CreateKey()
	_, err := client(elsewhere).Decrypt(t.Context(), &awskms.DecryptInput{CiphertextBlob: blob})
	require.Equal(t, "AccessDeniedException", codeOf(t, err))
	_, err = client(elsewhere).Decrypt(t.Context(), &awskms.DecryptInput{CiphertextBlob: blob, KeyId: &other})
	require.ErrorAs(t, err, new(*types.IncorrectKeyException))
}

func TestOtherAlgorithmsAreRefused(t *testing.T) {
	s := kmstest.NewServer(t)
	id := s.CreateKey()
	c, ctx := client(s), t.Context()
	_, err := c.Encrypt(ctx, &awskms.EncryptInput{KeyId: &id, Plaintext: []byte("x"), EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha256})
	require.ErrorAs(t, err, new(*types.InvalidKeyUsageException))
	_, err = c.CreateKey(ctx, &awskms.CreateKeyInput{KeySpec: types.KeySpecRsa2048})
	require.ErrorAs(t, err, new(*types.UnsupportedOperationException))
	_, err = c.Sign(ctx, &awskms.SignInput{KeyId: &id, Message: []byte("x"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	require.Equal(t, "UnknownOperationException", codeOf(t, err))
}

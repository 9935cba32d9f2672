package kmstest_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/kms/kmstest"
)

// client is the real client, without retries.
func client(s *kmstest.Server) *awskms.Client {
	return awskms.New(awskms.Options{
		Region: s.Region, BaseEndpoint: &s.URL, Retryer: aws.NopRetryer{},
		Credentials: s.Config("").Credentials,
	})
}

// The life of a key through the real client, whose own types the errors must be.
func TestKeyLife(t *testing.T) {
	s := kmstest.NewServer(t)
	c, ctx := client(s), t.Context()
	made, err := c.CreateKey(ctx, &awskms.CreateKeyInput{})
	require.NoError(t, err)
	id := made.KeyMetadata.KeyId
	_, err = c.CreateAlias(ctx, &awskms.CreateAliasInput{AliasName: aws.String("alias/a"), TargetKeyId: id})
	require.NoError(t, err)
	_, err = c.CreateAlias(ctx, &awskms.CreateAliasInput{AliasName: aws.String("alias/a"), TargetKeyId: id})
	require.ErrorAs(t, err, new(*types.AlreadyExistsException))
	list, err := c.ListAliases(ctx, &awskms.ListAliasesInput{KeyId: id})
	require.NoError(t, err)
	require.Len(t, list.Aliases, 1)

	ec := map[string]string{"k": "v"}
	sealed, err := c.Encrypt(ctx, &awskms.EncryptInput{KeyId: aws.String("alias/a"), Plaintext: []byte("x"), EncryptionContext: ec})
	require.NoError(t, err)
	require.Equal(t, made.KeyMetadata.Arn, sealed.KeyId)
	open := func(ec map[string]string) error {
		out, err := c.Decrypt(ctx, &awskms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: ec})
		if err == nil {
			require.Equal(t, "x", string(out.Plaintext))
		}
		return err
	}
	require.NoError(t, open(ec))
	require.ErrorAs(t, open(nil), new(*types.InvalidCiphertextException))

	_, err = c.DisableKey(ctx, &awskms.DisableKeyInput{KeyId: id})
	require.NoError(t, err)
	require.ErrorAs(t, open(ec), new(*types.DisabledException))
	_, err = c.EnableKey(ctx, &awskms.EnableKeyInput{KeyId: id})
	require.NoError(t, err)
	require.NoError(t, open(ec))

	_, err = c.ScheduleKeyDeletion(ctx, &awskms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(6)})
	require.Error(t, err, "7 days is the least")
	gone, err := c.ScheduleKeyDeletion(ctx, &awskms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(7)})
	require.NoError(t, err)
	require.Equal(t, types.KeyStatePendingDeletion, gone.KeyState)
	require.ErrorAs(t, open(ec), new(*types.KMSInvalidStateException))
	_, err = c.EnableKey(ctx, &awskms.EnableKeyInput{KeyId: id})
	require.ErrorAs(t, err, new(*types.KMSInvalidStateException))
	_, err = c.CancelKeyDeletion(ctx, &awskms.CancelKeyDeletionInput{KeyId: id})
	require.NoError(t, err)
	described, err := c.DescribeKey(ctx, &awskms.DescribeKeyInput{KeyId: id})
	require.NoError(t, err)
	require.Equal(t, types.KeyStateDisabled, described.KeyMetadata.KeyState)

	other := s.CreateKey()
	_, err = c.UpdateAlias(ctx, &awskms.UpdateAliasInput{AliasName: aws.String("alias/a"), TargetKeyId: &other})
	require.NoError(t, err)
	_, err = c.Decrypt(ctx, &awskms.DecryptInput{KeyId: aws.String("alias/a"), CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: ec})
	require.ErrorAs(t, err, new(*types.IncorrectKeyException))
	_, err = c.DeleteAlias(ctx, &awskms.DeleteAliasInput{AliasName: aws.String("alias/a")})
	require.NoError(t, err)
	_, err = c.DescribeKey(ctx, &awskms.DescribeKeyInput{KeyId: aws.String("alias/a")})
	require.ErrorAs(t, err, new(*types.NotFoundException))
}

func TestGenerateDataKey(t *testing.T) {
	s := kmstest.NewServer(t)
	id := s.CreateKey()
	c := client(s)
	out, err := c.GenerateDataKey(t.Context(), &awskms.GenerateDataKeyInput{KeyId: &id, KeySpec: types.DataKeySpecAes256})
	require.NoError(t, err)
	require.Len(t, out.Plaintext, 32)
	back, err := c.Decrypt(t.Context(), &awskms.DecryptInput{CiphertextBlob: out.CiphertextBlob})
	require.NoError(t, err)
	require.Equal(t, out.Plaintext, back.Plaintext)
	hidden, err := c.GenerateDataKeyWithoutPlaintext(t.Context(), &awskms.GenerateDataKeyWithoutPlaintextInput{KeyId: &id, NumberOfBytes: aws.Int32(64)})
	require.NoError(t, err)
	back, err = c.Decrypt(t.Context(), &awskms.DecryptInput{CiphertextBlob: hidden.CiphertextBlob})
	require.NoError(t, err)
	require.Len(t, back.Plaintext, 64)
	_, err = c.GenerateDataKey(t.Context(), &awskms.GenerateDataKeyInput{KeyId: &id})
	require.Error(t, err)
}

func TestLimits(t *testing.T) {
	s := kmstest.NewServer(t)
	id := s.CreateKey()
	for n, ok := range map[int]bool{1: true, 4096: true, 4097: false} {
		_, err := client(s).Encrypt(t.Context(), &awskms.EncryptInput{KeyId: &id, Plaintext: make([]byte, n)})
		require.Equal(t, ok, err == nil, "%d bytes: %v", n, err)
	}
	_, err := client(s).Decrypt(t.Context(), &awskms.DecryptInput{CiphertextBlob: make([]byte, 6145)})
	require.Error(t, err)
}

// Faults strike the requests they name, in their turn.
func TestFaults(t *testing.T) {
	s := kmstest.NewServer(t)
	a, b := s.CreateKey("alias/a"), s.CreateKey("alias/b")
	encrypt := func(key string) string {
		_, err := client(s).Encrypt(t.Context(), &awskms.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
		if api, ok := errors.AsType[smithy.APIError](err); ok {
			return api.ErrorCode()
		}
		require.NoError(t, err)
		return ""
	}
	remove := s.Inject(kmstest.Fault{Op: "Encrypt", Key: "alias/a", After: 1, Times: 2, Code: "ThrottlingException"})
	require.Equal(t, "", encrypt(b))
	require.Equal(t, "", encrypt(a), "the first passes")
	require.Equal(t, "ThrottlingException", encrypt("alias/a"))
	require.Equal(t, "", encrypt(b))
	require.Equal(t, "ThrottlingException", encrypt(a))
	require.Equal(t, "", encrypt(a), "two were struck")
	remove()
	s.Inject(kmstest.AccessDenied())
	require.Equal(t, "AccessDeniedException", encrypt(b))
	s.Heal()
	require.Equal(t, "", encrypt(b))
	require.Equal(t, 8, s.Calls("Encrypt"))
	require.Equal(t, 8, s.Calls(""))
	require.Zero(t, s.Calls("Decrypt"))
	s.ResetCalls()
	require.Zero(t, s.Calls(""))
}

func TestMalformedRequests(t *testing.T) {
	s := kmstest.NewServer(nil)
	defer s.Close()
	post := func(target, auth, body string) int {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("X-Amz-Target", target)
		req.Header.Set("Authorization", auth)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		res.Body.Close()
		return res.StatusCode
	}
	const scope = "AWS4-HMAC-SHA256 Credential=x/20260101/"
	const signed = scope + kmstest.Region + "/kms/aws4_request, SignedHeaders=host, Signature=0"
	require.Equal(t, 404, post("", signed, "{}"))
	require.Equal(t, 400, post("TrentService.Encrypt", signed, "{"))
	require.Equal(t, 403, post("TrentService.Encrypt", "", "{}"))
	require.Equal(t, 400, post("TrentService.ListAliases", scope+"us-west-2/kms/aws4_request", "{}"))
	require.Equal(t, 400, post("TrentService.ListAliases", scope+kmstest.Region+"/s3/aws4_request", "{}"))
	require.Equal(t, 200, post("TrentService.ListAliases", signed, "{}"))
	require.Equal(t, 400, post("TrentService.Sing", signed, "{}"))
	require.Equal(t, 400, post("TrentService.Encrypt", signed, `{"Plaintext":"eA=="}`))
}

package kmstest_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/kms/kmstest"
)

func codeOf(t *testing.T, err error) string {
	t.Helper()
	require.Error(t, err)
	api, ok := errors.AsType[smithy.APIError](err)
	require.True(t, ok, "%v", err)
	return api.ErrorCode()
}

// Rotation changes the material and its id; what the former material sealed opens.
func TestRotation(t *testing.T) {
	s := kmstest.NewServer(t)
	id := s.CreateKey("alias/a")
	c, ctx := client(s), t.Context()
	first := s.Material(id)
	require.Len(t, first, 64)
	old := encrypt(t, c, id, nil)
	out, err := c.RotateKeyOnDemand(ctx, &awskms.RotateKeyOnDemandInput{KeyId: &id})
	require.NoError(t, err)
	require.Equal(t, id, *out.KeyId)
	second := s.Material(id)
	require.NotEqual(t, first, second)

	described, err := c.DescribeKey(ctx, &awskms.DescribeKeyInput{KeyId: aws.String("alias/a")})
	require.NoError(t, err)
	require.Equal(t, second, *described.KeyMetadata.CurrentKeyMaterialId)
	for blob, want := range map[string]string{string(old): first, string(encrypt(t, c, id, nil)): second} {
		opened, err := c.Decrypt(ctx, &awskms.DecryptInput{CiphertextBlob: []byte(blob)})
		require.NoError(t, err)
		require.Equal(t, want, *opened.KeyMaterialId)
	}
	made, err := c.GenerateDataKey(ctx, &awskms.GenerateDataKeyInput{KeyId: &id, KeySpec: types.DataKeySpecAes256})
	require.NoError(t, err)
	require.Equal(t, second, *made.KeyMaterialId)

	rotations, err := c.ListKeyRotations(ctx, &awskms.ListKeyRotationsInput{KeyId: &id})
	require.NoError(t, err)
	require.Len(t, rotations.Rotations, 1)
	require.Equal(t, second, *rotations.Rotations[0].KeyMaterialId)
	require.Equal(t, types.RotationTypeOnDemand, rotations.Rotations[0].RotationType)
	require.NotNil(t, rotations.Rotations[0].RotationDate)
	var states []types.KeyMaterialState
	pages := awskms.NewListKeyRotationsPaginator(c, &awskms.ListKeyRotationsInput{
		KeyId: &id, IncludeKeyMaterial: types.IncludeKeyMaterialAllKeyMaterial, Limit: aws.Int32(1),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		require.NoError(t, err)
		for _, r := range page.Rotations {
			states = append(states, r.KeyMaterialState)
		}
	}
	require.Equal(t, []types.KeyMaterialState{types.KeyMaterialStateNonCurrent, types.KeyMaterialStateCurrent}, states)

	for range 24 {
		_, err := c.RotateKeyOnDemand(ctx, &awskms.RotateKeyOnDemandInput{KeyId: &id})
		require.NoError(t, err)
	}
	_, err = c.RotateKeyOnDemand(ctx, &awskms.RotateKeyOnDemandInput{KeyId: &id})
	require.ErrorAs(t, err, new(*types.LimitExceededException))
	s.Disable(id)
	_, err = c.RotateKeyOnDemand(ctx, &awskms.RotateKeyOnDemandInput{KeyId: &id})
	require.ErrorAs(t, err, new(*types.DisabledException))
}

// A replica opens what the primary sealed, and the reverse, whatever becomes of the
// other region.
func TestMultiRegion(t *testing.T) {
	s := kmstest.NewServer(t)
	c, ctx := client(s), t.Context()
	made, err := c.CreateKey(ctx, &awskms.CreateKeyInput{MultiRegion: aws.Bool(true), Description: aws.String("roots")})
	require.NoError(t, err)
	id := made.KeyMetadata.KeyId
	require.Regexp(t, "^mrk-[0-9a-f]{32}$", *id)
	require.Equal(t, "roots", *made.KeyMetadata.Description)
	replica, err := c.ReplicateKey(ctx, &awskms.ReplicateKeyInput{KeyId: id, ReplicaRegion: aws.String("us-west-2")})
	require.NoError(t, err)
	require.Equal(t, *id, *replica.ReplicaKeyMetadata.KeyId)
	_, err = c.ReplicateKey(ctx, &awskms.ReplicateKeyInput{KeyId: id, ReplicaRegion: aws.String("us-west-2")})
	require.ErrorAs(t, err, new(*types.AlreadyExistsException))

	west := s.In("us-west-2")
	w := client(west)
	for kind, c := range map[types.MultiRegionKeyType]*awskms.Client{types.MultiRegionKeyTypePrimary: c, types.MultiRegionKeyTypeReplica: w} {
		d, err := c.DescribeKey(ctx, &awskms.DescribeKeyInput{KeyId: id})
		require.NoError(t, err)
		require.True(t, *d.KeyMetadata.MultiRegion)
		m := d.KeyMetadata.MultiRegionConfiguration
		require.Equal(t, kind, m.MultiRegionKeyType)
		require.Equal(t, kmstest.Region, *m.PrimaryKey.Region)
		require.Len(t, m.ReplicaKeys, 1)
		require.Equal(t, *replica.ReplicaKeyMetadata.Arn, *m.ReplicaKeys[0].Arn)
	}
	here, there := encrypt(t, c, *id, nil), encrypt(t, w, *id, nil)
	open := func(c *awskms.Client, blob []byte) error {
		_, err := c.Decrypt(ctx, &awskms.DecryptInput{CiphertextBlob: blob, KeyId: id})
		return err
	}
	require.NoError(t, open(c, there))
	s.Disable(*id)
	require.ErrorAs(t, open(c, there), new(*types.DisabledException))
	require.NoError(t, open(w, here), "regions have states of their own")
	s.Enable(*id)
	s.Inject(kmstest.Dropped(0))
	require.Error(t, open(c, there))
	require.NoError(t, open(w, here), "and faults of their own")
	s.Heal()

	_, err = w.RotateKeyOnDemand(ctx, &awskms.RotateKeyOnDemandInput{KeyId: id})
	require.ErrorAs(t, err, new(*types.UnsupportedOperationException))
	_, err = w.ReplicateKey(ctx, &awskms.ReplicateKeyInput{KeyId: id, ReplicaRegion: aws.String("us-east-1")})
	require.ErrorAs(t, err, new(*types.UnsupportedOperationException))
	_, err = c.RotateKeyOnDemand(ctx, &awskms.RotateKeyOnDemandInput{KeyId: id})
	require.NoError(t, err)
	require.Equal(t, s.Material(*id), west.Material(*id), "replicas follow")
	require.NoError(t, open(w, here))

	// The primary is deleted after its replicas.
	gone, err := c.ScheduleKeyDeletion(ctx, &awskms.ScheduleKeyDeletionInput{KeyId: id})
	require.NoError(t, err)
	require.Equal(t, types.KeyStatePendingReplicaDeletion, gone.KeyState)
	require.Nil(t, gone.DeletionDate)
	require.ErrorAs(t, open(c, here), new(*types.KMSInvalidStateException))
	require.NoError(t, open(w, here))
	west.Destroy(*id)
	d, err := c.DescribeKey(ctx, &awskms.DescribeKeyInput{KeyId: id})
	require.NoError(t, err)
	require.Equal(t, types.KeyStatePendingDeletion, d.KeyMetadata.KeyState)
	require.NotNil(t, d.KeyMetadata.DeletionDate)
}

func TestSingleRegionKeysStay(t *testing.T) {
	s := kmstest.NewServer(t)
	id := s.CreateKey()
	_, err := client(s).ReplicateKey(t.Context(), &awskms.ReplicateKeyInput{KeyId: &id, ReplicaRegion: aws.String("us-west-2")})
	require.ErrorAs(t, err, new(*types.UnsupportedOperationException))
	require.Same(t, s.In("us-west-2"), s.In("us-west-2"))
	require.Panics(t, func() { s.Replicate(id, "us-west-2") })
}

// Names of keys, and what is answered to those that are none.
func TestNames(t *testing.T) {
	s := kmstest.NewServer(t)
	id := s.CreateKey("alias/a")
	c := client(s)
	arn := func(region, account, resource string) string {
		return fmt.Sprintf("arn:aws:kms:%s:%s:%s", region, account, resource)
	}
	for name, code := range map[string]string{
		id:        "",
		"alias/a": "",
		arn(kmstest.Region, kmstest.Account, "key/"+id): "",
		arn(kmstest.Region, kmstest.Account, "alias/a"): "",
		"alias/b":                              "NotFoundException",
		"11111111-2222-3333-4444-555555555555": "NotFoundException",
		arn(kmstest.Region, kmstest.Account, "key/none"): "NotFoundException",
		arn("us-west-2", kmstest.Account, "key/"+id):     "NotFoundException",
		arn(kmstest.Region, "000000000000", "key/"+id):   "AccessDeniedException",
		"arn:aws:kms":          "InvalidArnException",
		"arn:aws:s3:::a/key/b": "InvalidArnException",
	} {
		_, err := c.Encrypt(t.Context(), &awskms.EncryptInput{KeyId: &name, Plaintext: []byte("x")})
		if code == "" {
			require.NoError(t, err, name)
		} else {
			require.Equal(t, code, codeOf(t, err), name)
		}
	}
	// The life of a key is not led through an alias.
	_, err := c.DisableKey(t.Context(), &awskms.DisableKeyInput{KeyId: aws.String("alias/a")})
	require.ErrorAs(t, err, new(*types.NotFoundException))
	_, err = c.CreateAlias(t.Context(), &awskms.CreateAliasInput{AliasName: aws.String("alias/b"), TargetKeyId: aws.String("alias/a")})
	require.ErrorAs(t, err, new(*types.NotFoundException))
	for _, name := range []string{"b", "alias/aws/b", "alias/b!", "alias/"} {
		_, err = c.CreateAlias(t.Context(), &awskms.CreateAliasInput{AliasName: &name, TargetKeyId: &id})
		require.ErrorAs(t, err, new(*types.InvalidAliasNameException), name)
	}
}

func TestAliasesComeInPages(t *testing.T) {
	s := kmstest.NewServer(t)
	id := s.CreateKey("alias/a", "alias/b", "alias/c")
	s.CreateKey("alias/d")
	list := func(key *string) (names []string) {
		pages := awskms.NewListAliasesPaginator(client(s), &awskms.ListAliasesInput{Limit: aws.Int32(2), KeyId: key})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			require.NoError(t, err)
			for _, a := range page.Aliases {
				names = append(names, *a.AliasName)
			}
		}
		return names
	}
	require.Equal(t, []string{"alias/a", "alias/b", "alias/c", "alias/d"}, list(nil))
	require.Equal(t, []string{"alias/a", "alias/b", "alias/c"}, list(&id))
	_, err := client(s).ListAliases(t.Context(), &awskms.ListAliasesInput{Marker: aws.String("x")})
	require.ErrorAs(t, err, new(*types.InvalidMarkerException))
}

// A fault by key strikes whichever member names the key, ciphertexts included.
func TestFaultsByKey(t *testing.T) {
	s := kmstest.NewServer(t)
	a, b := s.CreateKey("alias/a"), s.CreateKey("alias/b")
	c, ctx := client(s), t.Context()
	blobA, blobB := encrypt(t, c, a, nil), encrypt(t, c, b, nil)
	s.Inject(kmstest.Fault{Key: "alias/a", Code: "KeyUnavailableException"})
	_, err := c.Decrypt(ctx, &awskms.DecryptInput{CiphertextBlob: blobB})
	require.NoError(t, err)
	_, err = c.Decrypt(ctx, &awskms.DecryptInput{CiphertextBlob: blobA})
	require.ErrorAs(t, err, new(*types.KeyUnavailableException))
	_, err = c.ReEncrypt(ctx, &awskms.ReEncryptInput{CiphertextBlob: blobB, DestinationKeyId: &a})
	require.ErrorAs(t, err, new(*types.KeyUnavailableException))
	_, err = c.ReEncrypt(ctx, &awskms.ReEncryptInput{CiphertextBlob: blobA, DestinationKeyId: &b})
	require.ErrorAs(t, err, new(*types.KeyUnavailableException))
}

// The service's codes arrive as the SDK's types, where its model has them.
func TestCodes(t *testing.T) {
	s := kmstest.NewServer(t)
	id := s.CreateKey()
	for code, want := range map[string]any{
		"KMSInternalException":       new(*types.KMSInternalException),
		"DependencyTimeoutException": new(*types.DependencyTimeoutException),
		"KeyUnavailableException":    new(*types.KeyUnavailableException),
		"LimitExceededException":     new(*types.LimitExceededException),
		"ThrottlingException":        new(*smithy.GenericAPIError),
		"AccessDeniedException":      new(*smithy.GenericAPIError),
	} {
		remove := s.Inject(kmstest.Fault{Code: code, Message: "as injected"})
		_, err := client(s).DescribeKey(t.Context(), &awskms.DescribeKeyInput{KeyId: &id})
		remove()
		require.ErrorAs(t, err, want, code)
		require.ErrorContains(t, err, "as injected")
		require.Equal(t, code, codeOf(t, err))
	}
}

// A closed server can be closed again, in any order, and opens no more regions.
func TestClose(t *testing.T) {
	s := kmstest.NewServer(nil)
	west := s.In("us-west-2")
	west.Close()
	s.Close()
	require.Panics(t, func() { s.In("us-east-1") })
	_, err := client(west).ListAliases(t.Context(), &awskms.ListAliasesInput{})
	require.Error(t, err)
}

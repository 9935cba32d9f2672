package awskms

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/privet-dev/privet/crypto/kms"
)

var (
	_ kms.ReWrapper      = (*KEK)(nil)
	_ kms.Describer      = (*KEK)(nil)
	_ kms.MaterialReader = (*KEK)(nil)
)

// ReWrap calls kms:ReEncrypt, which needs kms:ReEncryptFrom on the former key and
// kms:ReEncryptTo on this one. It moves what a KMS key of the same region and
// endpoint wrapped; anything else matches [errors.ErrUnsupported]. Source and
// destination may be one key: what is wrapped then moves to its current material.
func (k *KEK) ReWrap(ctx context.Context, from kms.KEK, wrapped []byte, source, destination map[string]string) ([]byte, error) {
	former, ok := from.(*KEK)
	if !ok || !k.sameService(former) {
		return nil, fmt.Errorf("awskms: %s cannot take over from %s inside of one service: %w", k.keyID, from.URI(), errors.ErrUnsupported)
	}
	if err := errors.Join(former.purpose.Check(source), k.purpose.Check(destination)); err != nil {
		return nil, err
	}
	if len(wrapped) == 0 {
		return nil, fmt.Errorf("awskms: nothing to rewrap: %w", kms.ErrInvalid)
	}
	return call(ctx, k, "ReEncrypt", func() ([]byte, error) {
		out, err := k.client.ReEncrypt(ctx, &awskms.ReEncryptInput{
			CiphertextBlob: wrapped,
			SourceKeyId:    &former.keyID, SourceEncryptionContext: source,
			DestinationKeyId: &k.keyID, DestinationEncryptionContext: destination,
		})
		if err != nil {
			return nil, err
		}
		return out.CiphertextBlob, nil
	})
}

// sameService reports whether one request reaches both keys.
func (k *KEK) sameService(other *KEK) bool {
	a, b := k.client.Options(), other.client.Options()
	return a.Region == b.Region && aws.ToString(a.BaseEndpoint) == aws.ToString(b.BaseEndpoint)
}

// Describe calls kms:DescribeKey, a permission that [KEK.Wrap] and [KEK.Unwrap] do
// not need.
func (k *KEK) Describe(ctx context.Context) (kms.Description, error) {
	var d kms.Description
	_, err := call(ctx, k, "DescribeKey", func() ([]byte, error) {
		out, err := k.client.DescribeKey(ctx, &awskms.DescribeKeyInput{KeyId: &k.keyID})
		if err != nil {
			return nil, err
		}
		m := out.KeyMetadata
		d = kms.Description{ID: aws.ToString(m.Arn), State: kms.Disabled, Material: aws.ToString(m.CurrentKeyMaterialId)}
		switch m.KeyState {
		case types.KeyStateEnabled:
			d.State = kms.Enabled
		case types.KeyStatePendingDeletion:
			d.State, d.Destruction = kms.Pending, aws.ToTime(m.DeletionDate).UTC()
		case types.KeyStatePendingReplicaDeletion:
			d.State = kms.Pending // once its replicas are gone; the date is not known before
		}
		return nil, nil
	})
	if code(err) == "NotFoundException" {
		return kms.Description{ID: k.keyID, State: kms.Gone}, nil
	}
	return d, err
}

// Material calls kms:Decrypt and returns the id of the key material that it used.
func (k *KEK) Material(ctx context.Context, wrapped []byte, encryptionContext map[string]string) (string, error) {
	if err := k.purpose.Check(encryptionContext); err != nil {
		return "", err
	}
	if len(wrapped) == 0 {
		return "", fmt.Errorf("awskms: nothing to unwrap: %w", kms.ErrInvalid)
	}
	id, err := call(ctx, k, "Decrypt", func() ([]byte, error) {
		out, err := k.client.Decrypt(ctx, &awskms.DecryptInput{
			KeyId: &k.keyID, CiphertextBlob: wrapped, EncryptionContext: encryptionContext,
		})
		if err != nil {
			return nil, err
		}
		clear(out.Plaintext)
		return []byte(aws.ToString(out.KeyMaterialId)), nil
	})
	return string(id), err
}

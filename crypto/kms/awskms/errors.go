package awskms

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/internal/fault"
)

// verdicts maps the service's error codes to families. Many of them, throttling and
// denied access among them, are not in the service's model and arrive as generic API
// errors: only the code tells.
var verdicts = map[string]error{
	"ThrottlingException":        kms.ErrUnavailable,
	"LimitExceededException":     kms.ErrUnavailable,
	"KMSInternalException":       kms.ErrUnavailable,
	"DependencyTimeoutException": kms.ErrUnavailable,
	"KeyUnavailableException":    kms.ErrUnavailable,
	"InternalFailure":            kms.ErrUnavailable,
	"ServiceUnavailable":         kms.ErrUnavailable,
	"RequestExpired":             kms.ErrUnavailable, // a clock that is wrong

	"DisabledException":           kms.ErrDenied,
	"KMSInvalidStateException":    kms.ErrDenied, // pending deletion, pending import, …
	"NotFoundException":           kms.ErrDenied,
	"AccessDeniedException":       kms.ErrDenied,
	"AccessDenied":                kms.ErrDenied,
	"NotAuthorized":               kms.ErrDenied,
	"OptInRequired":               kms.ErrDenied,
	"InvalidKeyUsageException":    kms.ErrDenied, // a key that does not encrypt
	"ExpiredTokenException":       kms.ErrDenied,
	"ExpiredToken":                kms.ErrDenied,
	"UnrecognizedClientException": kms.ErrDenied,
	"InvalidClientTokenId":        kms.ErrDenied,
	"InvalidSignatureException":   kms.ErrDenied,
	"SignatureDoesNotMatch":       kms.ErrDenied,
	"IncompleteSignature":         kms.ErrDenied,
	"MissingAuthenticationToken":  kms.ErrDenied,

	"InvalidCiphertextException": kms.ErrInvalid, // changed, or another context
	"IncorrectKeyException":      kms.ErrInvalid,
	"ValidationException":        kms.ErrInvalid,
	"InvalidArnException":        kms.ErrInvalid,
	"InvalidGrantTokenException": kms.ErrInvalid,
	"SerializationException":     kms.ErrInvalid,
}

var hints = map[string]string{
	"DisabledException":           "enable the key in KMS, if it was not disabled on purpose",
	"KMSInvalidStateException":    "the key is pending deletion or import; cancel the deletion if it was not meant",
	"NotFoundException":           "check key, alias, account and region",
	"AccessDeniedException":       "grant kms:Encrypt and kms:Decrypt as the documentation of crypto/kms/awskms shows",
	"ExpiredTokenException":       "renew the AWS credentials",
	"UnrecognizedClientException": "check the AWS credentials",
	"IncorrectKeyException":       "it was wrapped by another key; does the alias point elsewhere by now?",
	"InvalidKeyUsageException":    "the key must be symmetric, with the usage ENCRYPT_DECRYPT",
	"ThrottlingException":         "raise the account's KMS quota, or try later",
}

// code returns the service's error code in err, or "".
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// expired reports whether the service finds the credentials too old.
func expired(err error) bool {
	c := code(err)
	return c == "ExpiredTokenException" || c == "ExpiredToken"
}

// family returns which family of package kms err belongs to. What is unknown counts
// as no where the service answered with a client error, and as unavailable where it
// did not answer.
func family(err error) error {
	c := code(err)
	if f, ok := verdicts[c]; ok {
		return f
	}
	if _, ok := retry.DefaultThrottleErrorCodes[c]; ok {
		return kms.ErrUnavailable
	}
	if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		switch status := response.HTTPStatusCode(); {
		case status == http.StatusTooManyRequests || status >= 500:
			return kms.ErrUnavailable
		case status >= 400:
			return kms.ErrDenied
		}
	}
	return kms.ErrUnavailable
}

// explain turns an error of the SDK into one of the families. The end of ctx is not
// the service's failure and comes back as it is.
func (k *KEK) explain(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("awskms: %s with %s: %w", op, k.keyID, context.Cause(ctx))
	}
	what, hint := err.Error(), "check the network between here and KMS, and the AWS credentials"
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		what, hint = api.ErrorCode()+": "+api.ErrorMessage(), hints[api.ErrorCode()]
	}
	return &fault.Error{
		Kind: fault.Config,
		Msg:  fmt.Sprintf("awskms: %s with %s: %s", op, k.keyID, what),
		Hint: hint,
		Err:  &cause{family: family(err), err: err},
	}
}

// A cause matches its family, and what the SDK said.
type cause struct{ family, err error }

func (c *cause) Error() string   { return c.family.Error() + ": " + c.err.Error() }
func (c *cause) Unwrap() []error { return []error{c.family, c.err} }

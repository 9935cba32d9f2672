// Package awskms wraps keys with AWS KMS, through the AWS SDK.
//
// A [KEK] is one symmetric KMS key (ENCRYPT_DECRYPT, SYMMETRIC_DEFAULT) by id, ARN or
// alias. Credentials and region come from the SDK's default chain: environment, shared
// configuration, web identity, container and instance roles.
//
// Connections are TLS 1.2 or newer and follow no redirect. An endpoint of plain http
// beyond the loopback interface, whether from [Config] or from the environment, is
// refused unless Config.InsecureEndpoint says why. AWS_USE_FIPS_ENDPOINT=true selects
// the service's FIPS endpoints.
//
// # Permissions
//
// This identity policy is all that a service needs whose key wraps roots. The
// condition is what makes it least: the key is good for roots of the named tenants
// and for nothing else.
//
//	{
//	  "Version": "2012-10-17",
//	  "Statement": [{
//	    "Effect": "Allow",
//	    "Action": ["kms:Encrypt", "kms:Decrypt"],
//	    "Resource": "arn:aws:kms:eu-central-1:111122223333:key/KEY-ID",
//	    "Condition": {
//	      "StringEquals": {"kms:EncryptionContext:purpose": "roots"},
//	      "StringLike":   {"kms:EncryptionContext:tenant": "*"}
//	    }
//	  }]
//	}
//
// A service that only reads needs kms:Decrypt alone. Resource is the key's ARN also
// where the key is named by an alias; to allow only by alias, add the condition
// kms:RequestAlias. For a key of the purpose envelopes leave the condition out, or
// name your own encryption context in it.
//
// Whoever operates the keys ("privet keys rewrap" and "privet keys status") further
// needs kms:ReEncryptFrom on the key that roots leave and kms:ReEncryptTo on the one
// they move to, under the same condition, and kms:DescribeKey, without a condition.
// The service does not.
//
// # What CloudTrail sees
//
// Every call, with the encryption context in clear: purpose and tenant. It holds no
// personal data, and must not.
//
// # Keys that change
//
// Automatic and on-demand rotation of the key's material need nothing: KMS opens old
// ciphertexts. An alias that is pointed at another key does not: KMS then answers
// IncorrectKeyException for everything the former key wrapped ([kms.ErrInvalid]).
// Point it back, or open the former key by its ARN and rewrap.
package awskms

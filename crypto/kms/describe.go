package kms

import (
	"context"
	"time"
)

// A KeyState is what a key service says of a key.
type KeyState string

// The states of keys.
const (
	// Enabled keys wrap and unwrap.
	Enabled KeyState = "enabled"
	// Disabled keys do not, and can be enabled again.
	Disabled KeyState = "disabled"
	// Pending keys are to be destroyed at a known time, which can be called off.
	Pending KeyState = "pending deletion"
	// Gone keys are not known to the service: destroyed, or named wrongly.
	Gone KeyState = "gone"
)

// A Description is what a key service says of a key.
type Description struct {
	// ID is the key's own name, where URI may be an alias: an ARN, the id of a key
	// file.
	ID string
	// State is whether the key works.
	State KeyState
	// Destruction is when a Pending key is destroyed; zero for others.
	Destruction time.Time
	// Material identifies the key material that wraps at present, where a service
	// rotates it under one name; "" where it does not say.
	Material string
}

// A Describer is a KEK that can say what its service knows of it. A key that the
// service does not know is [Gone], and no error.
type Describer interface {
	Describe(ctx context.Context) (Description, error)
}

// A MaterialReader is a KEK that can tell which material of it wrapped something.
// It asks the service to unwrap; the errors are those of Unwrap. Services that do
// not say return "".
type MaterialReader interface {
	Material(ctx context.Context, wrapped []byte, encryptionContext map[string]string) (string, error)
}

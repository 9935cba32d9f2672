package keystore

import "context"

// A Watcher is a [Store] that tells of changes which those who keep unwrapped keys in
// memory must hear of: a keyring was erased, or keys of it were added, disabled or
// removed. That a keyring was made or only rewrapped is not told. Clients ask for it;
// without it they learn of changes when the life of what they keep is over.
type Watcher interface {
	// Watch begins to watch, and returns; it may read from the store first, within
	// ctx. From then until stop is called, it calls changed with the ID of every
	// keyring that is changed, by whichever process, soon after the change is
	// acknowledged. It calls changed with the zero ID where it may have missed some:
	// then everything that is kept must be forgotten. Calls come one at a time; a
	// change may be told more than once. stop waits for a call that runs and for all
	// that Watch started. On error nothing is watched.
	Watch(ctx context.Context, changed func(ID)) (stop func(), err error)
}

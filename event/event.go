// Package event says what happened and who records it.
//
// Rooms that do something worth remembering (a key made, a value revealed, a
// refresh finished) report it to a [Recorder] and know nothing of where it
// goes. The audit log is one recorder; a test's slice is another.
package event

import (
	"context"
	"time"
)

// An Event is one thing that happened. It never carries a value, and names a
// subject only by its keyed hash.
type Event struct {
	// Time is when it happened; the zero time means now, as the recorder sees it.
	Time time.Time
	// Actor is who did it: a caller of the sidecar ("uid:10001"), a user of the
	// command, or "" for the process itself.
	Actor string
	// Action is what was done, room first: "crypto.root.create", "mask.run".
	Action string
	// Tenant is whose data or keys it touched.
	Tenant string
	// Object is what it was done to: a key id, a table, a run.
	Object string
	// Subject is the keyed hash of the subject's id, in hexadecimal, or "".
	Subject string
	// Purpose is why, as the caller gave it.
	Purpose string
	// Outcome is "ok", "refused" or "failed".
	Outcome string
	// Count is how many values, rows or keys; 0 where it means nothing.
	Count int64
}

// A Recorder keeps events. Record returns once the event is as durable as the
// recorder makes it; an error means it was not kept, and an operation whose
// record is required must then be refused. Implementations are safe for
// concurrent use and honour the context's cancellation.
type Recorder interface {
	Record(ctx context.Context, e Event) error
}

// The RecorderFunc type lets a function record events.
type RecorderFunc func(ctx context.Context, e Event) error

// Record calls f.
func (f RecorderFunc) Record(ctx context.Context, e Event) error { return f(ctx, e) }

// Discard is a Recorder that keeps nothing.
var Discard Recorder = RecorderFunc(func(context.Context, Event) error { return nil })

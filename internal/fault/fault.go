// Package fault is the error a person reads: what went wrong, where, what to
// do about it, and the kind of trouble, which the command turns into its exit
// code.
package fault

import (
	"errors"
	"fmt"
)

// A Kind is the family of an error. Its number is the command's exit code.
type Kind int

// The kinds, which are the exit codes of the command's contract.
const (
	Unexpected Kind = 1 // a bug, or a machine that failed
	Config     Kind = 2 // usage, configuration, an unreachable server
	Policy     Kind = 3 // undecided columns, drift
	Guard      Kind = 4 // a guard refused
	Data       Kind = 5 // a value or constraint that cannot be
	Verify     Kind = 6 // verification failed
	Stopped    Kind = 7 // stopped early, work is left
)

// An Error is one error with its kind and a hint. Neither text holds a
// personal value or a secret.
type Error struct {
	Kind Kind
	// Msg says what went wrong and where.
	Msg string
	// Hint says what to do; "" where there is nothing to say.
	Hint string
	// Err is the cause, or nil. It is not printed after Msg: whoever builds the
	// Error puts into Msg what a person should read of it.
	Err error
}

// Error returns Msg.
func (e *Error) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns an error of kind k. Where args hold an error, it becomes the cause.
func New(k Kind, format string, args ...any) *Error {
	e := &Error{Kind: k, Msg: fmt.Sprintf(format, args...)}
	for _, a := range args {
		if err, ok := a.(error); ok {
			e.Err = err
		}
	}
	return e
}

// WithHint returns e with its hint set.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// KindOf returns the kind of the first Error in err's tree, or Unexpected.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Unexpected
}

// HintOf returns the first hint in err's chain, or "".
func HintOf(err error) string {
	for err != nil {
		e, ok := errors.AsType[*Error](err)
		if !ok {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}

// Package classify says how sensitive data is, where it is declared: on the
// fields of Go structs. Everything else in privet (encryption, tokens, masking,
// retention, logs) obeys what stands there.
//
//	type Customer struct {
//		ID    int64  `db:"customer_id" classify:"internal,subject"`
//		Email string `db:"email" classify:"confidential,type=email"`
//		Card  string `db:"card_sealed" classify:"restricted,type=card_number,encrypt=customer.card"`
//		Lang  string `db:"lang" classify:"public"`
//		Note  string // no tag: counts as restricted
//	}
//
//	plan, err := classify.For[Customer]()
//
// Start with [PlanOf] (or [For]) for a type, and [ParseTag] for the text of one
// tag. The package uses the standard library only and no unsafe.
//
// # Level, type, and neither what to do
//
// A [Level] says how bad a leak would be: public, internal, confidential,
// restricted. A [Type] says what a value is: email, card_number, free_text.
// Neither says what to do; that is for encrypt=, tokenize=, mask= and retain=,
// and for privet.yaml. [Type.Level] is the level of a value of which only the
// type is known.
//
// # No tag is no permission
//
// A field without a tag counts as restricted wherever it could leak: strings,
// bytes, interfaces, and whatever holds them. Numbers, booleans and times pass
// (a date of birth or a salary needs its tag); so do functions and channels,
// unless a type that hides something behind one has methods that turn it into
// text. [Plan.Level] is the result for a whole type, [Public] meaning that its
// values need no look at all. Fields that are not exported count like the others,
// for %+v prints them.
//
// A tag that is wrong is an error that names Type.Field, never a default: an
// unknown word, a space too many, a struct tag that reflection would not find,
// the key classify misspelt, or a tag that plays down what its field holds. What
// may leak says so: `classify:"public"`.
//
// # Types within types
//
// A tag counts for everything behind its field. Without one, a field holds what
// its type can hold: [Field.Plan] leads on, through pointers, slices, arrays,
// maps (keys too) and structs, also recursive ones. Embedded structs give their
// fields to the outer one, as in encoding/json. What an interface holds is known
// at run time only.
//
// # Stability
//
// Names of levels and types and the grammar of tags do not change their meaning;
// words may be added.
package classify

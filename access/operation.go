package access

import (
	"fmt"
	"slices"

	"github.com/privet-dev/privet/internal/suggest"
)

// An Operation is something a caller may be allowed to do. The list is closed:
// a name that is not on it is an error, never an operation nobody may do.
type Operation string

// The operations. None implies another: who may encrypt may not decrypt, and
// who may reveal a document may not decrypt a single value out of it.
const (
	Protect      Operation = "protect"      // protect whole documents by the policy
	Reveal       Operation = "reveal"       // open documents as far as the caller may see
	Encrypt      Operation = "encrypt"      // encrypt single values
	Decrypt      Operation = "decrypt"      // open single values
	Tokenize     Operation = "tokenize"     // exchange values for tokens
	Detokenize   Operation = "detokenize"   // exchange tokens for values
	Pseudonymize Operation = "pseudonymize" // one-way pseudonyms
	BlindIndex   Operation = "blind_index"  // search keys of encrypted values
	Mask         Operation = "mask"         // masked values
	Classify     Operation = "classify"     // find personal data in text
	Redact       Operation = "redact"       // take personal data out of text
	Export       Operation = "export"       // everything about one subject
	Erase        Operation = "erase"        // erase one subject
	Hold         Operation = "hold"         // add and release legal holds
	Retention    Operation = "retention"    // plan and run retention
)

var operations = []Operation{
	Protect, Reveal, Encrypt, Decrypt, Tokenize, Detokenize, Pseudonymize,
	BlindIndex, Mask, Classify, Redact, Export, Erase, Hold, Retention,
}

// Operations returns the names of all operations, in a fixed order.
func Operations() []string {
	names := make([]string, len(operations))
	for i, op := range operations {
		names[i] = string(op)
	}
	return names
}

// ParseOperation returns the operation of that name, or an error that names the
// nearest one. Names are lower case and exact.
func ParseOperation(s string) (Operation, error) {
	if op := Operation(s); slices.Contains(operations, op) {
		return op, nil
	}
	return "", fmt.Errorf("unknown operation %q%s", s, suggest.DidYouMean(s, Operations()))
}

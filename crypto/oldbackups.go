package crypto

import (
	"fmt"
	"time"

	"github.com/privet-dev/privet/crypto/kms"
)

// OldBackups says what copies of the keystore from before the current epoch can
// still do. Such a copy holds the keyrings of subjects that were erased since, under
// roots that are under a former KEK: while that exists, and until the roots of today
// have left their former keys behind, a restored copy brings the erased back.
//
// An epoch begins when the roots are rotated. Copies made after that hold keyrings
// under today's root keys, and belong to today's epoch.
type OldBackups struct {
	// Harmless is set when nothing is Left and every former KEK is gone, or will be at
	// a known time: From is when, zero where it is now and nobody knows since when.
	Harmless bool      `json:"harmless"`
	From     time.Time `json:"from,omitzero"`
	// Left is what remains to be done for it.
	Left []string `json:"left,omitempty"`
}

// oldBackups draws the conclusion from the counts, which must be of all tenants.
func (s *Status) oldBackups(complete bool) OldBackups {
	var b OldBackups
	left := func(format string, args ...any) { b.Left = append(b.Left, fmt.Sprintf(format, args...)) }
	if !complete {
		left("one tenant was looked at; a KEK is shared by all")
	}
	if n := s.Unreadable(); n > 0 {
		left("%d keyrings cannot be read", n)
	}
	roots := s.Keyrings[purposeRoot].Stale
	if n := s.Stale() - roots; n > 0 {
		left("%d keyrings are not under their root's newest key: privet keys rewrap", n)
	}
	if s.OldRootKeys > 0 {
		left("%d former keys are still in the roots: privet keys rewrap --remove-old", s.OldRootKeys)
	}
	if roots > 0 {
		left("%d roots are not under the current KEK: privet keys rewrap", roots)
	}
	former := 0
	for _, k := range s.KEKs {
		if k.Current {
			continue
		}
		former++
		switch {
		case k.State == kms.Gone:
		case k.State == kms.Pending && !k.Destruction.IsZero():
			if k.Destruction.After(b.From) {
				b.From = k.Destruction
			}
		case k.State == "":
			left("whether the former KEK %s still exists is not known", k.URI)
		default:
			left("the former KEK %s exists (%s): schedule its deletion", k.URI, k.State)
		}
	}
	if former == 0 {
		left("no former KEK was named, so nothing can be said of backups from before: privet keys status --former URI")
	}
	b.Harmless = len(b.Left) == 0
	if !b.Harmless {
		b.From = time.Time{}
	}
	return b
}

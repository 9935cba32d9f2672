package tables_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/internal/tables"
)

func TestLook(t *testing.T) {
	x, y := keystore.ID{Tenant: "x", Purpose: "value"}, keystore.ID{Tenant: "y", Purpose: "value"}
	down := errors.New("injected")
	for name, tt := range map[string]struct {
		seen, last        int64
		lastErr, afterErr error
		want              []keystore.ID
		next              int64 // that was seen afterwards
	}{
		"nothing new":               {seen: 5, last: 5, next: 5},
		"two changes":               {seen: 5, last: 7, want: []keystore.ID{x, y}, next: 7},
		"more than are told singly": {seen: 5, last: 6 + tables.ChangesPage, want: []keystore.ID{{}}, next: 6 + tables.ChangesPage},
		"as many as are":            {seen: 5, last: 5 + tables.ChangesPage, want: []keystore.ID{x, y}, next: 5 + tables.ChangesPage},
		"a keystore from before":    {seen: 5, last: 2, want: []keystore.ID{{}}, next: 2},
		"no answer":                 {seen: 5, last: 7, lastErr: down, next: 5},
		"no second answer":          {seen: 5, last: 7, afterErr: down, next: 5},
	} {
		t.Run(name, func(t *testing.T) {
			p := tables.Poll{
				Seen: tt.seen,
				Last: func(context.Context) (int64, error) { return tt.last, tt.lastErr },
				After: func(_ context.Context, seen int64) ([]keystore.ID, error) {
					require.Equal(t, tt.seen, seen)
					return []keystore.ID{x, y}, tt.afterErr
				},
			}
			var told []keystore.ID
			err := p.Look(t.Context(), func(id keystore.ID) { told = append(told, id) })
			require.Equal(t, errors.Join(tt.lastErr, tt.afterErr) != nil, err != nil)
			require.Equal(t, tt.want, told)
			require.Equal(t, tt.next, p.Seen, "what was not told is looked for again")
		})
	}
}

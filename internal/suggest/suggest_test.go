package suggest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNearest(t *testing.T) {
	words := []string{"confidential", "internal", "public", "restricted", "email"}
	for _, tt := range []struct{ in, want string }{
		{"confidental", "confidential"},
		{"Restrcited", "restricted"},
		{"emial", "email"},
		{"publc", "public"},
		{"banana", ""},
		{"", ""},
	} {
		require.Equal(t, tt.want, Nearest(tt.in, words), "nearest to %q", tt.in)
	}
	require.Empty(t, Nearest("email", nil))
	long := strings.Repeat("x", 1<<20)
	require.Zero(t, testing.AllocsPerRun(1, func() { Nearest(long, words) }), "input of any length costs nothing")
	require.Equal(t, `, did you mean "email"?`, DidYouMean("emial", words))
}

package detect

import (
	"bytes"
	"net/netip"
	"unsafe"

	"github.com/privet-dev/privet/classify"
)

// maxAddress is the length of the longest IPv6 address, with an IPv4 address at
// its end.
const maxAddress = 45

// address looks for an IP address at pos.
func (s *scanner) address() bool {
	end, dots, colons, double := s.pos, 0, 0, false
	for end < len(s.text) && end-s.pos <= maxAddress {
		c := s.text[end]
		if c == '.' {
			dots++
		} else if c == ':' {
			colons++
			double = double || end > s.pos && s.text[end-1] == ':'
		} else if class[c]&hex == 0 {
			break
		}
		end++
	}
	// A full stop or colon after an address belongs to the sentence; two colons
	// may end an address.
	for end > s.pos && (s.text[end-1] == '.' || s.text[end-1] == ':' && end-s.pos > 1 && s.text[end-2] != ':') {
		if s.text[end-1] == '.' {
			dots--
		} else {
			colons--
		}
		end--
	}
	port := end
	if dots == 3 && colons == 1 {
		// 10.0.0.1:8080
		for port = s.pos; s.text[port] != ':'; {
			port++
		}
	}
	// An IPv6 address has eight parts, of which the last two may be an IPv4 address
	// and some may be left out: times of day have fewer.
	v6 := double || colons == 7 || colons == 6 && dots == 3
	if before := s.text[s.free:s.pos]; !v6 && bytes.HasSuffix(before, []byte(".")) || v6 && bytes.HasSuffix(before, []byte("::")) {
		return false // the tail of something with more parts
	}
	if !v6 && (dots != 3 || colons > 1) || end-s.pos < 3 || end-s.pos > maxAddress || !s.ends(end) {
		return false
	}
	// The string is a view, gone before text can change.
	addr, err := netip.ParseAddr(unsafe.String(&s.text[s.pos], port-s.pos))
	if err != nil || addr.IsUnspecified() {
		return false
	}
	score := 0.9
	if addr.Is4() {
		score = 0.8
	}
	return s.report(classify.IPAddress, s.pos, port, score)
}

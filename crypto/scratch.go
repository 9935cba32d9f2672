package crypto

import "encoding/binary"

// A scratch is the working memory of one call. Associated data goes to the cipher
// through an interface, which makes it escape; a pool keeps that from being an
// allocation per message. One processor tends to get the same scratch again, which
// therefore remembers what the next call is likely to want too: values come in runs
// of one tenant, subject or field.
type scratch struct {
	// ad is the associated data. Its first prefix bytes say the tenant and subject of
	// last, where that is set.
	ad     []byte
	prefix int
	last   *entry[keyring]

	// room is how many more messages may be sealed by from: they were counted in
	// advance, so that processors need not count each in turn.
	from *sealer
	room int
}

func newScratch() any { return &scratch{ad: make([]byte, 0, 256)} }

// warm returns the keyring that at selects where that is in memory and not due for a
// refresh, with the associated data in w; nil otherwise.
func (c *Client) warm(w *scratch, at *Context) *keyring {
	if at.Field == "" || len(at.Field) > maxName {
		return nil
	}
	e := w.last
	if e == nil || e.key.name != at.Subject || e.key.tenant != at.Tenant || e.gone.Load() {
		k := cacheKey{at.Tenant, at.Subject}
		if e = c.rings.find(k, c.rings.hash(k)); e == nil {
			return nil
		}
		w.last = e
		w.ad = at.appendAD(w.ad[:0])
		w.prefix = len(w.ad) - len(at.Field) - 4
	} else if string(w.ad[w.prefix+4:]) != at.Field {
		w.ad = binary.BigEndian.AppendUint32(w.ad[:w.prefix], uint32(len(at.Field)))
		w.ad = append(w.ad, at.Field...)
	}
	if c.clock.coarse() >= e.due.get() {
		return nil
	}
	e.touch()
	return e.value
}

// cold puts the associated data of at into w.
func (w *scratch) cold(at *Context) {
	w.last = nil
	w.ad = at.appendAD(w.ad[:0])
}

// countAhead is how many messages are counted at once for a scratch that seals by
// the same sealer again and again.
const countAhead = 64

// count reports whether one more message may be sealed by from.
func (w *scratch) count(from *sealer) bool {
	if w.from != from {
		w.from, w.room = from, 0
		return from.messages.Add(1) <= maxMessagesPerSalt
	}
	if w.room == 0 {
		if from.messages.Add(countAhead) > maxMessagesPerSalt {
			return false
		}
		w.room = countAhead
	}
	w.room--
	return true
}

package sidecar

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/privet-dev/privet/access"
	"github.com/privet-dev/privet/internal/fault"
)

// callers know who calls. Nothing is implied: a peer whose ids no caller has is
// unknown, root too.
type callers struct {
	uids, gids map[uint32]access.Principal
	tokens     []tokenCaller
	log        *slog.Logger
}

type tokenCaller struct {
	access.Principal
	file *tokenFile
}

func newCallers(named map[string]Caller, log *slog.Logger) (callers, error) {
	cs := callers{uids: map[uint32]access.Principal{}, gids: map[uint32]access.Principal{}, log: log}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		c := named[name]
		p := access.Principal{Name: name, Roles: slices.Clone(c.Roles)}
		for _, by := range []struct {
			kind string
			id   *uint32
			ids  map[uint32]access.Principal
		}{{"uid", c.UID, cs.uids}, {"gid", c.GID, cs.gids}} {
			if by.id == nil {
				continue
			}
			p.ID = by.kind + ":" + strconv.FormatUint(uint64(*by.id), 10)
			if other, ok := by.ids[*by.id]; ok {
				return cs, fault.New(fault.Config, "sidecar: callers %s and %s have the same %s", other.Name, name, p.ID)
			}
			by.ids[*by.id] = p
		}
		if c.TokenFile != "" {
			f, err := openTokens(c.TokenFile)
			if err != nil {
				return cs, err
			}
			p.ID = "token:" + name
			cs.tokens = append(cs.tokens, tokenCaller{p, f})
		}
	}
	return cs, nil
}

// identify returns the caller of a request. A token that is shown decides alone:
// a wrong one is not made good by the peer's ids.
func (cs *callers) identify(r *http.Request) (access.Principal, bool) {
	if auth := r.Header.Values("Authorization"); len(auth) > 0 {
		scheme, token, ok := strings.Cut(auth[0], " ")
		if len(auth) > 1 || !ok || !strings.EqualFold(scheme, "Bearer") || len(token) > maxToken {
			return access.Principal{}, false
		}
		return cs.byToken(token)
	}
	peer, _ := r.Context().Value(peerKey{}).(peer)
	if !peer.known {
		return access.Principal{}, false
	}
	if p, ok := cs.uids[peer.uid]; ok {
		return p, true
	}
	p, ok := cs.gids[peer.gid]
	return p, ok
}

// byToken looks at every caller's tokens, whether or not one has matched.
func (cs *callers) byToken(token string) (found access.Principal, ok bool) {
	sum := sha256.Sum256([]byte(token))
	for i := range cs.tokens {
		held, news := cs.tokens[i].file.holds(sum)
		if news != nil {
			cs.log.Error("a token file became unusable; its caller is locked out", "caller", cs.tokens[i].Name, "error", news)
		}
		if held {
			found, ok = cs.tokens[i].Principal, true
		}
	}
	return found, ok
}

// A peer is the process at the other end of a unix socket.
type peer struct {
	uid, gid uint32
	known    bool
}

type peerKey struct{}

// withPeer puts the peer of a new connection into its context. A peer that the
// system does not name stays unknown, and needs a token.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return ctx
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return ctx
	}
	p, err := peerOf(raw)
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, p)
}

package sidecar

import (
	"net"
	"net/http"
	"sync"
)

// A connLimit is a listener that has a limited number of its connections open,
// whoever opens them: they are accepted before anybody is known, and each costs
// memory and a file descriptor. Those beyond wait in the system's queue.
type connLimit struct {
	net.Listener
	open   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func limitConns(l net.Listener, n int) *connLimit {
	return &connLimit{Listener: l, open: make(chan struct{}, n), closed: make(chan struct{})}
}

// Accept waits for a connection, and before that for room.
func (l *connLimit) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.open
	}
	return conn, err
}

// state is the http.Server's ConnState: every connection it has accepted ends here.
func (l *connLimit) state(_ net.Conn, s http.ConnState) {
	if s == http.StateClosed || s == http.StateHijacked {
		<-l.open
	}
}

// Close closes the listener, and ends an Accept that waits.
func (l *connLimit) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

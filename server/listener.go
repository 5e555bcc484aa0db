// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net"
	"sync"
)

// listener remembers its connections, so that a server that has answered
// everything can close them. HTTP/2 would wait a second for each client to go by
// itself, and without end for one whose stream hangs.
type listener struct {
	net.Listener

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

func newListener(l net.Listener) *listener {
	return &listener{Listener: l, conns: map[net.Conn]struct{}{}}
}

// Accept implements net.Listener. Connections that come after closeConnections are
// closed at once: an error would be taken for a failure by a server that has not
// been told to stop yet.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tracked := &trackedConn{Conn: conn, listener: l}
		if l.remember(tracked) {
			return tracked, nil
		}
		_ = conn.Close()
	}
}

// remember is false once closeConnections was called.
func (l *listener) remember(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.conns[conn] = struct{}{}
	}
	return !l.closed
}

// closeConnections closes every connection there is and will be.
func (l *listener) closeConnections() {
	l.mu.Lock()
	conns := l.conns
	l.conns, l.closed = map[net.Conn]struct{}{}, true
	l.mu.Unlock()
	for conn := range conns {
		_ = conn.Close()
	}
}

func (l *listener) forget(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, conn)
}

// trackedConn leaves the listener's memory when it is closed.
type trackedConn struct {
	net.Conn
	listener *listener
}

func (c *trackedConn) Close() error {
	c.listener.forget(c)
	return c.Conn.Close()
}

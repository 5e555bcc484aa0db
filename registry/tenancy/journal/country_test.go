// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/server/etcd"
	"github.com/stoa-project/stoa/stoatest"
)

// errNobody is for connections when no server runs.
var errNobody = errors.New("no server runs")

// country is two servers on one etcd, behind addresses of which nobody knows which server
// answers. Servers and etcd are restarted now and then, and connections cut.
type country struct {
	t     *testing.T
	flags []string
	dirs  [2]string
	state string // the folder of etcd
	store *etcd.Server

	mu          sync.Mutex // guards what follows
	servers     [2]*stoatest.Server
	addresses   [2]string // empty: it does not run
	connections map[net.Conn]struct{}
}

func newCountry(t *testing.T) *country {
	t.Helper()
	c := &country{t: t, dirs: [2]string{t.TempDir(), t.TempDir()}, state: t.TempDir(), connections: map[net.Conn]struct{}{}}
	c.startStore()
	t.Cleanup(func() { // after the servers have stopped
		if err := c.store.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	tokens := filepath.Join(t.TempDir(), "tokens.csv")
	var lines strings.Builder
	for i, p := range append(people(), administrator()) {
		fmt.Fprintf(&lines, "%s,%s,%d,%q\n", p.token(), p.name, i, strings.Join(p.groups, ","))
	}
	if err := os.WriteFile(tokens, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c.flags = []string{"--etcd-servers=" + c.store.Endpoints()[0], "--token-auth-file=" + tokens}
	c.start(0)
	c.start(1)
	return c
}

func (p person) token() string { return "token-of-" + strings.ReplaceAll(p.name, ":", "-") }

func administrator() person { return person{"admin", []string{"system:masters"}} }

func (c *country) startStore() {
	c.t.Helper()
	store, err := etcd.Start(c.t.Context(), etcd.Config{Dir: c.state, UnsafeNoFsync: true})
	if err != nil {
		c.t.Fatal(err)
	}
	c.store = store
}

// restartStore has etcd away for a moment.
func (c *country) restartStore() {
	if err := c.store.Stop(c.t.Context()); err != nil {
		c.t.Error(err)
	}
	c.startStore()
}

func (c *country) start(i int) {
	server := stoatest.Start(c.t, stoatest.WithDataDir(c.dirs[i]), stoatest.WithFlags(c.flags...))
	at, err := url.Parse(server.URL())
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers[i], c.addresses[i] = server, at.Host
}

// restart stops servers, and starts them again.
func (c *country) restart(which ...int) {
	for _, i := range which {
		c.mu.Lock()
		c.addresses[i] = ""
		server := c.servers[i]
		c.mu.Unlock()
		server.Stop()
	}
	for _, i := range which {
		c.start(i)
	}
}

// compact forgets what was.
func (c *country) compact(ctx context.Context) error {
	current, err := c.store.Client().Get(ctx, "x")
	if err == nil {
		_, err = c.store.Client().Compact(ctx, current.Header.Revision)
	}
	return err
}

// dial connects to one of the servers.
func (c *country) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	c.mu.Lock()
	addresses := c.addresses
	c.mu.Unlock()
	at := addresses[rand.IntN(2)]
	if at == "" {
		at = addresses[0] + addresses[1]
	}
	if at == "" {
		return nil, errNobody
	}
	connection, err := (&net.Dialer{}).DialContext(ctx, network, at)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connections[connection] = struct{}{}
	return connection, nil
}

// hangUp cuts all connections.
func (c *country) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for connection := range c.connections {
		_ = connection.Close()
	}
	clear(c.connections)
}

// config is that of a client with connections of its own, which go to either server.
func (c *country) config(p person) *rest.Config {
	return &rest.Config{
		Host: "https://127.0.0.1", BearerToken: p.token(), QPS: -1, Dial: c.dial,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true}, // each has a certificate of its own
	}
}

// clients are those of somebody.
type clients struct {
	kubernetes.Interface
	tenancy versioned.Interface
}

func (c *country) clients(p person) clients {
	return clients{kubernetes.NewForConfigOrDie(c.config(p)), versioned.NewForConfigOrDie(c.config(p))}
}

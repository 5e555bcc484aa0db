// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	kmsapi "k8s.io/kms/apis/v2"
	kms "k8s.io/kms/pkg/service"

	"github.com/stoa-project/stoa/stoatest"
)

// plugin is a key management service whose key is a mask.
type plugin struct {
	// ill is how often it still says that it is not well.
	ill atomic.Int32
}

var _ kms.Service = (*plugin)(nil)

const pluginKey = "key-1"

func mask(data []byte) []byte {
	out := bytes.Clone(data)
	for i := range out {
		out[i] ^= 0x55
	}
	return out
}

// Encrypt implements kms.Service.
func (*plugin) Encrypt(_ context.Context, _ string, data []byte) (*kms.EncryptResponse, error) {
	return &kms.EncryptResponse{Ciphertext: mask(data), KeyID: pluginKey}, nil
}

// Decrypt implements kms.Service.
func (*plugin) Decrypt(_ context.Context, _ string, request *kms.DecryptRequest) ([]byte, error) {
	if request.KeyID != pluginKey {
		return nil, errors.New("not my key")
	}
	return mask(request.Ciphertext), nil
}

// Status implements kms.Service.
func (p *plugin) Status(context.Context) (*kms.StatusResponse, error) {
	if p.ill.Add(-1) >= 0 {
		return nil, errors.New("the plugin is not well")
	}
	return &kms.StatusResponse{Version: "v2", Healthz: "ok", KeyID: pluginKey}, nil
}

// serve answers at a socket until the result is called.
func (p *plugin) serve(t *testing.T, socket string) (stop func()) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	kmsapi.RegisterKeyManagementServiceServer(server, kms.NewGRPCService("", 0, p))
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	return func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Errorf("plugin: %v", err)
		}
	}
}

// newSocket returns where a plugin may listen. The path of a socket must be short.
func newSocket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "kms") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// TestEncryptionKMS encrypts by a plugin that is not well at first, goes away and comes
// back.
func TestEncryptionKMS(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"static": nil, "followed": {"--encryption-provider-config-automatic-reload"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testKMS(t, flags)
		})
	}
}

func testKMS(t *testing.T, flags []string) {
	t.Helper()
	socket, file := newSocket(t), filepath.Join(t.TempDir(), "encryption.yaml")
	encryptionFile(t, file, "secrets: kms"+socket+" identity")
	p := &plugin{}
	p.ill.Store(2)
	stop := p.serve(t, socket)
	options := []stoatest.Option{stoatest.WithDataDir(t.TempDir()), stoatest.WithFlags(append(flags, "--encryption-provider-config="+file)...)}
	server := stoatest.Start(t, options...)
	if p.ill.Load() >= 0 {
		t.Error("the server was ready before the plugin was well")
	}
	createSecret(t, server, "a")
	storedAs(t, server, map[string]string{"secrets/default/a": "k8s:enc:kms:v2:plugin:"})
	wantSecrets(t, server, "a")
	health := func(path string, want int) string {
		if got := do(t, request{path: path, config: server.Config()}); got.code != want {
			return fmt.Sprintf("%s: %d %s", path, got.code, got.body)
		}
		return ""
	}
	stop()
	for _, path := range []string{"/healthz", "/readyz", "/healthz/kms-providers", "/readyz/kms-providers"} {
		eventually(t, func() string { return health(path, 500) })
	}
	if problem := health("/livez", 200) + health("/livez/kms-providers", 404); problem != "" {
		t.Error("a restart would mend nothing: " + problem)
	}
	wantSecrets(t, server, "a") // by keys that the plugin gave before
	stop = p.serve(t, socket)
	for _, path := range []string{"/healthz", "/readyz", "/healthz/kms-providers", "/readyz/kms-providers"} {
		eventually(t, func() string { return health(path, 200) })
	}
	server.Stop()
	server = stoatest.Start(t, options...)
	wantSecrets(t, server, "a")
	server.Stop()
	stop()
}

// TestEncryptionReloadKMS names a plugin in the file of a running server before there is
// one.
func TestEncryptionReloadKMS(t *testing.T) {
	t.Parallel()
	socket, file := newSocket(t), filepath.Join(t.TempDir(), "encryption.yaml")
	encryptionFile(t, file, "secrets: identity")
	server := stoatest.Start(t, stoatest.WithFlags("--encryption-provider-config="+file, "--encryption-provider-config-automatic-reload"))
	encryptionFile(t, file, "secrets: kms"+socket+" identity")
	eventually(t, func() string {
		if got := do(t, request{path: "/metrics", config: server.Config()}); !bytes.Contains(got.body, []byte(`automatic_reloads_total{apiserver_id_hash=`)) {
			return "the change was not seen"
		}
		return ""
	})
	createSecret(t, server, "a")
	storedAs(t, server, map[string]string{"secrets/default/a": "k8s\x00"})
	stop := (&plugin{}).serve(t, socket)
	eventually(t, func() string {
		rewrite(t, server)
		got, err := server.Etcd().Get(t.Context(), "/registry/secrets/default/a")
		if err != nil || !bytes.HasPrefix(got.Kvs[0].Value, []byte("k8s:enc:kms:v2:plugin:")) {
			return "the plugin is not used"
		}
		return ""
	})
	wantSecrets(t, server, "a")
	server.Stop()
	stop()
}

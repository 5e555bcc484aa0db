// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// A full disk stops the server, and loses nothing.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	integration(t)
	mount := filepath.Dir(folder(t))
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=220m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(mount, syscall.MNT_DETACH) })
	s := start(t, filepath.Join(mount, "data"))
	s.kubectl(t, "apply", "-f", "examples/namespace.yaml")
	fill := filepath.Join(mount, "fill")
	if err := os.WriteFile(fill, make([]byte, 300<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the file system is not full: %v", err)
	}
	// The log was allocated ahead; the database grows with what is written.
	large := filepath.Join(mount, "..", filepath.Base(mount)+".yaml")
	content := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"large-"},"data":{"x":"` + strings.Repeat("x", 900<<10) + `"}}`
	if err := os.WriteFile(large, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(large) })
	acknowledged := 0
	for s.running() && acknowledged < 200 {
		if s.tryKubectl(t, "", "create", "-f", large).code == 0 {
			acknowledged++
		}
	}
	if code := s.wait(t); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if !regexp.MustCompile(`(?m)^stoa: .*no space left.*$`).MatchString(s.stderr.String()) {
		t.Errorf("stderr does not say that the disk is full:\n%s", s.stderr.String())
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	s = s.restart(t)
	s.kubectl(t, "get", "namespace", "shop")
	if got := strings.Count(s.kubectl(t, "get", "configmaps", "-o", "name"), "\n"); got < acknowledged {
		t.Errorf("%d objects are there, %d were acknowledged", got, acknowledged)
	}
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Folder of the programs and root of the checkout, set by TestMain.
var bin, root string

// TestMain builds the programs once. They are kept out of the results of go test's
// own cache, so it lists what they are built from.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(etcdHelperVariable) != "" {
		os.Exit(etcdHelper())
	}
	if testing.Short() {
		fmt.Println("Programs are not built under -short")
		os.Exit(m.Run())
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	var err error
	if root, err = filepath.Abs("../.."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if bin, err = os.MkdirTemp("", "stoa-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(bin) }()
	// No other flags than go test uses: the compiled packages are shared with it.
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-buildvcs=false", "-o", bin, "./cmd/...", "./examples/informer")
	build.Dir, build.Stdout, build.Stderr = root, os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the programs:", err)
		return 1
	}
	return m.Run()
}

// integration marks a test that starts processes.
func integration(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes")
	}
}

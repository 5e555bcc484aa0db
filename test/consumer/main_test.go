// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"consumer.example/garden"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/stoa-project/stoa/stoatest"
)

const fig = `{"apiVersion":"garden.example.com/v1","kind":"Plant","metadata":{"name":"fig"},"spec":{"species":"Ficus carica"}}`

// steps are calls of kubectl, what they read, and what they print (a regular
// expression).
var steps = []struct{ args, stdin, want string }{
	{"api-resources --api-group=garden.example.com --no-headers", "", `^plants +pl +garden.example.com/v1 +true +Plant\n$`},
	{"apply -f -", fig, `^plant.garden.example.com/fig created\n$`},
	{"apply -f -", fig, `^plant.garden.example.com/fig unchanged\n$`},
	{"apply -f -", strings.Replace(fig, "Ficus carica", "", 1), `Plant "fig" is invalid: spec.species: Required value`},
	{"get pl", "", `^NAME +SPECIES +WATER +AGE\nfig +Ficus carica +3 +\d+s\n$`},
	{"get plants --field-selector=spec.species=Rosa", "", `^No resources found in default namespace.\n$`},
	{"explain plant.spec.waterEveryDays", "", `how many days the plant can do without water`},
	{"patch plant fig --subresource=status --type=merge -p {\"status\":{\"lastWatered\":\"2026-01-01T00:00:00Z\"}}", "", `patched`},
	{"apply --server-side --field-manager=two -f -", strings.Replace(fig, `"species":"Ficus carica"`, `"species":"Ficus carica","tags":["sweet"]`, 1), `serverside-applied`},
	{"apply --server-side --field-manager=three -f -", strings.Replace(fig, `"species":"Ficus carica"`, `"species":"Ficus carica","tags":["old"]`, 1), `serverside-applied`},
	{"get plant fig -o jsonpath={.spec.tags},{.status.lastWatered},{.metadata.generation}", "", `^\["sweet","old"\],2026-01-01T00:00:00Z,3$`},
	{"get namespaces,tenants -o name", "", `namespace/default`},
	{"delete plant fig", "", `deleted`},
}

func drive(t *testing.T, kubectl, kubeconfig string) {
	t.Helper()
	for _, step := range steps {
		command := exec.CommandContext(t.Context(), kubectl, strings.Fields(step.args)...)
		command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "KUBECACHEDIR="+t.TempDir())
		command.Stdin = strings.NewReader(step.stdin)
		out, _ := command.CombinedOutput() // what it prints says whether it failed
		if !regexp.MustCompile(step.want).Match(out) {
			t.Errorf("kubectl %s prints:\n%swant %s", step.args, out, step.want)
		}
	}
}

// build compiles a package into dir.
func build(t *testing.T, in, pkg, dir string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-buildvcs=false", "-o", dir, pkg)
	command.Dir = in
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
}

func TestGroupInProcessAndAsProgram(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds programs")
	}
	bin := t.TempDir()
	build(t, "../..", "./cmd/kubectl", bin)
	build(t, ".", ".", filepath.Join(bin, "consumer"))
	kubectl := filepath.Join(bin, "kubectl")
	t.Run("in process", func(t *testing.T) {
		t.Parallel()
		drive(t, kubectl, stoatest.Start(t, stoatest.WithGroups(garden.Group())).Kubeconfig())
	})
	t.Run("program", func(t *testing.T) {
		t.Parallel()
		data := filepath.Join(t.TempDir(), "data")
		command := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(bin, "consumer"), "--data-dir="+data, "--bind-address=127.0.0.1", "--secure-port="+freePort(t))
		var stderr bytes.Buffer
		command.Stderr = &stderr
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- command.Wait() }()
		kubeconfig := filepath.Join(data, "admin.kubeconfig")
		awaitReady(t, kubectl, kubeconfig, done)
		drive(t, kubectl, kubeconfig)
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("consumer: %v\n%s", err, stderr.String())
		}
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

func awaitReady(t *testing.T, kubectl, kubeconfig string, ended <-chan error) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for {
		out, err := exec.CommandContext(t.Context(), kubectl, "--kubeconfig="+kubeconfig, "get", "--raw=/readyz").CombinedOutput()
		if err == nil {
			return
		}
		select {
		case err := <-ended:
			t.Fatalf("the program ended: %v", err)
		case <-deadline:
			t.Fatalf("the program is not ready: %s", out)
		case <-tick.C:
		}
	}
}

// A restart finds what was stored, through a client without generated types.
func TestStoredObject(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts servers")
	}
	dir := t.TempDir()
	plants := schema.GroupVersionResource{Group: "garden.example.com", Version: "v1", Resource: "plants"}
	var before *unstructured.Unstructured
	for range 2 {
		s := stoatest.Start(t, stoatest.WithGroups(garden.Group()), stoatest.WithDataDir(dir))
		client, err := dynamic.NewForConfig(s.Config())
		if err != nil {
			t.Fatal(err)
		}
		if before == nil {
			obj := &unstructured.Unstructured{}
			if err := obj.UnmarshalJSON([]byte(fig)); err != nil {
				t.Fatal(err)
			}
			before, err = client.Resource(plants).Namespace("default").Create(t.Context(), obj, metav1.CreateOptions{})
		} else {
			var after *unstructured.Unstructured
			after, err = client.Resource(plants).Namespace("default").Get(t.Context(), "fig", metav1.GetOptions{})
			if err == nil && after.GetResourceVersion() != before.GetResourceVersion() {
				t.Errorf("after a restart: %v, want %v", after, before)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Stop()
	}
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take before a test gives up. It is long
// because machines that run many tests are slow.
const patience = 2 * time.Minute

// output collects what a process prints. It is safe for concurrent use.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// process is a program that runs until it is stopped or ends by itself.
type process struct {
	command        *exec.Cmd
	stdout, stderr output
	done           chan struct{}
}

// launch starts a program of bin. The test ends it if it still runs.
func launch(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{done: make(chan struct{})}
	p.command = exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(bin, name), args...)
	p.command.Env = append(os.Environ(), env...)
	p.command.Stdout, p.command.Stderr = &p.stdout, &p.stderr
	p.command.Dir = root
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.command.Wait() // ProcessState has the outcome
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s %s\nstdout: %s\nstderr: %s", name, strings.Join(args, " "), p.stdout.String(), p.stderr.String())
		}
	})
	return p
}

// wait returns the exit code, -1 for a process that a signal ended.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
		return p.command.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("%s still runs after %s", p.command.Path, patience)
		return 0
	}
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) signal(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Fatalf("signal %s: %v", p.command.Path, err)
	}
}

// kill ends the process as a crash does.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	p.wait(t)
}

// stop ends the process as a service manager does and wants it to succeed.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if code := p.wait(t); code != 0 {
		t.Errorf("exit code of %s after SIGTERM is %d, want 0; stderr: %s", p.command.Path, code, p.stderr.String())
	}
}

// result is what a program that ended left behind.
type result struct {
	stdout, stderr string
	code           int
}

// run runs a program of bin until it ends.
func run(t *testing.T, env []string, stdin, name string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(bin, name), args...)
	command.Env = append(os.Environ(), env...)
	command.Dir = root
	command.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return result{stdout.String(), stderr.String(), command.ProcessState.ExitCode()}
}

// server is a running stoa.
type server struct {
	*process
	dir, kubeconfig string
	port            int
	args            []string // more than start gives
}

func (s *server) url() string { return fmt.Sprintf("https://127.0.0.1:%d", s.port) }

// folder returns the path of a data folder that does not exist yet. It is short,
// unlike those of t.TempDir, so that the socket of etcd is in it.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "data")
}

// start starts stoa on a free port with its data in dir, and returns when it says
// that it is ready.
func start(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	for {
		s := startOn(t, dir, freePort(t), args...)
		if s.ready(t) {
			return s
		}
		// Between the choice of the port and its use somebody else may take it.
		if !strings.Contains(s.stderr.String(), "address already in use") {
			t.Fatalf("stoa ended with %d: %s", s.wait(t), s.stderr.String())
		}
	}
}

// startOn starts stoa on a port and does not wait.
func startOn(t *testing.T, dir string, port int, args ...string) *server {
	t.Helper()
	all := append([]string{"start", "--data-dir=" + dir, "--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(port)}, args...)
	return &server{process: launch(t, nil, "stoa", all...), dir: dir, kubeconfig: filepath.Join(dir, "admin.kubeconfig"), port: port, args: args}
}

// restart starts the stopped server again, at the same address and with the same flags.
func (s *server) restart(t *testing.T) *server {
	t.Helper()
	next := startOn(t, s.dir, s.port, s.args...)
	if !next.ready(t) {
		t.Fatalf("stoa ended with %d: %s", next.wait(t), next.stderr.String())
	}
	return next
}

// ready waits until the server says that it is, or has ended.
func (s *server) ready(t *testing.T) bool {
	t.Helper()
	eventually(t, "the server is ready", func() error {
		if !s.running() || strings.Contains(s.stdout.String(), " is ready at ") {
			return nil
		}
		return errors.New(s.stderr.String())
	})
	return s.running()
}

// eventually polls until check returns nil.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %s: %v", patience, what, err)
		}
	}
}

// ports are those that freePort gave away.
var ports sync.Map

// freePort returns a port of the loopback interface. It is below those that the
// system gives to outgoing connections, which could take it between a server's end
// and its restart.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		port := 20000 + rand.IntN(12000)
		if _, taken := ports.LoadOrStore(port, true); taken {
			continue
		}
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		_ = listener.Close()
		return port
	}
}

// kubectl runs kubectl as the server's administrator and wants it to succeed.
func (s *server) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out := s.tryKubectl(t, "", args...)
	if out.code != 0 {
		t.Fatalf("kubectl %s: exit code %d\n%s%s", strings.Join(args, " "), out.code, out.stdout, out.stderr)
	}
	return out.stdout
}

func (s *server) tryKubectl(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	return run(t, s.kubectlEnv(), stdin, "kubectl", args...)
}

// kubectlEnv keeps kubectl's caches apart.
func (s *server) kubectlEnv(more ...string) []string {
	return append([]string{"KUBECONFIG=" + s.kubeconfig, "KUBECACHEDIR=" + filepath.Join(filepath.Dir(s.dir), "cache"), "HOME=" + filepath.Dir(s.dir)}, more...)
}

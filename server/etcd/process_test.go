// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package etcd_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/stoa-project/stoa/server/etcd"
)

const (
	helperVariable = "STOA_ETCD_TEST_HELPER"
	otherUser      = 65534
	writers        = 8
)

// TestMain lets the test binary be the process that is killed or refused.
func TestMain(m *testing.M) {
	job, dir, isHelper := strings.Cut(os.Getenv(helperVariable), ":")
	if !isHelper {
		os.Exit(m.Run())
	}
	if err := help(context.Background(), job, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func helper(t *testing.T, job, dir string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), helperVariable+"="+job+":"+dir)
	return command
}

func help(ctx context.Context, job, dir string) error {
	if job == "limited" {
		// Files may not grow beyond this: what a full disk looks like from inside, without needing a file system.
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: 65 << 20, Max: 65 << 20}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			return err
		}
	}
	s, err := etcd.Start(ctx, etcd.Config{Dir: dir})
	if err != nil && job == "twice" {
		for range 3 {
			runtime.GC()
		}
		s, err = etcd.Start(ctx, etcd.Config{Dir: dir})
	}
	if err != nil {
		return err
	}
	switch job {
	case "write":
		return writeForEver(ctx, s)
	case "fill", "limited":
		return fill(ctx, s)
	default:
		return s.Stop(ctx)
	}
}

// writeForEver reports each write after it was acknowledged.
func writeForEver(ctx context.Context, s *etcd.Server) error {
	var output sync.Mutex
	var wait sync.WaitGroup
	for writer := range writers {
		wait.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("%d/%d/%d", os.Getpid(), writer, n)
				if _, err := s.Client().Put(ctx, key, strings.Repeat(key, 50)); err != nil {
					return
				}
				output.Lock()
				fmt.Println(key)
				output.Unlock()
			}
		})
	}
	wait.Wait()
	return s.Stop(ctx)
}

// fill writes until the server ends by itself and returns its reason.
func fill(ctx context.Context, s *etcd.Server) error {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		<-s.Done()
		cancel()
	}()
	value := strings.Repeat("x", 1<<20)
	for n := range 400 {
		if _, err := s.Client().Put(ctx, strconv.Itoa(n), value); err != nil {
			break
		}
		fmt.Println(n)
	}
	<-ctx.Done()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = s.Stop(stopping)
	return s.Err()
}

// TestKill kills a server during writes, again and again, and looks for every write that was acknowledged.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 15
	if testing.Short() {
		rounds = 3
	}
	dir := filepath.Join(t.TempDir(), "data")
	acknowledged := 0
	for round := range rounds {
		keys := writeAndKill(t, dir)
		acknowledged += len(keys)
		s, err := etcd.Start(t.Context(), etcd.Config{Dir: dir, UnsafeNoFsync: true})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		checkKeys(t, s, keys)
		r, err := s.Client().Get(t.Context(), "", clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil || r.Count < int64(acknowledged) || r.Count > int64(acknowledged+writers*(round+1)) {
			t.Errorf("round %d: %d keys, %d were acknowledged: %v", round, r.Count, acknowledged, err)
		}
		stop(t, s)
	}
	t.Logf("%d writes in %d rounds", acknowledged, rounds)
	if acknowledged < 100*rounds {
		t.Errorf("only %d writes in %d rounds", acknowledged, rounds)
	}
}

// writeAndKill returns the keys whose writes were acknowledged before the kill.
func writeAndKill(t *testing.T, dir string) []string {
	t.Helper()
	command := helper(t, "write", dir)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	enough := 200 + rand.IntN(1000)
	var keys []string
	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break
		}
		keys = append(keys, strings.TrimSpace(line))
		if len(keys) == enough {
			if err := command.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = command.Wait()
	return keys
}

func checkKeys(t *testing.T, s *etcd.Server, keys []string) {
	t.Helper()
	if len(keys) == 0 {
		return
	}
	pid, _, _ := strings.Cut(keys[0], "/")
	r, err := s.Client().Get(t.Context(), pid+"/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	stored := make(map[string]string, len(r.Kvs))
	for _, kv := range r.Kvs {
		stored[string(kv.Key)] = string(kv.Value)
	}
	for _, key := range keys {
		if stored[key] != strings.Repeat(key, 50) {
			t.Errorf("acknowledged write of %s is lost", key)
		}
	}
}

// refusedToOther starts on dir as a user who is neither root nor the owner.
func refusedToOther(t *testing.T, dir, text string) {
	t.Helper()
	command := helper(t, "start", dir)
	if os.Geteuid() == 0 {
		binary := filepath.Join(t.TempDir(), "helper")
		content, err := os.ReadFile(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(binary, content, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{binary, dir} {
			openParents(t, path)
		}
		command.Path, command.Dir = binary, "/"
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: otherUser, Gid: otherUser}}
	} else if strings.HasSuffix(t.Name(), "folder_of_root") {
		t.Skip("needs root")
	}
	output, err := command.CombinedOutput()
	line := strings.TrimSpace(string(output))
	t.Log(line)
	if err == nil || strings.Contains(line, "\n") || !strings.Contains(line, text) ||
		!strings.Contains(line, etcd.ErrPermission.Error()) || !strings.Contains(line, dir) {
		t.Errorf("got %v: %s", err, line)
	}
}

// openParents lets other users pass through the private temporary folders of the test.
func openParents(t *testing.T, path string) {
	t.Helper()
	for parent := filepath.Dir(path); parent != os.TempDir() && parent != "/"; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(parent, info.Mode().Perm()|0o111); err != nil {
			t.Fatal(err)
		}
	}
}

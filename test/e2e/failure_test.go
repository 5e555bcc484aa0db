// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stoa-project/stoa/server/pki"
)

// otherUser is a user who owns nothing.
const otherUser = 65534

// wantLine checks that a program failed in one clear line.
func wantLine(t *testing.T, got result, want string) {
	t.Helper()
	if got.code != 1 || got.stdout != "" {
		t.Errorf("exit code %d, stdout %q; want 1 and nothing", got.code, got.stdout)
	}
	if strings.Count(got.stderr, "\n") != 1 || !regexp.MustCompile("^stoa: .*"+want).MatchString(got.stderr) {
		t.Errorf("stderr is:\n%swant one line with %s", got.stderr, want)
	}
}

// startFails runs stoa start, which must end by itself.
func startFails(t *testing.T, dir string, args ...string) result {
	t.Helper()
	args = append([]string{"start", "--data-dir=" + dir, "--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(freePort(t))}, args...)
	return run(t, nil, "", "stoa", args...)
}

func TestBadCommandLine(t *testing.T) {
	t.Parallel()
	integration(t)
	for args, want := range map[string]string{
		"nosuch":                                             `unknown command "nosuch" for "stoa"`,
		"version extra":                                      `unknown command "extra" for "stoa version"`,
		"start extra":                                        `unknown command "extra" for "stoa start"`,
		"start --nosuch":                                     `unknown flag: --nosuch`,
		"start --secure-port=abc":                            `invalid argument "abc" for "--secure-port" flag: `,
		"start --secure-port=70000":                          `--secure-port 70000 must be between `,
		"start --bind-address=nowhere":                       `invalid argument "nowhere" for "--bind-address" flag: `,
		"start --etcd-start-timeout=-1s":                     `--etcd-start-timeout must be positive`,
		"start --etcd-cafile=x":                              `--etcd-certfile, --etcd-keyfile and --etcd-cafile must not be set without --etcd-servers`,
		"start --feature-gates=Nosuch=true":                  `--feature-gates.*Nosuch`,
		"start --runtime-config=nosuch/v1=1":                 `nosuch/v1`,
		"start --tls-cert-file=x":                            `--tls-cert-file must be set together with --tls-private-key-file`,
		"start --tls-min-version=VersionTLS9":                `--tls-min-version|VersionTLS9`,
		"start --logging-format=xml":                         `format`,
		"start --request-timeout=0 --etcd-start-timeout=-1s": `--request-timeout.*--etcd-start-timeout|--etcd-start-timeout.*--request-timeout`,
		"start --etcd-servers=http://me:hunter2@a:1":         `--etcd-servers: must not contain a user or password`,
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			all := strings.Fields(args)
			if all[0] == "start" {
				all = append(all, "--data-dir="+folder(t))
			}
			wantLine(t, run(t, nil, "", "stoa", all...), want)
		})
	}
}

func TestBadConfigFile(t *testing.T) {
	t.Parallel()
	integration(t)
	const head = "apiVersion: server.stoa.dev/v1alpha1\nkind: ServerConfiguration\n"
	for name, c := range map[string]struct{ content, want string }{
		"unknown key":      {head + "colour: red\n", `config: colour: unknown option`},
		"wrong type":       {head + "profiling: high\n", `config: profiling: .*high`},
		"two wrong keys":   {head + "colour: red\nprofiling: high\n", `config: colour: unknown option.*profiling: `},
		"duplicate key":    {head + "secure-port: 1\nsecure-port: 2\n", `secure-port.*already`},
		"wrong apiVersion": {"apiVersion: v9\nkind: ServerConfiguration\n", `config: apiVersion and kind must be server.stoa.dev/v1alpha1 and ServerConfiguration`},
		"no YAML":          {"{", `--config .*/config: `},
		"a list":           {"- 1\n", `--config .*/config: `},
		"no value":         {head + "profiling:\n", `config: profiling: must have a value`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t)
			path := filepath.Join(filepath.Dir(dir), "config")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			wantLine(t, startFails(t, dir, "--config="+path), c.want)
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the data folder was made: %v", err)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		wantLine(t, startFails(t, folder(t), "--config=/nosuch/file"), `--config: open /nosuch/file: no such file or directory`)
	})
	t.Run("no folder", func(t *testing.T) {
		t.Parallel()
		wantLine(t, startFails(t, ""), `--data-dir must not be empty`)
	})
}

func TestConfigFile(t *testing.T) {
	t.Parallel()
	integration(t)
	dir, port := folder(t), freePort(t)
	path := filepath.Join(filepath.Dir(dir), "config.yaml")
	content := "apiVersion: server.stoa.dev/v1alpha1\nkind: ServerConfiguration\ndata-dir: " + dir + "\nbind-address: 127.0.0.1\nsecure-port: 1\n" +
		"watch-cache-sizes: ['configmaps#0']\nruntime-config: {tenancy.stoa.dev/v1alpha1: false}\n"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, nil, "stoa", "start", "--config="+path, "--secure-port="+strconv.Itoa(port))
	s := &server{process: p, dir: dir, kubeconfig: filepath.Join(dir, "admin.kubeconfig"), port: port}
	if !s.ready(t) {
		t.Fatal("stoa ended: " + s.stderr.String())
	}
	if got := s.kubectl(t, "api-versions"); !strings.HasSuffix(got, "\ntenancy.stoa.dev/v1\nv1\n") {
		t.Errorf("api-versions: %q", got)
	}
}

// A second server on the same folder leaves the first alone.
func TestFolderInUse(t *testing.T) {
	t.Parallel()
	integration(t)
	s := start(t, folder(t))
	before := readAll(t, s.dir, "admin.kubeconfig", "pki/apiserver.crt")
	wantLine(t, startFails(t, s.dir), "data folder is in use: "+s.dir+" by process "+strconv.Itoa(s.command.Process.Pid)+"; ")
	if readAll(t, s.dir, "admin.kubeconfig", "pki/apiserver.crt") != before {
		t.Error("the second server changed the certificates or the kubeconfig of the first")
	}
	s.kubectl(t, "get", "namespaces")
	s.stop(t)
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	integration(t)
	s := start(t, folder(t))
	dir := folder(t)
	port := strconv.Itoa(s.port)
	wantLine(t, startFails(t, dir, "--secure-port="+port), "--secure-port.*127.0.0.1:"+port+": bind: address already in use")
	start(t, dir).kubectl(t, "get", "namespaces")
	s.kubectl(t, "get", "namespaces")
}

// What is wrong in the data folder is named and stays as it was, and once it is
// mended the server starts with everything it had.
func TestBadDataFolder(t *testing.T) {
	t.Parallel()
	integration(t)
	for name, c := range map[string]struct{ file, content, want string }{
		"CA certificate": {"pki/stoa-ca.crt", "garbage", `pki/stoa-ca.crt`},
		"CA key":         {"pki/stoa-ca.key", "garbage", `pki/stoa-ca.key`},
		"empty CA key":   {"pki/stoa-ca.key", "", `pki/stoa-ca.key`},
		"database":       {"etcd/member/snap/db", strings.Repeat("garbage!", 4096), `stored data is damaged: .*/etcd/member/snap/db`},
		"log":            {"etcd/member/wal/0000000000000000-0000000000000000.wal", strings.Repeat("garbage!", 4096), `stored data is damaged: .*/etcd/member/wal`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, folder(t))
			s.kubectl(t, "apply", "-f", "examples/configmap.yaml")
			s.stop(t)
			path := filepath.Join(s.dir, c.file)
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			bad := []byte(c.content)
			if len(bad) > 0 {
				bad = append(bad, good[min(len(bad), len(good)):]...)
			}
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			wantLine(t, startFails(t, s.dir), c.want)
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, bad) {
				t.Errorf("%s was changed: %v", path, err)
			}
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
			s = s.restart(t)
			s.kubectl(t, "get", "-f", "examples/configmap.yaml")
		})
	}
	t.Run("is a file", func(t *testing.T) {
		t.Parallel()
		path := folder(t)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		wantLine(t, startFails(t, path), path)
	})
	for file, mode := range map[string]fs.FileMode{"pki/stoa-ca.key": 0o640, "pki/apiserver.key": 0o644, "etcd": 0o777} {
		t.Run("mode of "+file, func(t *testing.T) {
			t.Parallel()
			s := start(t, folder(t))
			s.stop(t)
			path := filepath.Join(s.dir, file)
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			wantLine(t, startFails(t, s.dir), regexp.QuoteMeta(path)+`.*run: chmod`)
		})
	}
}

// asOther makes stoa, run by root in the test, run as another user.
func asOther(t *testing.T, dir string) result {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process as another user")
	}
	if err := os.Chmod(bin, 0o755); err != nil { // the other user has to find the program
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // and its data folder
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), filepath.Join(bin, "stoa"), "start", "--data-dir="+dir, "--bind-address=127.0.0.1", "--secure-port="+strconv.Itoa(freePort(t)))
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: otherUser, Gid: otherUser}}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	_ = command.Run() // ProcessState has the outcome
	return result{stdout.String(), stderr.String(), command.ProcessState.ExitCode()}
}

func TestWrongOwner(t *testing.T) {
	t.Parallel()
	integration(t)
	t.Run("unwritable", func(t *testing.T) {
		t.Parallel()
		dir := folder(t)
		wantLine(t, asOther(t, dir), dir+".*permission denied")
	})
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		s := start(t, folder(t))
		s.stop(t)
		wantLine(t, asOther(t, s.dir), "permission denied in data folder: "+s.dir+" belongs to user 0, this process runs as user 65534")
		s.restart(t)
	})
	t.Run("key", func(t *testing.T) {
		t.Parallel()
		s := start(t, folder(t))
		s.stop(t)
		key := filepath.Join(s.dir, "pki", "stoa-ca.key")
		err := filepath.WalkDir(s.dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || path == key {
				return err
			}
			return os.Chown(path, otherUser, otherUser)
		})
		if err != nil && os.Geteuid() == 0 {
			t.Fatal(err)
		}
		wantLine(t, asOther(t, s.dir), `owner 0, this process runs as user 65534.*`+key+`: permission denied`)
	})
}

func TestEtcdUnreachable(t *testing.T) {
	t.Parallel()
	integration(t)
	dir := folder(t)
	if _, err := (pki.Store{Dir: filepath.Join(filepath.Dir(dir), "pki")}).EnsureCA(t.Context(), "ca"); err != nil {
		t.Fatal(err)
	}
	endpoint := "127.0.0.1:" + strconv.Itoa(freePort(t))
	began := time.Now()
	got := startFails(t, dir, "--etcd-servers=https://"+endpoint, "--etcd-cafile="+filepath.Join(filepath.Dir(dir), "pki", "ca.crt"), "--etcd-start-timeout=2s")
	// Each attempt is a line of the log; the error is the last one.
	got.stderr = got.stderr[strings.LastIndex(strings.TrimSuffix(got.stderr, "\n"), "\n")+1:]
	wantLine(t, got, "etcd at https://"+endpoint+" within 2s: .*connection refused")
	if took := time.Since(began); took < 2*time.Second || took > 15*time.Second {
		t.Errorf("it gave up after %s, want 2s", took)
	}
	wantLine(t, startFails(t, dir, "--etcd-servers=https://"+endpoint, "--etcd-cafile=/nosuch"), "--etcd-cafile.*/nosuch")
	wantLine(t, startFails(t, dir, "--etcd-servers=nowhere"), `--etcd-servers: each must be a URL`)
}

func TestBadCertificateFlags(t *testing.T) {
	t.Parallel()
	integration(t)
	dir := folder(t)
	certs := filepath.Join(filepath.Dir(dir), "certs")
	ca, err := pki.Store{Dir: certs}.EnsureCA(t.Context(), "ca")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		if _, err := ca.EnsureServing(t.Context(), name, pki.Serving{Hosts: []string{"127.0.0.1"}}); err != nil {
			t.Fatal(err)
		}
	}
	one, two := filepath.Join(certs, "one"), filepath.Join(certs, "two")
	garbage := filepath.Join(filepath.Dir(dir), "garbage")
	if err := os.WriteFile(garbage, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantLine(t, startFails(t, dir, "--client-ca-file=/nosuch"), "--client-ca-file: .*/nosuch")
	wantLine(t, startFails(t, dir, "--client-ca-file="+garbage), "--client-ca-file: .*"+garbage)
	wantLine(t, startFails(t, dir, "--tls-cert-file="+one+".crt", "--tls-private-key-file="+two+".key"), "--tls-cert-file and --tls-private-key-file: ")
	wantLine(t, startFails(t, dir, "--tls-cert-file="+one+".crt", "--tls-private-key-file=/nosuch"), "/nosuch")
	wantLine(t, startFails(t, dir, "--tls-cert-file="+one+".crt"), "--tls-cert-file must be set together with --tls-private-key-file")

	s := start(t, dir, "--tls-cert-file="+one+".crt", "--tls-private-key-file="+one+".key", "--client-ca-file="+certs+"/ca.crt")
	if got := run(t, s.kubectlEnv(), "", "kubectl", "--certificate-authority="+certs+"/ca.crt", "get", "--raw", "/readyz"); got.stdout != "ok" {
		t.Errorf("with certificates of the user's own: %+v", got)
	}
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// step is a call of kubectl.
type step struct {
	args string
	// stdin is what it reads; env more of its environment.
	stdin string
	env   []string
	// want is the whole output; a regular expression if it begins with ^. Empty:
	// not looked at.
	want string
	// stderr is a regular expression. Empty: nothing is printed there.
	stderr string
	code   int
}

func (c step) run(t *testing.T, s *server) {
	t.Helper()
	got := run(t, s.kubectlEnv(c.env...), c.stdin, "kubectl", words(c.args)...)
	if got.code != c.code {
		t.Fatalf("kubectl %s: exit code %d, want %d\n%s%s", c.args, got.code, c.code, got.stdout, got.stderr)
	}
	switch {
	case c.want == "":
	case strings.HasPrefix(c.want, "^"):
		if !regexp.MustCompile("(?s)" + c.want).MatchString(got.stdout) {
			t.Errorf("kubectl %s prints:\n%swant %s", c.args, got.stdout, c.want)
		}
	case got.stdout != c.want:
		t.Errorf("kubectl %s prints:\n%swant:\n%s", c.args, got.stdout, c.want)
	}
	if c.stderr == "" && got.stderr != "" || !regexp.MustCompile("(?s)"+c.stderr).MatchString(got.stderr) {
		t.Errorf("kubectl %s prints to stderr:\n%swant %q", c.args, got.stderr, c.stderr)
	}
}

// words splits a command line at spaces; single quotes keep words together.
func words(line string) []string {
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

func TestKubectl(t *testing.T) {
	t.Parallel()
	integration(t)
	s := start(t, folder(t), "-v=9") // so that every log line is there to be searched for secrets
	for _, c := range []step{
		{args: "get tenants", stderr: "No resources found"},
		{args: "apply -f examples/tenant.yaml", want: "tenant.tenancy.stoa.dev/blue created\n"},
		// kubectl compares with what is stored, which has defaults; the server finds nothing new.
		{args: "apply -f examples/tenant.yaml", want: "tenant.tenancy.stoa.dev/blue configured\n"},
		{args: "apply --server-side --force-conflicts --field-manager=kubectl-client-side-apply -f examples/tenant.yaml --dry-run=server", want: "tenant.tenancy.stoa.dev/blue serverside-applied (server dry run)\n"},
		{args: "get tenant blue -o jsonpath={.metadata.generation}", want: "1"},
		{args: "get tenants", want: `^NAME   PHASE    NAMESPACES   AGE\nblue   Active   0/5          \d+s\n$`},
		{args: "get tn blue -o wide", want: `^NAME   PHASE    NAMESPACES   AGE   DISPLAY NAME   OWNERS   QUOTA\nblue .* Team Blue +3 +pods: 0/200, requests.cpu: 0/20, requests.memory: 0/64Gi\n$`},
		{args: "get tenancy -A --no-headers", want: "^.*project.tenancy.stoa.dev/default .*tenant.tenancy.stoa.dev/blue .*\n$"},
		{args: "get tenant blue -o name", want: "tenant.tenancy.stoa.dev/blue\n"},
		{args: "get tenant blue -o jsonpath={.spec.owners[*].name}", want: "alice blue-leads deployer"},
		{args: "get tenant blue -o yaml", want: "^apiVersion: tenancy.stoa.dev/v1\nkind: Tenant\nmetadata:.*displayName: Team Blue"},
		{args: "get tenants.v1alpha1.tenancy.stoa.dev blue -o jsonpath={.apiVersion},{.spec.owners},{.spec.maxNamespaces}",
			want: `tenancy.stoa.dev/v1alpha1,["user:alice","group:blue-leads","serviceaccount:ci:deployer"],5`},
		{args: "get tenants --field-selector spec.suspended=true -o name"},
		{args: "explain tenant.spec", want: "^GROUP:      tenancy.stoa.dev\nKIND:       Tenant\nVERSION:    v1\n.*displayName\t<string>.*owners\t<\\[\\]Subject>"},
		{args: "explain tenant.spec.maxNamespaces --api-version=tenancy.stoa.dev/v1alpha1", want: "^.*FIELD: maxNamespaces <integer>"},
		{args: "explain grant --recursive", want: "^.*roleRef\t<RoleRef>"},
		{args: "describe tenant blue", want: "^Name: +blue\n.*Display Name: +Team Blue"},

		{args: `patch tenant blue --type=merge -p {"spec":{"displayName":"Team\u0020Navy"}}`, want: "tenant.tenancy.stoa.dev/blue patched\n"},
		{args: `patch tenant blue --type=json -p [{"op":"replace","path":"/spec/namespaces/limit","value":12}]`, want: "tenant.tenancy.stoa.dev/blue patched\n"},
		{args: `patch tenant blue -p {"spec":{"suspended":true}}`, want: "tenant.tenancy.stoa.dev/blue patched\n"},
		{args: "wait tenant/blue --for=jsonpath={.status.phase}=Suspended --timeout=30s", want: "tenant.tenancy.stoa.dev/blue condition met\n"},
		{args: `patch tenant blue --subresource=status --type=merge -p {"status":{"phase":"Suspended"}}`, want: "tenant.tenancy.stoa.dev/blue patched (no change)\n"},
		{args: "get tenant blue -o jsonpath={.spec.displayName},{.spec.namespaces.limit},{.status.phase},{.metadata.generation}", want: "Team Navy,12,Suspended,4"},
		{args: "get tenants --field-selector spec.suspended=true,status.phase=Suspended -o name", want: "tenant.tenancy.stoa.dev/blue\n"},
		{args: "label tenant blue city=athens", want: "tenant.tenancy.stoa.dev/blue labeled\n"},
		{args: "annotate tenant blue note=hello", want: "tenant.tenancy.stoa.dev/blue annotated\n"},
		{args: "get tenants -l city=athens -L city --no-headers", want: "^blue .* athens\n$"},
		{args: "label tenant blue city-", want: "tenant.tenancy.stoa.dev/blue unlabeled\n"},
		{args: `edit tenant blue`, env: []string{`KUBE_EDITOR=sed -i s/Navy/Ink/`}, want: "tenant.tenancy.stoa.dev/blue edited\n"},
		{args: `edit tenant blue`, env: []string{`KUBE_EDITOR=true`}, want: "", stderr: "Edit cancelled, no changes made."},
		{args: "diff -f examples/tenant.yaml", code: 1, want: "^.*-  displayName: Team Ink\n.*\\+  displayName: Team Blue\n"},
		{args: "apply -f examples/tenant.yaml --dry-run=server", want: "tenant.tenancy.stoa.dev/blue configured (server dry run)\n"},
		{args: "get tenant blue -o jsonpath={.spec.displayName}", want: "Team Ink"},
		{args: "apply -f examples/tenant.yaml", want: "tenant.tenancy.stoa.dev/blue configured\n"},

		{args: "apply --server-side -f examples/tenant-v1alpha1.yaml", want: "tenant.tenancy.stoa.dev/green serverside-applied\n"},
		{args: "apply --server-side --field-manager=other -f -", stdin: greenByOther, code: 1,
			stderr: `Apply failed with 1 conflict: conflict with "kubectl": .spec.displayName`},
		{args: "apply --server-side --field-manager=other --force-conflicts -f -", stdin: greenByOther, want: "tenant.tenancy.stoa.dev/green serverside-applied\n"},
		{args: "get tenants.v1.tenancy.stoa.dev green -o jsonpath={.spec.displayName},{.spec.namespaces.limit}", want: "Olive,3"},

		{args: "create -f examples/grant.yaml", want: "grant.tenancy.stoa.dev/carol-on-call created\n"},
		{args: "create -f examples/grant.yaml", code: 1, stderr: `grants.tenancy.stoa.dev "carol-on-call" already exists`},
		{args: "create -f examples/grant-v1alpha1.yaml", want: "grant.tenancy.stoa.dev/log-reader created\n"},
		{args: "get grants", want: "^NAME +SUBJECT +ROLE +PHASE +EXPIRES +AGE\ncarol-on-call +User/carol +ClusterRole/edit .*log-reader +ServiceAccount/log-reader +<rules>"},
		{args: "create -f examples/namespace.yaml", want: "namespace/shop created\n"},
		{args: "create -f examples/secret.yaml -f examples/configmap.yaml", want: "secret/shop-database created\nconfigmap/shop-settings-1 created\n"},
		{args: "create configmap more --from-literal=a=b --dry-run=client -o name", want: "configmap/more\n"},
		{args: "create configmap more --from-literal=a=b -n shop", want: "configmap/more created\n"},
		{args: "create secret generic key --from-literal=a=b -n shop", want: "secret/key created\n"},
		{args: "get secrets -A --field-selector type=Opaque --no-headers", want: "^shop +key "},
		{args: "get cm,secret -n shop -o name --field-selector metadata.name!=kube-root-ca.crt", want: "configmap/more\nsecret/key\n"},
		{args: "replace -f -", stdin: `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"more","namespace":"shop"},"data":{"c":"d"}}`, want: "configmap/more replaced\n"},
		{args: "get configmap more -n shop -o jsonpath={.data}", want: `{"c":"d"}`},
		{args: "create -f -", stdin: `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"Bad_Name"},"spec":{"colour":"red"}}`, code: 1,
			stderr: `strict decoding error: unknown field "spec.colour"`},
		{args: "create -f -", stdin: `{"apiVersion":"tenancy.stoa.dev/v1","kind":"Tenant","metadata":{"name":"Bad_Name"},"spec":{"namespaces":{"limit":-1}}}`, code: 1,
			stderr: `The Tenant "Bad_Name" is invalid:.*metadata.name: Invalid value: "Bad_Name".*spec.namespaces.limit: Invalid value: -1`},

		{args: "api-versions", want: "^admissionregistration.k8s.io/v1\n(.*\n)+apps/v1\n(.*\n)+tenancy.stoa.dev/v1\ntenancy.stoa.dev/v1alpha1\nv1\n$"},
		{args: "api-resources --api-group=tenancy.stoa.dev --no-headers", want: "^grants +tenancy.stoa.dev/v1 +true +Grant\nprojects +tenancy.stoa.dev/v1 +false +Project\ntenants +tn +tenancy.stoa.dev/v1 +false +Tenant\n$"},
		{args: "api-resources --categories=tenancy -o name", want: "grants.tenancy.stoa.dev\nprojects.tenancy.stoa.dev\ntenants.tenancy.stoa.dev\n"},
		{args: "version", want: "Client Version: v1.37.2\nKustomize Version: v5.8.1\nServer Version: v1.37.2\n"},
		{args: "get --raw /readyz", want: "ok"},
		{args: "get --raw /version", want: `^.*"gitVersion": "v1.37.2"`},
		{args: "config current-context", want: "stoa\n"},

		{args: "delete -f examples/grant.yaml", want: "grant.tenancy.stoa.dev \"carol-on-call\" deleted from default namespace\n"},
		{args: "delete tenants --all", want: "tenant.tenancy.stoa.dev \"blue\" deleted\ntenant.tenancy.stoa.dev \"green\" deleted\n"},
		{args: "get tenant blue", code: 1, stderr: `^Error from server \(NotFound\): tenants.tenancy.stoa.dev "blue" not found\n$`},
	} {
		c.run(t, s)
	}
	for _, secret := range []string{"change-me", "Y2hhbmdlLW1l", "PRIVATE KEY"} {
		if strings.Contains(s.stdout.String()+s.stderr.String(), secret) {
			t.Errorf("the server printed %q", secret)
		}
	}
}

const greenByOther = `{"apiVersion":"tenancy.stoa.dev/v1alpha1","kind":"Tenant","metadata":{"name":"green"},"spec":{"displayName":"Olive"}}`

// Every command that speaks to the server in the five-minute start of the README,
// as a reader types it.
func TestExamplesInOneGo(t *testing.T) {
	t.Parallel()
	integration(t)
	s := start(t, folder(t))
	want := "configmap/shop-settings-1 created\ngrant.tenancy.stoa.dev/log-reader created\ngrant.tenancy.stoa.dev/carol-on-call created\n" +
		"namespace/shop created\nsecret/shop-database created\ntenant.tenancy.stoa.dev/green created\ntenant.tenancy.stoa.dev/blue created\n"
	if got := s.kubectl(t, "apply", "-f", "examples"); got != want {
		t.Errorf("apply -f examples prints:\n%swant:\n%s", got, want)
	}
}

func TestKubectlWatch(t *testing.T) {
	t.Parallel()
	integration(t)
	s := start(t, folder(t))
	watch := launch(t, s.kubectlEnv(), "kubectl", "get", "tenants", "-w", "-o", "jsonpath={.metadata.name}={.spec.displayName};", "--output-watch-events=false")
	seen := func(want string) {
		t.Helper()
		eventually(t, "kubectl get -w prints "+want, func() error {
			if got := watch.stdout.String(); !strings.Contains(got, want) {
				return fmt.Errorf("it prints %q", got)
			}
			return nil
		})
	}
	s.kubectl(t, "apply", "-f", "examples/tenant.yaml")
	seen("blue=Team Blue")
	s.kubectl(t, "patch", "tenant", "blue", "--type=merge", "-p", `{"spec":{"displayName":"Navy"}}`)
	seen("blue=Navy")
	wait := launch(t, s.kubectlEnv(), "kubectl", "wait", "tenant/blue", "--for=delete", "--timeout=60s")
	s.kubectl(t, "delete", "tenant", "blue")
	if code := wait.wait(t); code != 0 {
		t.Errorf("kubectl wait --for=delete: exit code %d: %s", code, wait.stderr.String())
	}
}

// The admin kubeconfig and what it gives access to belong to the user alone.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	integration(t)
	s := start(t, folder(t))
	for name, want := range map[string]os.FileMode{
		"": 0o700 | os.ModeDir, "admin.kubeconfig": 0o600, "pki": 0o700 | os.ModeDir, "pki/stoa-ca.key": 0o600,
		"pki/apiserver.key": 0o600, "pki/admin.key": 0o600, "etcd": 0o700 | os.ModeDir,
	} {
		info, err := os.Stat(filepath.Join(s.dir, name))
		if err != nil {
			t.Error(err)
		} else if info.Mode() != want {
			t.Errorf("mode of %q is %s, want %s", name, info.Mode(), want)
		}
	}
	out := s.stdout.String()
	if !strings.Contains(out, "export KUBECONFIG="+s.kubeconfig+"\n") || !strings.Contains(out, s.url()) {
		t.Errorf("start does not say what to type next:\n%s", out)
	}
	before := readAll(t, s.dir, "pki/stoa-ca.crt", "pki/apiserver.crt", "pki/admin.crt", "admin.kubeconfig")
	s.stop(t)
	s = s.restart(t)
	if after := readAll(t, s.dir, "pki/stoa-ca.crt", "pki/apiserver.crt", "pki/admin.crt", "admin.kubeconfig"); after != before {
		t.Error("a restart made certificates anew")
	}
	s.kubectl(t, "get", "namespaces")
}

// A leaf that is missing is made anew by the same CA, so that clients go on.
func TestCertificatesAreMadeAgain(t *testing.T) {
	t.Parallel()
	integration(t)
	s := start(t, folder(t))
	s.stop(t)
	kept := filepath.Join(filepath.Dir(s.dir), "kept.kubeconfig")
	if err := os.Rename(s.kubeconfig, kept); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"apiserver", "admin"} {
		if err := errors.Join(os.Remove(filepath.Join(s.dir, "pki", name+".crt")), os.Remove(filepath.Join(s.dir, "pki", name+".key"))); err != nil {
			t.Fatal(err)
		}
	}
	s = s.restart(t)
	s.kubectl(t, "get", "namespaces")
	s.kubectl(t, "--kubeconfig", kept, "get", "namespaces")
}

func readAll(t *testing.T, dir string, names ...string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

func TestMergeKubeconfig(t *testing.T) {
	t.Parallel()
	integration(t)
	dir := folder(t)
	mine := filepath.Join(filepath.Dir(dir), "mine")
	content := "apiVersion: v1\nkind: Config\ncurrent-context: work\ncontexts:\n- name: work\n  context: {cluster: work, user: me}\n" +
		"clusters:\n- name: work\n  cluster: {server: 'https://work.example'}\nusers:\n- name: me\n  user: {token: abc}\n"
	if err := os.WriteFile(mine, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	p := launch(t, []string{"KUBECONFIG=" + mine}, "stoa", "start", "--data-dir="+dir, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port), "--merge-kubeconfig")
	s := &server{process: p, dir: dir, kubeconfig: mine, port: port}
	if !s.ready(t) {
		t.Fatal("stoa ended: " + s.stderr.String())
	}
	if want := "Added context stoa to " + mine + ".\n"; !strings.HasPrefix(s.stdout.String(), want) {
		t.Errorf("stdout begins %q, want %q", s.stdout.String(), want)
	}
	if got := s.kubectl(t, "config", "get-contexts", "-o", "name"); got != "stoa\nwork\n" {
		t.Errorf("contexts: %q", got)
	}
	if got := s.kubectl(t, "config", "current-context"); got != "work\n" {
		t.Errorf("current context: %q", got)
	}
	s.kubectl(t, "--context=stoa", "get", "namespaces")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	integration(t)
	text := run(t, nil, "", "stoa", "version")
	if text.code != 0 || text.stderr != "" || !regexp.MustCompile(`(?m)^Kubernetes: +v1\.37\.2$`).MatchString(text.stdout) || !strings.HasPrefix(text.stdout, "Stoa: ") {
		t.Errorf("stoa version: %+v", text)
	}
	var info map[string]string
	object := run(t, nil, "", "stoa", "version", "-o", "json")
	if err := json.Unmarshal([]byte(object.stdout), &info); err != nil || info["kubernetes"] != "v1.37.2" || info["version"] == "" {
		t.Errorf("stoa version -o json: %+v: %v", object, err)
	}
	if got := run(t, nil, "", "stoa", "version", "-o", "xml"); got.code != 1 || got.stderr != "stoa: --output must be json or yaml, not \"xml\"\n" {
		t.Errorf("stoa version -o xml: %+v", got)
	}
}

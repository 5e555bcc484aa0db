// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kubeapiserver

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"k8s.io/client-go/util/keyutil"
	cliflag "k8s.io/component-base/cli/flag"

	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/server/etcd"
)

// key writes a private key, which is also good for verifying.
func key(t *testing.T) string {
	t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	data, err := keyutil.MarshalPrivateKeyToPEM(signer)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sa.key")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func parse(t *testing.T, arguments ...string) *Options {
	t.Helper()
	o := NewOptions()
	var sections cliflag.NamedFlagSets
	o.AddFlags(&sections)
	if err := o.flags.Parse(arguments); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestValidate(t *testing.T) {
	t.Parallel()
	sa := key(t)
	fine := []string{"--etcd-servers=http://127.0.0.1:1", "--service-account-issuer=https://a", "--service-account-signing-key-file=" + sa}
	for _, tc := range []struct {
		name      string
		arguments []string
		want      []string
	}{
		{"fine", append(fine, "--service-account-key-file="+sa, "--service-cluster-ip-range=10.0.0.0/24,fd00::/108"), nil},
		{"nothing", nil, []string{
			"--etcd-servers must be specified",
			"--service-account-signing-key-file and --service-account-issuer are required flags",
		}},
		{"half of the tokens", fine[:2], []string{
			"--service-account-signing-key-file, --service-account-issuer, and --api-audiences should be specified together",
		}},
		{"modes", append(fine, "--authorization-mode=RBAC,Rbac,RBAC"), []string{
			`authorization-mode "Rbac" is not a valid mode`, `authorization-mode ["RBAC" "Rbac" "RBAC"] has mode specified more than once`,
		}},
		{"no flow schemas", append(fine, "--runtime-config=api/ga=false,api/all=true"), []string{
			"--runtime-config=api/ga=false conflicts with --enable-priority-and-fairness=true",
		}},
		{"no flow schemas, on purpose", append(fine, "--runtime-config=api/all=false", "--enable-priority-and-fairness=false"), nil},
		{"flow schemas alone", append(fine, "--runtime-config=api/all=false,flowcontrol.apiserver.k8s.io/v1=true"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, err := range parse(t, tc.arguments...).Validate() {
				got = append(got, err.Error())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	o := parse(t, "--peer-ca-file", "y", "--permit-port-sharing", "--authorization-mode=Node,RBAC",
		"--disable-admission-plugins=ServiceAccount,JobValidation", "--enable-admission-plugins=NamespaceExists,NamespaceLifecycle")
	want := []string{"--peer-ca-file has no effect yet", "--permit-port-sharing has no effect yet"}
	if diff := cmp.Diff(want, o.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if errs := o.Server.Admission.Validate(); len(errs) > 0 {
		t.Error(errs)
	}
}

// TestPluginsOffByDefault leaves off what kube-apiserver has off, though stoa start has it
// on.
func TestPluginsOffByDefault(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"NodeRestriction", "NamespaceCreator"} {
		if !parse(t).Server.Admission.DefaultOffPlugins.Has(name) {
			t.Errorf("%s is on without being asked for", name)
		}
		if server.NewOptions().Admission.DefaultOffPlugins.Has(name) {
			t.Errorf("%s is off in stoa start", name)
		}
	}
}

// TestFlags checks that kube-apiserver's flags are all there, and no others.
func TestFlags(t *testing.T) {
	t.Parallel()
	o := parse(t)
	o.flags.VisitAll(func(f *pflag.Flag) {
		if _, known := upstream[f.Name]; !known {
			t.Errorf("kube-apiserver has no flag --%s", f.Name)
		}
	})
	for name, kind := range upstream {
		f := o.flags.Lookup(name)
		if f == nil {
			t.Errorf("flag --%s is missing", name)
		} else if (kind == boolean) != (f.Value.Type() == "bool") {
			t.Errorf("flag --%s is %s", name, f.Value.Type())
		}
	}
	for name := range o.ignored {
		if strings.HasPrefix(name, "audit-") {
			t.Errorf("flag --%s is ignored", name)
		}
	}
	if o.flags.Lookup("data-dir") != nil {
		t.Error("there is a data folder")
	}
}

// TestAuthenticationFlags has an effect, and notices what excludes each other.
func TestAuthenticationFlags(t *testing.T) {
	t.Parallel()
	o := parse(t, "--authorization-mode=RBAC", "--oidc-issuer-url=https://a.example", "--oidc-client-id=a", "--oidc-required-claim=a=b,c", "--oidc-required-claim=d=e",
		"--authentication-token-webhook-cache-ttl=1m", "--authentication-token-webhook-version=v1")
	for _, warning := range o.Warnings() {
		if strings.Contains(warning, "oidc") || strings.Contains(warning, "authentication") {
			t.Error(warning)
		}
	}
	if diff := cmp.Diff(map[string]string{"a": "b,c", "d": "e"}, o.Server.Authentication.OIDC.RequiredClaims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if o.Server.Authentication.Webhook.CacheTTL != time.Minute || o.Server.Authentication.Webhook.Version != "v1" {
		t.Errorf("webhook %+v", o.Server.Authentication.Webhook)
	}
	o = parse(t, "--authentication-config=x", "--oidc-username-claim=sub")
	errs := fmt.Sprint(o.Server.Authentication.Validate())
	if want := "authentication-config file and oidc-* flags are mutually exclusive"; !strings.Contains(errs, want) {
		t.Errorf("errors %s, want %s", errs, want)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ argument, out, err string }{
		{argument: "--help", out: "\n      --etcd-servers strings"},
		{argument: "--version", out: "Kubernetes v1."},
		{argument: "--nonsense", err: "unknown flag: --nonsense"},
		{argument: "nonsense", err: `"kube-apiserver" does not take any arguments, got ["nonsense"]`},
	} {
		t.Run(tc.argument, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			command := NewCommand(func() {})
			command.SetArgs([]string{tc.argument})
			command.SetOut(&out)
			command.SetErr(&out)
			command.SilenceErrors = true
			err := command.ExecuteContext(t.Context())
			if err != nil {
				if err.Error() != tc.err {
					t.Errorf("error %q, want %q", err, tc.err)
				}
			} else if tc.err != "" || !strings.Contains(out.String(), tc.out) {
				t.Errorf("no error, output:\n%s", out.String())
			}
		})
	}
}

// TestSelfSigned runs on an external etcd without certificates: the server makes them,
// and finds them when it starts again. It records what it does.
func TestSelfSigned(t *testing.T) {
	t.Parallel()
	store, err := etcd.Start(t.Context(), etcd.Config{Dir: filepath.Join(t.TempDir(), "etcd"), UnsafeNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Stop(context.WithoutCancel(t.Context())) })
	folder, audit := t.TempDir(), t.TempDir()
	policy, log := filepath.Join(audit, "policy.yaml"), filepath.Join(audit, "audit.log")
	if err := os.WriteFile(policy, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	written := map[string]string{}
	for range 2 {
		o := parse(t, "--etcd-servers="+store.Endpoints()[0], "--cert-dir="+folder, "--bind-address=127.0.0.1", "--secure-port=0",
			"--service-account-issuer=https://a", "--audit-policy-file="+policy, "--audit-log-path="+log)
		o.Server.Serving.Listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o.Warnings()
		completed, err := o.Server.Complete(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, err := server.New(t.Context(), completed)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		if err := s.WaitReady(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		got := contents(t, folder)
		if len(written) > 0 && !maps.Equal(got, written) {
			t.Error("a second start wrote files")
		}
		written = got
	}
	if events := contents(t, audit)["audit.log"]; !strings.HasPrefix(events, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata"`) {
		t.Errorf("audit log begins with %.100q", events)
	}
	want := []string{
		".lock", "apiserver.crt", "apiserver.key", "stoa-front-proxy-ca.crt", "stoa-front-proxy.crt", "stoa-front-proxy.key",
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(written))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// contents are the files of a folder by name.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(data)
	}
	return out
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	tenancyv1alpha1 "github.com/stoa-project/stoa/apis/tenancy/v1alpha1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/server/install"
	"github.com/stoa-project/stoa/server/pki"
	"github.com/stoa-project/stoa/stoatest"
)

// aggregatedUser is who servers in aggregated mode are in the cluster of a test.
const aggregatedUser = "stoa-aggregated"

// hostCluster is a cluster that a server in aggregated mode is behind.
type hostCluster struct {
	*stoatest.Server

	dir, port string
	flags     []string
}

// newHost starts a cluster without the groups that only Stoa has. It can be stopped and
// started again.
func newHost(t *testing.T, flags ...string) *hostCluster {
	t.Helper()
	h := &hostCluster{dir: t.TempDir(), port: freePort(t), flags: flags}
	h.start(t)
	return h
}

func (h *hostCluster) start(t *testing.T) {
	t.Helper()
	h.Server = stoatest.Start(t, stoatest.WithDataDir(h.dir), stoatest.WithFlags(append([]string{
		"--secure-port=" + h.port, "--runtime-config=tenancy.stoa.dev/v1=false,tenancy.stoa.dev/v1alpha1=false",
	}, h.flags...)...))
}

// kubeconfig writes one for aggregatedUser and returns its path.
func (h *hostCluster) kubeconfig(t *testing.T) string {
	t.Helper()
	k, _, err := server.ClientKubeconfig(t.Context(), h.dir, pki.Client{User: aggregatedUser})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := pki.WriteKubeconfig(path, k); err != nil {
		t.Fatal(err)
	}
	return path
}

// as is the configuration of a user with a certificate of the cluster.
func (h *hostCluster) as(t *testing.T, user string) *rest.Config {
	t.Helper()
	k, _, err := server.ClientKubeconfig(t.Context(), h.dir, pki.Client{User: user})
	if err != nil {
		t.Fatal(err)
	}
	config := h.Config()
	config.CertData, config.KeyData = k.Client.CertPEM, k.Client.KeyPEM
	return config
}

// options are those of an installation for a server outside the cluster.
func (h *hostCluster) options(t *testing.T, port string) install.Options {
	t.Helper()
	o := install.NewOptions()
	number, err := strconv.ParseInt(port, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	o.ExternalName, o.Port, o.User = "localhost", int32(number), aggregatedUser
	if o.APIServices, err = server.AggregatedAPIs(); err != nil {
		t.Fatal(err)
	}
	return o
}

// install installs and returns what it says.
func (h *hostCluster) install(t *testing.T, o install.Options) {
	t.Helper()
	cluster, _ := h.cluster(t)
	if err := cluster.Apply(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

func (h *hostCluster) cluster(t *testing.T) (*install.Cluster, *bytes.Buffer) {
	t.Helper()
	out := &bytes.Buffer{}
	cluster, err := install.NewCluster(h.Config(), out)
	if err != nil {
		t.Fatal(err)
	}
	return cluster, out
}

// wait waits until the cluster sends requests to the server.
func (h *hostCluster) wait(t *testing.T, o install.Options) {
	t.Helper()
	cluster, out := h.cluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := cluster.Wait(ctx, o); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// grant gives a user a cluster role of his own with these verbs for tenants and grants.
func (h *hostCluster) grant(t *testing.T, user string, verbs ...string) {
	t.Helper()
	client := kubernetes.NewForConfigOrDie(h.Config()).RbacV1()
	name := "tenants-of-" + user
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"tenancy.stoa.dev"}, Resources: []string{"tenants", "tenants/status", "grants", "grants/status"}, Verbs: verbs,
	}}}
	if slices.Contains(verbs, "*") { // who writes tenants makes owners, to whom they bind admin
		role.Rules = append(role.Rules, rbacv1.PolicyRule{
			APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles"}, ResourceNames: []string{"admin"}, Verbs: []string{"bind"},
		})
	}
	if _, err := client.ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
	}
	if _, err := client.ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// startBehind starts a server in aggregated mode. It can be started again with the same
// folder and port.
func startBehind(t *testing.T, dir, port, kubeconfig string, options ...stoatest.Option) *stoatest.Server {
	t.Helper()
	return stoatest.Start(t, append([]stoatest.Option{
		stoatest.WithDataDir(dir), stoatest.WithFlags("--secure-port="+port, "--aggregated", "--kubeconfig="+kubeconfig),
	}, options...)...)
}

func tenant(name string) *tenancyv1.Tenant {
	return &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: tenancyv1.TenantSpec{
		Owners: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "jane"}},
	}}
}

// TestAggregated installs a server behind a cluster, in which users then read and write
// its objects in both versions as the cluster's roles let them, through restarts of
// both; and takes it away again.
func TestAggregated(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	before := h.everything(t)
	dir, port := filepath.Join(t.TempDir(), "behind"), freePort(t)
	o := h.options(t, port)
	h.install(t, o)
	kubeconfig := h.kubeconfig(t)
	behind := startBehind(t, dir, port, kubeconfig)
	h.wait(t, o)

	h.grant(t, "writer", "*")
	h.grant(t, "reader", "get", "list", "watch")
	writer, reader := versioned.NewForConfigOrDie(h.as(t, "writer")), versioned.NewForConfigOrDie(h.as(t, "reader"))
	eventually(t, func() string { // roles and routes take a moment
		_, err := writer.TenancyV1().Tenants().Create(t.Context(), tenant("one"), metav1.CreateOptions{})
		return text(err)
	})
	eventually(t, func() string {
		_, err := reader.TenancyV1alpha1().Tenants().Get(t.Context(), "one", metav1.GetOptions{})
		return text(err)
	})
	alpha := &tenancyv1alpha1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "two"}, Spec: tenancyv1alpha1.TenantSpec{Owners: []string{"user:jane"}}}
	if _, err := writer.TenancyV1alpha1().Tenants().Create(t.Context(), alpha, metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
	two, err := reader.TenancyV1().Tenants().Get(t.Context(), "two", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.TenancyV1().Tenants().Create(t.Context(), tenant("three"), metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a reader writes: %v", err)
	}
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error { // the controller writes it too
		now, err := writer.TenancyV1().Tenants().Get(t.Context(), "two", metav1.GetOptions{})
		if err != nil {
			return err
		}
		now.Status.Namespaces.Count = 3
		two, err = writer.TenancyV1().Tenants().UpdateStatus(t.Context(), now, metav1.UpdateOptions{})
		return err
	})
	if err != nil || two.Status.Namespaces.Count != 3 {
		t.Errorf("status: %v, %v", two, err)
	}
	if _, err := versioned.NewForConfigOrDie(h.as(t, "nobody")).TenancyV1().Tenants().List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("nobody reads: %v", err)
	}

	// The server has a name and a certificate of its own, and believes tokens and
	// certificates of the cluster without the cluster in between.
	direct := directly(t, behind, dir, h.as(t, "reader"))
	if _, err := versioned.NewForConfigOrDie(direct).TenancyV1().Tenants().Get(t.Context(), "two", metav1.GetOptions{}); err != nil {
		t.Errorf("directly: %v", err)
	}

	behind.Stop()
	startBehind(t, dir, port, kubeconfig)
	eventually(t, func() string {
		_, err := reader.TenancyV1().Tenants().Get(t.Context(), "two", metav1.GetOptions{})
		return text(err)
	})
	h.Stop()
	h.start(t)
	h.wait(t, o)
	eventually(t, func() string {
		_, err := writer.TenancyV1().Tenants().Create(t.Context(), tenant("four"), metav1.CreateOptions{})
		return text(err)
	})

	cluster, out := h.cluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, user := range []string{"writer", "reader"} {
		if err := kubernetes.NewForConfigOrDie(h.Config()).RbacV1().ClusterRoles().Delete(ctx, "tenants-of-"+user, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		if err := kubernetes.NewForConfigOrDie(h.Config()).RbacV1().ClusterRoleBindings().Delete(ctx, "tenants-of-"+user, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	}
	if err := cluster.Delete(ctx, o); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	eventually(t, func() string {
		left := slices.DeleteFunc(h.everything(t), func(key string) bool { return slices.Contains(before, key) })
		return strings.Join(left, ", ")
	})
}

// everything lists the keys of what the cluster stores and that has to do with Stoa.
func (h *hostCluster) everything(t *testing.T) []string {
	t.Helper()
	all, err := h.Etcd().Get(t.Context(), "/registry/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, kv := range all.Kvs {
		if key := string(kv.Key); strings.Contains(key, "stoa") && !strings.HasPrefix(key, "/registry/events/") {
			out = append(out, key)
		}
	}
	return out
}

// directly is how a user of the cluster reaches the server without the cluster in
// between. Its certificate is for the name of its service.
func directly(t *testing.T, behind *stoatest.Server, dir string, user *rest.Config) *rest.Config {
	t.Helper()
	config := rest.CopyConfig(user)
	config.Host, config.ServerName = behind.URL(), "stoa.stoa-system.svc"
	authorities, err := pki.Store{Dir: filepath.Join(dir, "pki")}.ReadAuthorities("aggregated-ca")
	if err != nil {
		t.Fatal(err)
	}
	config.CAData = authorities.Bundle()
	return config
}

// TestAggregatedFlags has flags that contradict each other.
func TestAggregatedFlags(t *testing.T) {
	t.Parallel()
	for flags, want := range map[string]string{
		"--host-grace-period=1m":                                     "--host-grace-period needs --aggregated",
		"--aggregated --authorization-mode=RBAC":                     "--authorization-mode must not be set with --aggregated: the host decides that",
		"--aggregated --token-auth-file=/dev/null":                   "--token-auth-file must not be set with --aggregated: the host decides that",
		"--aggregated --anonymous-auth=false":                        "",
		"--aggregated --host-grace-period=-1s":                       "--host-grace-period must not be negative",
		"--aggregated --aggregated-service=stoa":                     `--aggregated-service: "stoa" must be namespace/name`,
		"--aggregated --aggregated-ca-secret=a/b/c":                  `--aggregated-ca-secret: "a/b/c" must be namespace/name`,
		"--aggregated --api-groups=core":                             "--aggregated: --api-groups leaves no group that only Stoa has",
		"--aggregated --kubeconfig=x --custom-resources --profiling": "",
	} {
		o := server.NewOptions()
		if err := o.Flags().Parse(strings.Fields(flags)); err != nil {
			t.Fatal(err)
		}
		completed, err := o.Complete(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := text(completed.Validate()); got != want {
			t.Errorf("%s: %q, want %q", flags, got, want)
		}
	}
	o := server.NewOptions()
	o.DataDir = t.TempDir()
	if err := o.Flags().Parse([]string{"--aggregated", "--kubeconfig=/missing", "--secure-port=0"}); err != nil {
		t.Fatal(err)
	}
	completed, err := o.Complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.New(t.Context(), completed); text(err) != "--kubeconfig: stat /missing: no such file or directory" {
		t.Errorf("a kubeconfig that is not there: %v", err)
	}
}

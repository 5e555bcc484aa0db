// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
)

// behind is a server in aggregated mode, and the one that it is behind.
type behind struct {
	*server

	host *server
}

// newBehind starts a host, and a server behind it, and returns when requests get through.
func newBehind(t *testing.T) *behind {
	t.Helper()
	b := installBehind(t)
	b.start(t)
	return b
}

// installBehind starts a host, and has it know of a server that does not run.
func installBehind(t *testing.T) *behind {
	t.Helper()
	host := start(t, folder(t), "--runtime-config=tenancy.stoa.dev/v1=false,tenancy.stoa.dev/v1alpha1=false")
	dir := folder(t)
	kubeconfig := filepath.Join(filepath.Dir(dir), "host.kubeconfig")
	if got := run(t, nil, "", "stoa", "kubeconfig", "--data-dir="+host.dir, "--user=stoa", "--out="+kubeconfig); got.code != 0 {
		t.Fatal(got)
	}
	b := &behind{host: host, server: &server{dir: dir, port: freePort(t), args: []string{"--aggregated", "--kubeconfig=" + kubeconfig}}}
	b.install(t)
	return b
}

func (b *behind) stoa(t *testing.T, args ...string) result {
	t.Helper()
	return run(t, b.host.kubectlEnv(), "", "stoa", args...)
}

// install makes what the server needs in the host, or mends it.
func (b *behind) install(t *testing.T) {
	t.Helper()
	if got := b.stoa(t, "install", "--external-name=localhost", "--port="+strconv.Itoa(b.port), "--user=stoa", "--timeout=0"); got.code != 0 {
		t.Fatal(got)
	}
}

// start starts the server, and returns when the host sends requests to it.
func (b *behind) start(t *testing.T) {
	t.Helper()
	b.server = b.restart(t)
	b.reachable(t)
}

// reachable waits until the host sends requests to the server.
func (b *behind) reachable(t *testing.T) {
	t.Helper()
	eventually(t, "requests get through", func() error {
		if got := b.host.tryKubectl(t, "", "get", "tenants"); got.code != 0 {
			return errors.New(got.stderr)
		}
		return nil
	})
}

// directly is how a user of the host reaches the server without the host in between.
func (b *behind) directly(t *testing.T, user string) *rest.Config {
	t.Helper()
	made := b.stoa(t, "kubeconfig", "--data-dir="+b.host.dir, "--user="+user)
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(made.stdout))
	if err != nil {
		t.Fatal(err)
	}
	bundle := b.host.kubectl(t, "get", "apiservice", "v1.tenancy.stoa.dev", "-o", "jsonpath={.spec.caBundle}")
	if config.CAData, err = base64.StdEncoding.DecodeString(bundle); err != nil {
		t.Fatal(err)
	}
	config.Host, config.ServerName, config.QPS = b.url(), "stoa.stoa-system.svc", -1
	return config
}

// poller reads all the time.
type poller struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu     sync.Mutex
	reads  int
	failed []error
}

// poll has each of the reads done now, where it must succeed in the end, and from then on
// several times a second.
func poll(t *testing.T, reads ...func(context.Context) error) *poller {
	t.Helper()
	p := &poller{}
	ctx, cancel := context.WithCancel(t.Context())
	p.stop = cancel
	for _, read := range reads {
		eventually(t, "a first read", func() error { return read(ctx) })
		p.done.Go(func() {
			tick := time.NewTicker(200 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil {
				err := read(ctx)
				p.mu.Lock()
				p.reads++
				if err != nil && ctx.Err() == nil {
					p.failed = append(p.failed, fmt.Errorf("%s: %w", time.Now().Format(time.TimeOnly), err))
				}
				p.mu.Unlock()
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	return p
}

// end returns how many reads there were. None may have failed.
func (p *poller) end(t *testing.T) int {
	t.Helper()
	p.stop()
	p.done.Wait()
	if len(p.failed) > 0 {
		t.Errorf("%d of %d reads failed: %v", len(p.failed), p.reads, errors.Join(p.failed...))
	}
	return p.reads
}

func bindingOf(name, role, user string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
}

// The host is away for half a minute: killed, or there without an answer. Who reads goes on
// reading, nobody writes, and all comes right when it is back: also what should have
// happened meanwhile.
func TestHostAway(t *testing.T) {
	t.Parallel()
	integration(t)
	for name, tc := range map[string]struct{ goes, comes func(*testing.T, *behind) }{
		"killed": {
			func(t *testing.T, b *behind) { t.Helper(); b.host.kill(t) },
			func(t *testing.T, b *behind) { t.Helper(); b.host = b.host.restart(t) },
		},
		"silent": {
			func(t *testing.T, b *behind) { t.Helper(); b.host.signal(t, syscall.SIGSTOP) },
			func(t *testing.T, b *behind) { t.Helper(); b.host.signal(t, syscall.SIGCONT) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hostAway(t, tc.goes, tc.comes)
		})
	}
}

func hostAway(t *testing.T, goes, comes func(*testing.T, *behind)) {
	t.Helper()
	const outage = 30 * time.Second
	b := newBehind(t)
	for _, line := range []string{
		"create clusterrole reader --verb=get,list,watch --resource=tenants.tenancy.stoa.dev,grants.tenancy.stoa.dev",
		"create clusterrolebinding reader --clusterrole=reader --user=ann",
		"create clusterrolebinding ann-writes --clusterrole=cluster-admin --user=root",
		"create namespace shop",
		"create namespace later",
		"create rolebinding ann --namespace=shop --clusterrole=view --user=ann",
	} {
		b.host.kubectl(t, words(line)...)
	}
	ann, admin := versioned.NewForConfigOrDie(b.directly(t, "ann")).TenancyV1(), versioned.NewForConfigOrDie(b.directly(t, "root")).TenancyV1()
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "blue"}, Spec: tenancyv1.TenantSpec{
		Owners: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "olga"}},
	}}
	eventually(t, "a tenant is made", func() error {
		_, err := admin.Tenants().Create(t.Context(), tenant, metav1.CreateOptions{})
		return err
	})
	grant := &tenancyv1.Grant{ObjectMeta: metav1.ObjectMeta{Name: "short"}, Spec: tenancyv1.GrantSpec{
		Subject: tenant.Spec.Owners[0], RoleRef: &rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Duration: &metav1.Duration{Duration: 10 * time.Second},
	}}
	watch, err := ann.Projects().Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	if event := next(t, watch); event.Type != "ADDED" || event.Object.(*tenancyv1.Project).Name != "shop" {
		t.Fatalf("the watch begins with %v", event)
	}
	shows := func(ctx context.Context, want string) error {
		list, err := ann.Projects().List(ctx, metav1.ListOptions{})
		if err == nil && !slices.ContainsFunc(list.Items, func(p tenancyv1.Project) bool { return p.Name == want }) {
			err = fmt.Errorf("projects %v lack %s", list.Items, want)
		}
		return err
	}
	reads := poll(t, func(ctx context.Context) error { return shows(ctx, "shop") }, func(ctx context.Context) error {
		_, err := ann.Tenants().Get(ctx, "blue", metav1.GetOptions{})
		return err
	}, func(ctx context.Context) error {
		_, err := ann.Grants("shop").List(ctx, metav1.ListOptions{})
		return err
	}, func(context.Context) error {
		if code, err := b.status(t, "/livez"); err != nil || code != http.StatusOK {
			return fmt.Errorf("/livez: %d, %w", code, err)
		}
		return nil
	})
	if _, err := admin.Grants("shop").Create(t.Context(), grant, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a binding is made", func() error {
		_, err := b.host.client(t).RbacV1().RoleBindings("shop").Get(t.Context(), "grant:short", metav1.GetOptions{})
		return err
	})

	goes(t, b)
	over := time.After(outage)
	eventually(t, "writes fail", func() error { // an answer is remembered
		_, err := admin.Tenants().Create(t.Context(), &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "green"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), "host cluster") {
			return fmt.Errorf("a write is answered %w", err)
		}
		return nil
	})
	if code, err := b.status(t, "/readyz"); err != nil || code != http.StatusInternalServerError {
		t.Errorf("/readyz: %d, %v", code, err)
	}
	select {
	case event, open := <-watch.ResultChan():
		t.Errorf("the watch has %v, %t", event, open)
	case <-over:
	}
	comes(t, b)

	b.reachable(t)
	eventually(t, "the server is ready", func() error {
		if code, err := b.status(t, "/readyz"); err != nil || code != http.StatusOK {
			return fmt.Errorf("/readyz: %d, %w", code, err)
		}
		return nil
	})
	client := b.host.client(t)
	if _, err := client.RbacV1().RoleBindings("later").Create(t.Context(), bindingOf("ann", "view", "ann"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new project is there", func() error { return shows(t.Context(), "later") })
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "of-blue", Labels: map[string]string{"tenancy.stoa.dev/tenant": "blue"}}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), made, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the controllers go on", func() error {
		if _, err := client.RbacV1().RoleBindings("of-blue").Get(t.Context(), "tenant-owners", metav1.GetOptions{}); err != nil {
			return err
		}
		if _, err := client.RbacV1().RoleBindings("shop").Get(t.Context(), "grant:short", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the grant has not ended: %w", err)
		}
		return nil
	})
	if count := reads.end(t); count < 100 {
		t.Errorf("there were %d reads", count)
	}
	b.stop(t)
}

// A server that starts while the host is down, or gives no answer, waits, alive and not
// ready. It ends at once when it is told to, and is ready when the host comes.
func TestHostLater(t *testing.T) {
	t.Parallel()
	integration(t)
	b := installBehind(t)
	plain := b.args
	waits := func(args ...string) {
		t.Helper()
		b.server = startOn(t, b.dir, b.port, append(slices.Clone(plain), args...)...)
		eventually(t, "the server lives", func() error {
			if code, err := b.status(t, "/livez"); err != nil || code != http.StatusOK {
				return fmt.Errorf("/livez: %d, %w", code, err)
			}
			return nil
		})
		if code, err := b.status(t, "/readyz"); err != nil || code != http.StatusInternalServerError {
			t.Errorf("/readyz: %d, %v", code, err)
		}
		if said := b.stdout.String(); strings.Contains(said, "is ready") {
			t.Errorf("it says %s", said)
		}
	}
	b.host.signal(t, syscall.SIGSTOP)
	waits("--aggregated-ca-secret=stoa-system/stoa-ca") // as a pod has it
	b.stop(t)
	waits()
	b.stop(t)
	b.host.signal(t, syscall.SIGCONT)
	b.host.stop(t)
	waits()
	b.stop(t)
	waits()
	b.host = b.host.restart(t)
	if !b.ready(t) {
		t.Fatal("the server has ended")
	}
	b.reachable(t)
	b.stop(t)
}

// A server that is killed between the namespace of a project and the binding of its owner
// makes that when it comes again; and the doctor names a right that it lacks.
func TestBehindKilled(t *testing.T) {
	t.Parallel()
	integration(t)
	b := newBehind(t)
	arrived, killed := make(chan struct{}, 8), make(chan struct{})
	holds := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-killed // and then it has no answer
	}))
	defer holds.Close()
	hooks := b.host.client(t).AdmissionregistrationV1().ValidatingWebhookConfigurations()
	hook := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "holds"}, Webhooks: []admissionregistrationv1.ValidatingWebhook{{
		Name: "holds.example.com", AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionregistrationv1.SideEffectClassNone), TimeoutSeconds: new(int32(30)),
		ClientConfig: admissionregistrationv1.WebhookClientConfig{
			URL: new(holds.URL), CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: holds.Certificate().Raw}),
		},
		Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{"rbac.authorization.k8s.io"}, APIVersions: []string{"v1"}, Resources: []string{"rolebindings"}},
		}},
	}}}
	b.host.kubectl(t, words("create clusterrole creator --verb=create --resource=projects.tenancy.stoa.dev")...)
	b.host.kubectl(t, words("create clusterrolebinding ann --clusterrole=creator --user=ann")...)
	ann := versioned.NewForConfigOrDie(b.directly(t, "ann")).TenancyV1().Projects()
	eventually(t, "ann may create projects", func() error {
		_, err := ann.Create(t.Context(), &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{Name: "first"}}, metav1.CreateOptions{})
		return err
	})
	if _, err := hooks.Create(t.Context(), hook, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var creates sync.WaitGroup
	creates.Go(func() {
		for i := 0; t.Context().Err() == nil && b.running(); i++ { // the hook holds from a moment on
			_, _ = ann.Create(t.Context(), &tenancyv1.Project{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("shop-", i)}}, metav1.CreateOptions{})
		}
	})
	select {
	case <-arrived:
	case <-time.After(patience):
		t.Fatal("the hook is not asked")
	}
	b.kill(t)
	creates.Wait()
	if err := hooks.Delete(t.Context(), "holds", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	close(killed)
	bound := func(t *testing.T) (namespaces, owned []string) {
		t.Helper()
		return words(b.host.kubectl(t, "get", "namespaces", "-o", `jsonpath={.items[?(@.metadata.annotations.tenancy\.stoa\.dev/project-id)].metadata.name}`)),
			words(b.host.kubectl(t, "get", "rolebindings", "-A", "-o", `jsonpath={.items[?(@.metadata.name=="project-owner")].metadata.namespace}`))
	}
	if namespaces, owned := bound(t); len(namespaces) != len(owned)+1 {
		t.Fatalf("after a crash there are %v, owned %v", namespaces, owned)
	}
	b.start(t)
	eventually(t, "the project has its owner", func() error {
		if namespaces, owned := bound(t); !slices.Equal(namespaces, owned) {
			return fmt.Errorf("there are %v, owned %v", namespaces, owned)
		}
		return nil
	})
	eventually(t, "nothing is written down any more", func() error {
		if left := b.host.kubectl(t, "get", "lease", "stoa-projects-being-made", "-n", "stoa-system", "-o", `jsonpath={.metadata.annotations.tenancy\.stoa\.dev/projects-being-made}`); left != "{}" {
			return errors.New(left)
		}
		return nil
	})

	b.host.kubectl(t, "delete", "clusterrolebinding", "stoa:aggregated")
	eventually(t, "the doctor names the rights", func() error {
		if got := b.stoa(t, "doctor"); got.code != 1 || !strings.Contains(got.stdout, "stoa may not: get namespaces, list namespaces, ") {
			return fmt.Errorf("%d %s", got.code, got.stdout)
		}
		return nil
	})
	b.install(t)
	eventually(t, "the doctor finds nothing", func() error {
		if got := b.stoa(t, "doctor"); got.code != 0 {
			return errors.New(got.stdout)
		}
		return nil
	})
	b.stop(t)
}

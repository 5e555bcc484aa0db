// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	aggregatorclient "k8s.io/kube-aggregator/pkg/client/clientset_generated/clientset"

	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// backendVariable has a test binary be the server behind the one that is tested:
// its flags, one a line.
const backendVariable = "STOA_TEST_BACKEND"

// behind are the groups of the server behind; the other one has all others.
var behind = []string{"tenancy.stoa.dev", "authentication.k8s.io"}

// runBackend is a program with groups of its own.
func runBackend(flags []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o := server.NewOptions()
	o.Groups = slices.DeleteFunc(o.Groups, func(g kind.Group) bool { return !slices.Contains(behind, g.Name) })
	o.CustomResources, o.Aggregation.Enabled = false, false
	if err := o.Flags().Parse(flags); err != nil {
		return err
	}
	completed, err := o.Complete(ctx)
	if err != nil {
		return err
	}
	s, err := server.New(ctx, completed)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// backend is the server behind, in a process of its own.
type backend struct {
	dir, port string
	flags     []string
	process   *exec.Cmd
}

func newBackend(t *testing.T, frontProxyCA string) *backend {
	t.Helper()
	b := &backend{dir: filepath.Join(t.TempDir(), "backend"), port: freePort(t)}
	b.flags = []string{
		"--data-dir=" + b.dir, "--secure-port=" + b.port, "--external-hostname=behind.default.svc",
		"--requestheader-client-ca-file=" + frontProxyCA, "--requestheader-allowed-names=front-proxy-client",
	}
	b.start(t)
	t.Cleanup(func() { b.kill(t) })
	return b
}

func (b *backend) start(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b.process = exec.CommandContext(context.WithoutCancel(t.Context()), self)
	b.process.Env = append(os.Environ(), backendVariable+"="+strings.Join(b.flags, "\n"))
	if err := b.process.Start(); err != nil {
		t.Fatal(err)
	}
}

func (b *backend) kill(t *testing.T) {
	t.Helper()
	if err := b.process.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = b.process.Wait() // says that it was killed
}

func (b *backend) number(t *testing.T) int32 {
	t.Helper()
	port, err := strconv.ParseInt(b.port, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return int32(port)
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

// address is one of this machine that other machines may use: slices take no other.
func address(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	return ""
}

// TestAggregation puts a server behind another one, which finds it by the name or
// by the endpoints of its service.
func TestAggregation(t *testing.T) {
	t.Parallel()
	for name, service := range map[string]func(*testing.T, kubernetes.Interface, int32){"external name": byName, "endpoints": byEndpoints} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			front := stoatest.Start(t, stoatest.WithDataDir(dir), stoatest.WithOptions(func(o *server.Options) {
				o.Groups = slices.DeleteFunc(o.Groups, func(g kind.Group) bool { return slices.Contains(behind, g.Name) })
			}))
			b := newBackend(t, filepath.Join(dir, "pki", "front-proxy-ca.crt"))
			service(t, kubernetes.NewForConfigOrDie(front.Config()), b.number(t))
			eventually(t, func() string {
				if _, err := os.Stat(filepath.Join(b.dir, "pki", "stoa-ca.crt")); err != nil {
					return err.Error()
				}
				return ""
			})
			b.register(t, front)
			testAggregation(t, front, b)
		})
	}
}

func byName(t *testing.T, client kubernetes.Interface, _ int32) {
	t.Helper()
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "behind"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"}}
	if _, err := client.CoreV1().Services("default").Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func byEndpoints(t *testing.T, client kubernetes.Interface, port int32) {
	t.Helper()
	ip := address(t)
	if ip == "" {
		t.Skip("this machine has no address but its own")
	}
	meta := metav1.ObjectMeta{Name: "behind", Labels: map[string]string{discoveryv1.LabelServiceName: "behind"}}
	service := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: "https", Port: port}}}}
	if _, err := client.CoreV1().Services("default").Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	https := "https"
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{ip}}}, Ports: []discoveryv1.EndpointPort{{Name: &https, Port: &port}},
	}
	if _, err := client.DiscoveryV1().EndpointSlices("default").Create(t.Context(), slice, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// register says which versions the server behind has.
func (b *backend) register(t *testing.T, front *stoatest.Server) {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(b.dir, "pki", "stoa-ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	port := b.number(t)
	for _, group := range behind {
		service := &apiregistration.APIService{
			ObjectMeta: metav1.ObjectMeta{Name: "v1." + group},
			Spec: apiregistration.APIServiceSpec{
				Group: group, Version: "v1", GroupPriorityMinimum: 2000, VersionPriority: 15, CABundle: ca,
				Service: &apiregistration.ServiceReference{Namespace: "default", Name: "behind", Port: &port},
			},
		}
		if _, err := aggregatorclient.NewForConfigOrDie(front.Config()).ApiregistrationV1().APIServices().Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// wantAvailable waits for the condition of the server behind.
func wantAvailable(t *testing.T, front *stoatest.Server, want apiregistration.ConditionStatus) {
	t.Helper()
	client := aggregatorclient.NewForConfigOrDie(front.Config()).ApiregistrationV1().APIServices()
	eventually(t, func() string {
		last := ""
		for _, group := range behind {
			service, err := client.Get(t.Context(), "v1."+group, metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			for _, c := range service.Status.Conditions {
				if c.Type == apiregistration.Available && c.Status != want {
					last = fmt.Sprintf("%s is available: %s, %s", group, c.Status, c.Message)
				}
			}
			if len(service.Status.Conditions) == 0 {
				last = group + " has no condition"
			}
		}
		return last
	})
}

func testAggregation(t *testing.T, front *stoatest.Server, b *backend) {
	t.Helper()
	wantAvailable(t, front, apiregistration.ConditionTrue)
	client := versioned.NewForConfigOrDie(front.Config()).TenancyV1().Tenants()
	tenant := &tenancyv1.Tenant{ObjectMeta: metav1.ObjectMeta{Name: "far"}, Spec: tenancyv1.TenantSpec{Owners: []rbacv1.Subject{{Kind: "User", Name: "jane", APIGroup: rbacv1.GroupName}}}}
	eventually(t, func() string { // the front learns from the condition that it may send requests
		_, err := client.Create(t.Context(), tenant, metav1.CreateOptions{})
		return text(err)
	})
	w, err := client.Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if event := <-w.ResultChan(); event.Type != "ADDED" {
		t.Errorf("watch through the front: %v", event)
	}
	w.Stop()
	testIdentity(t, front)
	testMerged(t, front)
	b.kill(t)
	testUnavailable(t, front)
	b.start(t)
	wantAvailable(t, front, apiregistration.ConditionTrue)
	eventually(t, func() string {
		_, err := client.Get(t.Context(), "far", metav1.GetOptions{})
		return text(err)
	})
}

// testIdentity asks the server behind who it thinks is asking.
func testIdentity(t *testing.T, front *stoatest.Server) {
	t.Helper()
	jane := front.Config()
	jane.Impersonate = rest.ImpersonationConfig{UserName: "jane", UID: "j-1", Groups: []string{"system:masters"}, Extra: map[string][]string{"team": {"blue"}}}
	for want, in := range map[string]*rest.Config{"stoa-admin": front.Config(), "jane": jane} {
		got := do(t, request{
			method: http.MethodPost, path: "/apis/authentication.k8s.io/v1/selfsubjectreviews", config: in,
			body:   []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}`),
			header: map[string]string{"X-Remote-User": "mallory", "X-Remote-Group": "mallories"}, // nobody believes this
		})
		var review authenticationv1.SelfSubjectReview
		if err := json.Unmarshal(got.body, &review); err != nil {
			t.Fatalf("%s: %s", err, got.body)
		}
		user := review.Status.UserInfo
		if user.Username != want || !slices.Contains(user.Groups, "system:masters") || slices.Contains(user.Groups, "mallories") {
			t.Errorf("the server behind sees %+v, want %s", user, want)
		}
		if want == "jane" && (user.UID != "j-1" || len(user.Extra["team"]) != 1) {
			t.Errorf("the server behind sees %+v", user)
		}
	}
}

// testMerged looks for the groups of the server behind where clients look.
func testMerged(t *testing.T, front *stoatest.Server) {
	t.Helper()
	eventually(t, func() string {
		for path, want := range map[string]string{
			"/apis": `"name":"tenancy.stoa.dev"`, "/apis/tenancy.stoa.dev/v1": `"name":"tenants"`,
			"/openapi/v3": "apis/tenancy.stoa.dev/v1", "/openapi/v3/apis/tenancy.stoa.dev/v1": "TenantSpec", "/openapi/v2": "TenantSpec",
		} {
			if got := do(t, request{path: path, config: front.Config()}); got.code != http.StatusOK || !strings.Contains(string(got.body), want) {
				return fmt.Sprintf("%s: %d without %s", path, got.code, want)
			}
		}
		aggregated := do(t, request{path: "/apis", config: front.Config(), header: map[string]string{"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}})
		if !strings.Contains(string(aggregated.body), `"resource":"tenants"`) {
			return "aggregated discovery has no tenants"
		}
		return ""
	})
}

// testUnavailable asks while the server behind is dead.
func testUnavailable(t *testing.T, front *stoatest.Server) {
	t.Helper()
	path := "/apis/tenancy.stoa.dev/v1/tenants"
	if got := do(t, request{path: path, config: front.Config()}); got.code != http.StatusServiceUnavailable {
		t.Errorf("%s: %d, want 503", path, got.code)
	}
	for _, path := range []string{"/apis", "/openapi/v3", "/openapi/v2", "/readyz"} {
		began := time.Now()
		if got := do(t, request{path: path, config: front.Config()}); got.code != http.StatusOK {
			t.Errorf("%s: %d while a server behind is dead", path, got.code)
		}
		if took := time.Since(began); took > patience/6 {
			t.Errorf("%s took %s while a server behind is dead", path, took)
		}
	}
	// Each is looked at again when it changes, and every half a minute anyway.
	client := aggregatorclient.NewForConfigOrDie(front.Config()).ApiregistrationV1().APIServices()
	for _, group := range behind {
		change := []byte(`{"metadata":{"annotations":{"example.com/look":"again"}}}`)
		if _, err := client.Patch(t.Context(), "v1."+group, types.MergePatchType, change, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	wantAvailable(t, front, apiregistration.ConditionFalse)
	if got := do(t, request{path: path, config: front.Config()}); got.code != http.StatusServiceUnavailable {
		t.Errorf("%s: %d, want 503", path, got.code)
	}
}

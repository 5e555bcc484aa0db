// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	apirest "k8s.io/apiserver/pkg/registry/rest"

	"github.com/stoa-project/stoa/apis/core"
	registry "github.com/stoa-project/stoa/registry/core"
	"github.com/stoa-project/stoa/registry/core/kubelet"
)

// network is one in which a single machine has every address.
func network(t *testing.T) *http.Transport {
	t.Helper()
	machine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s http://%s%s", r.Method, r.Header.Get("Dialed"), r.URL)
	}))
	t.Cleanup(machine.Close)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", machine.Listener.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// dialed tells the machine by which address it was reached.
type dialed struct{ http.RoundTripper }

func (d dialed) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Dialed", r.URL.Host)
	return d.RoundTripper.RoundTrip(r)
}

func proxyPaths(t *testing.T) map[string]apirest.Storage {
	t.Helper()
	pod := func(name, ip string, ports ...corev1.ContainerPort) *core.Pod {
		return &core.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"},
			Spec:       corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{{Name: "a"}, {Name: "b", Ports: ports}}},
			Status:     corev1.PodStatus{PodIPs: []corev1.PodIP{{IP: ip}}},
		}
	}
	pods := &fixed{singular: "pod", objects: map[string]runtime.Object{
		"p": pod("p", "10.1.2.3", corev1.ContainerPort{ContainerPort: 8080}), "six": pod("six", "fd00::1"), "loop": pod("loop", "127.0.0.1"),
	}}
	services := &fixed{singular: "service", objects: map[string]runtime.Object{"s": &core.Service{Spec: corev1.ServiceSpec{
		Ports: []corev1.ServicePort{{Name: "web", Port: 80}, {Name: "other", Port: 81}},
	}}}}
	nodes := &fixed{singular: "node", objects: map[string]runtime.Object{"n": &core.Node{Status: corev1.NodeStatus{
		Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}},
	}}}}
	paths := map[string]apirest.Storage{"pods": pods, "services": services, "nodes": nodes}
	web, other, port := "web", "other", int32(9376)
	endpoint := func(ip, pod string) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{Addresses: []string{ip}, TargetRef: &corev1.ObjectReference{Namespace: "default", Name: pod}}
	}
	(&registry.Streams{
		Kubelets:   kubelet.New(kubelet.Config{AddressTypes: []corev1.NodeAddressType{corev1.NodeInternalIP}}),
		Network:    dialed{network(t)},
		Authorizer: authorizer.AuthorizerFunc(onlyGet),
		EndpointSlices: func(_ context.Context, namespace, service string) ([]*discoveryv1.EndpointSlice, error) {
			if namespace != "default" || service != "s" {
				return nil, nil
			}
			return []*discoveryv1.EndpointSlice{
				{Ports: []discoveryv1.EndpointPort{{Name: &web, Port: &port}}, Endpoints: []discoveryv1.Endpoint{
					{Addresses: []string{"192.0.2.1"}}, endpoint("10.9.9.9", "p"), endpoint("10.1.2.3", "none"), endpoint("10.1.2.3", "p"),
				}},
				{Ports: []discoveryv1.EndpointPort{{Name: &other, Port: &port}}, Endpoints: []discoveryv1.Endpoint{endpoint("10.9.9.9", "p")}},
			}, nil
		},
	}).AddTo(paths)
	return paths
}

// onlyGet allows to get.
func onlyGet(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if a.GetVerb() == "get" {
		return authorizer.DecisionAllow, "", nil
	}
	return authorizer.DecisionDeny, "only get", nil
}

// responder writes errors as text.
type responder struct{ w http.ResponseWriter }

func (r responder) Object(int, runtime.Object) {}
func (r responder) Error(err error)            { http.Error(r.w, err.Error(), http.StatusBadGateway) }

func TestProxies(t *testing.T) {
	t.Parallel()
	paths := proxyPaths(t)
	for _, tc := range []struct{ path, id, option, want, err string }{
		{path: "pods/proxy", id: "p", option: "/x/", want: "GET http://10.1.2.3:8080/x/"},
		{path: "pods/proxy", id: "http:p:90", option: "/x", want: "GET http://10.1.2.3:90/x"},
		{path: "pods/proxy", id: "six", option: "/x", want: "GET http://[fd00::1]/x"},
		{path: "pods/proxy", id: "loop", err: "address not allowed"},
		{path: "pods/proxy", id: "q", err: `pods "q" not found`},
		{path: "pods/proxy", id: ":", err: `invalid pod request ":"`},
		{path: "nodes/proxy", id: "n:80", option: "/x", want: "GET http://10.0.0.1:80/x"},
		{path: "services/proxy", id: "s:80", option: "/x", want: "GET http://10.1.2.3:9376/x"},
		{path: "services/proxy", id: "http:s:web", option: "/x", want: "GET http://10.1.2.3:9376/x"},
		{path: "services/proxy", id: "s:other", err: `no endpoints available for service "s"`},
		{path: "services/proxy", id: "s", err: `no endpoints available for service "s"`},
		{path: "services/proxy", id: "s:8", err: `no service port 8 found for service "s"`},
		{path: "services/proxy", id: "z:80", err: `services "z" not found`},
	} {
		t.Run(tc.path+"/"+tc.id, func(t *testing.T) {
			t.Parallel()
			connecter := paths[tc.path].(apirest.Connecter)
			options, _, _ := connecter.NewConnectOptions()
			switch o := options.(type) {
			case *corev1.PodProxyOptions:
				o.Path = tc.option
			case *corev1.NodeProxyOptions:
				o.Path = tc.option
			case *corev1.ServiceProxyOptions:
				o.Path = tc.option
			}
			recorder := httptest.NewRecorder()
			ctx := genericapirequest.WithNamespace(t.Context(), "default")
			handler, err := connecter.Connect(ctx, tc.id, options, responder{recorder})
			if diff := cmp.Diff(tc.err, text(err)); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			if tc.err != "" {
				return
			}
			handler.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, http.MethodGet, "/proxy"+tc.option, http.NoBody))
			if diff := cmp.Diff(tc.want, recorder.Body.String()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStreamsNeedCreate opens streams by GET, as a WebSocket does, as a user who
// may only get.
func TestStreamsNeedCreate(t *testing.T) {
	t.Parallel()
	paths := proxyPaths(t)
	for _, path := range []string{"pods/exec", "pods/attach", "pods/portforward"} {
		connecter := paths[path].(apirest.Connecter)
		options, _, _ := connecter.NewConnectOptions()
		for verb, want := range map[string]string{"create": "", "get": `pods "p" is forbidden: only get`} {
			ctx := genericapirequest.WithRequestInfo(genericapirequest.WithNamespace(t.Context(), "default"), &genericapirequest.RequestInfo{
				IsResourceRequest: true, Verb: verb, Resource: "pods", Name: "p", Namespace: "default",
			})
			ctx = genericapirequest.WithUser(ctx, &user.DefaultInfo{Name: "u"})
			if pf, ok := options.(*corev1.PodPortForwardOptions); ok {
				pf.Ports = []int32{80, 81}
			}
			switch o := options.(type) {
			case *corev1.PodExecOptions:
				o.Container = "b"
			case *corev1.PodAttachOptions:
				o.Container = "b"
			}
			_, err := connecter.Connect(ctx, "p", options, responder{httptest.NewRecorder()})
			if diff := cmp.Diff(want, text(err)); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", verb, path, diff)
			}
		}
	}
}

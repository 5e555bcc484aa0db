// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apirest "k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
	"k8s.io/klog/v2"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/core/kubelet/kubelettest"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server"
	"github.com/stoa-project/stoa/stoatest"
)

// fixed is a store of one resource that cannot be written: a test of streams
// needs pods and nodes as they are, and not what it takes to run a pod.
type fixed struct {
	singular   string
	empty      func() runtime.Object
	namespaced bool
	objects    map[string]runtime.Object
}

func (f *fixed) New() runtime.Object     { return f.empty() }
func (f *fixed) Destroy()                {}
func (f *fixed) NamespaceScoped() bool   { return f.namespaced }
func (f *fixed) GetSingularName() string { return f.singular }

func (f *fixed) Get(_ context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	if obj, ok := f.objects[name]; ok {
		return obj.DeepCopyObject(), nil
	}
	return nil, apierrors.NewNotFound(core.Resource(f.singular+"s"), name)
}

func (f *fixed) row() kind.Resource {
	name := f.singular + "s"
	return kind.Resource{Versions: []string{"v1"}, Kind: kind.Custom(name, func(*runtime.Scheme, kind.Server) (map[string]apirest.Storage, error) {
		return map[string]apirest.Storage{name: f}, nil
	})}
}

// streamServer is a server with pods on a node, whose kubelet is k.
func streamServer(t *testing.T, k *kubelettest.Kubelet, declared ...string) *stoatest.Server {
	t.Helper()
	nodes := &fixed{singular: "node", empty: func() runtime.Object { return &core.Node{} }, objects: map[string]runtime.Object{
		"n": &core.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Status: corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeExternalIP, Address: "192.0.2.1"}, {Type: corev1.NodeInternalIP, Address: k.Host},
			},
			DaemonEndpoints:  corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: k.Port}},
			DeclaredFeatures: declared,
		}},
		"bare": &core.Node{ObjectMeta: metav1.ObjectMeta{Name: "bare"}},
	}}
	pods := &fixed{singular: "pod", namespaced: true, empty: func() runtime.Object { return &core.Pod{} }, objects: map[string]runtime.Object{}}
	for name, spec := range map[string]corev1.PodSpec{
		"one":     {NodeName: "n", Containers: []corev1.Container{{Name: "main"}}},
		"two":     {NodeName: "n", InitContainers: []corev1.Container{{Name: "init"}}, Containers: []corev1.Container{{Name: "a"}, {Name: "b"}}},
		"waiting": {Containers: []corev1.Container{{Name: "main"}}},
		"lost":    {NodeName: "gone", Containers: []corev1.Container{{Name: "main"}}},
		"bare":    {NodeName: "bare", Containers: []corev1.Container{{Name: "main"}}},
	} {
		pods.objects[name] = &core.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}, Spec: spec}
	}
	return stoatest.Start(t, stoatest.WithFlags("--kubelet-certificate-authority="+k.CAFile), stoatest.WithOptions(func(o *server.Options) {
		for i := range o.Groups {
			if g := &o.Groups[i]; g.Name == "" {
				g.Resources = []kind.Resource{nodes.row(), pods.row()}
			}
		}
	}))
}

func TestPodLog(t *testing.T) {
	t.Parallel()
	k := kubelettest.Start(t)
	client := kubernetes.NewForConfigOrDie(streamServer(t, k).Config()).CoreV1().Pods("default")
	number := func(n int64) *int64 { return &n }
	all, since := corev1.LogStreamAll, metav1.Unix(1e9, 0)
	for _, tc := range []struct {
		name, pod string
		options   corev1.PodLogOptions
		want, err string
	}{
		{name: "the only container", pod: "one", want: "GET /containerLogs/default/one/main kube-apiserver-kubelet-client\n"},
		{name: "parameters", pod: "two", options: corev1.PodLogOptions{
			Container: "init", TailLines: number(0), LimitBytes: number(5), SinceSeconds: number(7), InsecureSkipTLSVerifyBackend: true,
		}, want: "GET /containerLogs/default/two/init?limitBytes=5&sinceSeconds=7&tailLines=0 kube-apiserver-kubelet-client\n"},
		{name: "since a time", pod: "one", options: corev1.PodLogOptions{SinceTime: &since},
			want: "GET /containerLogs/default/one/main?sinceTime=2001-09-09T01%3A46%3A40Z kube-apiserver-kubelet-client\n"},
		{name: "no node yet", pod: "waiting"},
		{name: "no such pod", pod: "none", err: `pods "none" not found`},
		{name: "no such node", pod: "lost", err: `nodes "gone" not found`},
		{name: "no address", pod: "bare", err: `no preferred addresses found; known addresses: []`},
		{name: "no container", pod: "two", err: "a container name must be specified for pod two, choose one of: [init a b]"},
		{name: "another container", pod: "two", options: corev1.PodLogOptions{Container: "c"}, err: "container c is not valid for pod two"},
		{name: "refused by the kubelet", pod: "one", options: corev1.PodLogOptions{Previous: true}, err: "previous terminated container not found\n"},
		{name: "redirected by the kubelet", pod: "one", options: corev1.PodLogOptions{Timestamps: true},
			err: `Get "/elsewhere": redirects forbidden`},
		{name: "wrong numbers", pod: "one", options: corev1.PodLogOptions{TailLines: number(-1), LimitBytes: number(0), SinceSeconds: number(0)},
			err: `PodLogOptions "one" is invalid: [tailLines: Invalid value: -1: must be greater than or equal to 0, limitBytes: Invalid value: 0: must be greater than 0, sinceSeconds: Invalid value: 0: must be greater than 0]`},
		{name: "two beginnings", pod: "one", options: corev1.PodLogOptions{SinceSeconds: number(1), SinceTime: &since},
			err: "PodLogOptions \"one\" is invalid: []: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"},
		{name: "stream", pod: "one", options: corev1.PodLogOptions{Stream: &all}, err: `PodLogOptions "one" is invalid: stream: Forbidden: may not be specified`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			result := client.GetLogs(tc.pod, &tc.options).Do(t.Context())
			got, _ := result.Raw()
			err := result.Error()
			if diff := cmp.Diff(tc.err, text(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, string(got)); tc.err == "" && diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFollowedLog reads the first line while the second is not written yet.
func TestFollowedLog(t *testing.T) {
	t.Parallel()
	k := kubelettest.Start(t)
	client := kubernetes.NewForConfigOrDie(streamServer(t, k).Config()).CoreV1().Pods("default")
	stream, err := client.GetLogs("one", &corev1.PodLogOptions{Follow: true}).Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	want := "GET /containerLogs/default/one/main?follow=true kube-apiserver-kubelet-client\n"
	first := make([]byte, len(want))
	if _, err := io.ReadFull(stream, first); err != nil || string(first) != want {
		t.Errorf("first line: %q, %v", first, err)
	}
	k.Release()
	rest, err := io.ReadAll(stream)
	if err != nil || string(rest) != "the end\n" {
		t.Errorf("rest: %q, %v", rest, err)
	}
}

// executors are both protocols of client-go.
func executors(t *testing.T, config *rest.Config, target *url.URL) map[string]remotecommand.Executor {
	t.Helper()
	old, err := remotecommand.NewSPDYExecutor(config, http.MethodPost, target)
	if err != nil {
		t.Fatal(err)
	}
	current, err := remotecommand.NewWebSocketExecutor(config, http.MethodGet, target.String())
	if err != nil {
		t.Fatal(err)
	}
	return map[string]remotecommand.Executor{"SPDY": old, "WebSocket": current}
}

// TestExec runs commands through SPDY and WebSocket, with kubelets that speak only
// SPDY and with those that declare WebSockets.
func TestExec(t *testing.T) {
	t.Parallel()
	for name, declared := range map[string][]string{"old kubelet": nil, "new kubelet": {"ExtendWebSocketsToKubelet"}} {
		api := streamServer(t, kubelettest.Start(t), declared...)
		client := kubernetes.NewForConfigOrDie(api.Config()).CoreV1().RESTClient()
		for verb, options := range map[string]runtime.Object{
			"exec":   &corev1.PodExecOptions{Stdin: true, Stdout: true, Stderr: true, Command: []string{"echo", "a b"}},
			"attach": &corev1.PodAttachOptions{Stdin: true, Stdout: true, Stderr: true},
		} {
			request := client.Post().Namespace("default").Resource("pods").Name("one").SubResource(verb).
				VersionedParams(options, scheme.ParameterCodec)
			for protocol, executor := range executors(t, api.Config(), request.URL()) {
				t.Run(strings.Join([]string{name, verb, protocol}, "/"), func(t *testing.T) {
					t.Parallel()
					var out, problems bytes.Buffer
					err := executor.StreamWithContext(t.Context(), remotecommand.StreamOptions{
						Stdin: strings.NewReader("hello\n"), Stdout: &out, Stderr: &problems,
					})
					if err != nil {
						t.Fatal(err)
					}
					method, command := http.MethodPost, ""
					if declared != nil && protocol == "WebSocket" {
						method = http.MethodGet
					}
					if verb == "exec" {
						command = "command=echo&command=a+b&"
					}
					want := fmt.Sprintf("%s /%s/default/one/main?%serror=1&input=1&output=1 kube-apiserver-kubelet-client\nhello\n", method, verb, command)
					if diff := cmp.Diff(want+"stderr\n", out.String()+problems.String()); diff != "" {
						t.Errorf("output (-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

func TestExecErrors(t *testing.T) {
	t.Parallel()
	api := streamServer(t, kubelettest.Start(t))
	client := kubernetes.NewForConfigOrDie(api.Config()).CoreV1().RESTClient()
	for _, tc := range []struct{ name, pod, command, want string }{
		{"exit code", "one", "fail", "command terminated with exit code 3"},
		{"no node yet", "waiting", "x", "pod waiting does not have a host assigned"},
		{"no container", "two", "x", "a container name must be specified for pod two, choose one of: [init a b]"},
		{"refused by the kubelet", "one", "refused", "container is not running"},
	} {
		request := client.Post().Namespace("default").Resource("pods").Name(tc.pod).SubResource("exec").
			VersionedParams(&corev1.PodExecOptions{Stdout: true, Command: []string{tc.command}}, scheme.ParameterCodec)
		for protocol, executor := range executors(t, api.Config(), request.URL()) {
			t.Run(tc.name+"/"+protocol, func(t *testing.T) {
				t.Parallel()
				err := executor.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdout: io.Discard})
				if !strings.Contains(text(err), tc.want) {
					t.Errorf("error %v, want %q", err, tc.want)
				}
				var exit exec.CodeExitError
				if tc.command == "fail" && (!errors.As(err, &exit) || exit.Code != 3) {
					t.Errorf("%#v has not exit code 3", err)
				}
			})
		}
	}
	err := client.Post().Namespace("default").Resource("pods").Name("one").SubResource("exec").Do(t.Context()).Error()
	if diff := cmp.Diff("Upgrade request required", text(err)); diff != "" {
		t.Errorf("error of a request without upgrade (-want +got):\n%s", diff)
	}
}

func TestPortForward(t *testing.T) {
	t.Parallel()
	api := streamServer(t, kubelettest.Start(t))
	target := kubernetes.NewForConfigOrDie(api.Config()).CoreV1().RESTClient().Post().
		Namespace("default").Resource("pods").Name("one").SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	tunnel, err := portforward.NewSPDYOverWebsocketDialerForStreamingWithLogger(klog.FromContext(t.Context()), target, api.Config())
	if err != nil {
		t.Fatal(err)
	}
	for protocol, dialer := range map[string]httpstream.Dialer{
		"SPDY": spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, target), "WebSocket": tunnel,
	} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			ready := make(chan struct{})
			forwarder, err := portforward.NewOnAddressesForStreamingWithContext(ctx, dialer, []string{"127.0.0.1"}, []string{"0:80"}, ready, io.Discard, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			var done sync.WaitGroup
			done.Go(func() {
				if err := forwarder.ForwardPorts(); err != nil {
					t.Error(err)
				}
			})
			defer done.Wait()
			defer stop()
			select {
			case <-ready:
			case <-t.Context().Done():
				t.Fatal("not ready")
			}
			ports, err := forwarder.GetPorts()
			if err != nil {
				t.Fatal(err)
			}
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", ports[0].Local))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			answer := make([]byte, 5)
			_, err = fmt.Fprint(conn, "hello")
			if _, readErr := io.ReadFull(conn, answer); err != nil || readErr != nil || string(answer) != "HELLO" {
				t.Errorf("answer %q, %v, %v", answer, err, readErr)
			}
		})
	}
}

func TestNodeProxy(t *testing.T) {
	t.Parallel()
	k := kubelettest.Start(t)
	api := streamServer(t, k)
	client := kubernetes.NewForConfigOrDie(api.Config()).CoreV1().RESTClient()
	port := fmt.Sprint(k.Port)
	for _, tc := range []struct{ name, node, path, want, err string }{
		{name: "default port", node: "n", path: "/stats/summary?x=1", want: "GET /stats/summary?x=1 kube-apiserver-kubelet-client\n"},
		{name: "kubelet port", node: "https:n:" + port, path: "/pods/", want: "GET /pods/ kube-apiserver-kubelet-client\n"},
		{name: "another port", node: "n:1", err: "address not allowed"},
		{name: "no such node", node: "m", err: `nodes "m" not found`},
		{name: "bad name", node: "ftp:n:1", err: `invalid node request "ftp:n:1"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			result := client.Get().RequestURI("/api/v1/nodes/" + tc.node + "/proxy" + tc.path).Do(t.Context())
			got, _ := result.Raw()
			err := result.Error()
			if diff := cmp.Diff(tc.err, text(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.want, string(got)); tc.err == "" && diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
	http1, err := rest.HTTPClientFor(api.Config())
	if err != nil {
		t.Fatal(err)
	}
	http1.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL()+"/api/v1/nodes/n/proxy/redirect/x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http1.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got := response.Header.Get("Location"); response.StatusCode != http.StatusFound || got != "https://elsewhere.example.com/" {
		t.Errorf("redirect: %d to %q, want it as the kubelet sent it", response.StatusCode, got)
	}
}

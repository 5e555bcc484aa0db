// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/registry/rest"
	streamproxy "k8s.io/apiserver/pkg/util/proxy"
	proxymetrics "k8s.io/apiserver/pkg/util/proxy/metrics"
	"k8s.io/component-base/featuregate"
	"k8s.io/streaming/pkg/httpstream/wsstream"

	"github.com/stoa-project/stoa/features"
	"github.com/stoa-project/stoa/registry/core/kubelet"
)

// target is the place of a kubelet that a stream is for.
type target struct {
	*kubelet.Connection
	url *url.URL
}

// exec, attach and port-forward accept POST, with which SPDY begins, and GET, with
// which WebSocket does.
func streamMethods() []string { return []string{http.MethodGet, http.MethodPost} }

func (s *Streams) exec() rest.Storage {
	return &connecter[corev1.PodExecOptions, *corev1.PodExecOptions]{
		methods: streamMethods(),
		connect: func(ctx context.Context, name string, o *corev1.PodExecOptions, responder rest.Responder) (http.Handler, error) {
			streams := streamproxy.Options{Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr, Tty: o.TTY}
			return s.command(ctx, command{verb: "exec", pod: name, container: o.Container, streams: streams, argv: o.Command}, responder)
		},
	}
}

func (s *Streams) attach() rest.Storage {
	return &connecter[corev1.PodAttachOptions, *corev1.PodAttachOptions]{
		methods: streamMethods(),
		connect: func(ctx context.Context, name string, o *corev1.PodAttachOptions, responder rest.Responder) (http.Handler, error) {
			streams := streamproxy.Options{Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr, Tty: o.TTY}
			return s.command(ctx, command{verb: "attach", pod: name, container: o.Container, streams: streams}, responder)
		},
	}
}

// command is exec or attach.
type command struct {
	verb, pod, container string
	streams              streamproxy.Options
	argv                 []string
}

func (c command) parameters() url.Values {
	out := url.Values{}
	for name, wanted := range map[string]bool{
		corev1.ExecStdinParam: c.streams.Stdin, corev1.ExecStdoutParam: c.streams.Stdout,
		corev1.ExecStderrParam: c.streams.Stderr, corev1.ExecTTYParam: c.streams.Tty,
	} {
		if wanted {
			out.Set(name, "1")
		}
	}
	if len(c.argv) > 0 {
		out["command"] = c.argv
	}
	return out
}

func (s *Streams) command(ctx context.Context, c command, responder rest.Responder) (http.Handler, error) {
	to, err := s.locate(ctx, c.pod, func(pod *corev1.Pod) (string, url.Values, error) {
		container, err := chooseContainer(pod, c.container)
		return fmt.Sprintf("/%s/%s/%s/%s", c.verb, pod.Namespace, pod.Name, container), c.parameters(), err
	})
	if err != nil {
		return nil, err
	}
	direct := s.forward(to.url, to.Transport, forwarding{upgrade: true}, responder)
	return translated{
		subresource: c.verb, direct: direct,
		other:   streamproxy.NewStreamTranslatorHandler(to.url, to.Transport, s.MaxBytesPerSecond, c.streams),
		applies: wsstream.IsWebSocketRequestWithStreamCloseProtocol,
	}.handler(to.Connection, features.TranslateStreamCloseWebsocketRequests), nil
}

func (s *Streams) portForward() rest.Storage {
	return &connecter[corev1.PodPortForwardOptions, *corev1.PodPortForwardOptions]{
		methods: streamMethods(),
		connect: func(ctx context.Context, name string, o *corev1.PodPortForwardOptions, responder rest.Responder) (http.Handler, error) {
			to, err := s.locate(ctx, name, func(pod *corev1.Pod) (string, url.Values, error) {
				ports := make([]string, len(o.Ports))
				for i, port := range o.Ports {
					ports[i] = strconv.Itoa(int(port))
				}
				parameters := url.Values{}
				if len(ports) > 0 {
					parameters.Set(corev1.PortHeader, strings.Join(ports, ","))
				}
				return fmt.Sprintf("/portForward/%s/%s", pod.Namespace, pod.Name), parameters, nil
			})
			if err != nil {
				return nil, err
			}
			direct := s.forward(to.url, to.Transport, forwarding{upgrade: true}, responder)
			return translated{
				subresource: "portforward", direct: direct,
				other: streamproxy.NewTunnelingHandler(direct), applies: wsstream.IsWebSocketRequestWithTunnelingProtocol,
			}.handler(to.Connection, features.PortForwardWebsockets), nil
		},
	}
}

// locate authorizes a stream and finds the kubelet that it is for. where says what
// is asked of that kubelet.
func (s *Streams) locate(ctx context.Context, name string, where func(*corev1.Pod) (string, url.Values, error)) (*target, error) {
	if features.Enabled(features.AuthorizePodWebsocketUpgradeCreatePermission) {
		if err := s.authorize(ctx, "create"); err != nil {
			return nil, err
		}
	}
	pod, err := s.pods(ctx, name)
	if err != nil {
		return nil, err
	}
	path, parameters, err := where(pod)
	if err != nil {
		return nil, err
	}
	if pod.Spec.NodeName == "" {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("pod %s does not have a host assigned", name))
	}
	connection, err := s.kubelet(ctx, pod.Spec.NodeName)
	if err != nil {
		return nil, err
	}
	return &target{connection, &url.URL{
		Scheme: kubelet.Scheme, Host: connection.Address(), Path: path, RawQuery: parameters.Encode(),
	}}, nil
}

// kubelet returns how to reach that of a node.
func (s *Streams) kubelet(ctx context.Context, name string) (*kubelet.Connection, error) {
	node, err := s.nodes(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.Kubelets.Connection(node)
}

// chooseContainer returns the container that a request is for: the one that it
// names, or the only one.
func chooseContainer(pod *corev1.Pod, name string) (string, error) {
	names := containerNames(pod)
	switch {
	case name == "" && len(pod.Spec.Containers) == 0:
		return "", apierrors.NewBadRequest("a container name must be specified for pod " + pod.Name)
	case name == "" && len(pod.Spec.Containers) == 1:
		return pod.Spec.Containers[0].Name, nil
	case name == "":
		return "", apierrors.NewBadRequest(fmt.Sprintf("a container name must be specified for pod %s, choose one of: %s", pod.Name, names))
	}
	if slices.Contains(names, name) {
		return name, nil
	}
	return "", apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", name, pod.Name))
}

// containerNames are those of every container of a pod, in the order in which
// they can start.
func containerNames(pod *corev1.Pod) []string {
	var names []string
	for i := range pod.Spec.InitContainers {
		names = append(names, pod.Spec.InitContainers[i].Name)
	}
	for i := range pod.Spec.Containers {
		names = append(names, pod.Spec.Containers[i].Name)
	}
	for i := range pod.Spec.EphemeralContainers {
		names = append(names, pod.Spec.EphemeralContainers[i].Name)
	}
	return names
}

// translated is a stream that comes through direct, unless the client speaks a
// WebSocket protocol that the kubelet may not: then it comes through other, which
// speaks SPDY to the kubelet.
type translated struct {
	subresource   string
	direct, other http.Handler
	applies       func(*http.Request) bool
}

func (t translated) handler(to *kubelet.Connection, gate featuregate.Feature) http.Handler {
	if !features.Enabled(gate) {
		return t.direct
	}
	chosen, how := t.other, "translated_at_apiserver"
	if features.Enabled(features.ExtendWebSocketsToKubelet) && to.Declares(string(features.ExtendWebSocketsToKubelet)) {
		chosen, how = t.direct, "proxied_to_kubelet"
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !t.applies(r) {
			t.direct.ServeHTTP(w, r)
			return
		}
		proxymetrics.IncWebSocketStreamingRequest(r.Context(), t.subresource, how)
		chosen.ServeHTTP(w, r)
	})
}

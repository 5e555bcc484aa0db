// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	streamproxy "k8s.io/apiserver/pkg/util/proxy"
	netutils "k8s.io/utils/net"

	"github.com/stoa-project/stoa/registry/core/kubelet"
)

// destination is where a proxied request goes.
type destination struct {
	url     url.URL
	through http.RoundTripper
}

// proxied returns the subresource "proxy" of a kind. find says where the requests
// for an id go, which is name, name:port or scheme:name:port.
func proxied[O any, PO interface {
	*O
	runtime.Object
}](s *Streams, kind string, path func(PO) string, find func(ctx context.Context, id endpoint) (*destination, error)) rest.Storage {
	return &connecter[O, PO]{
		methods: []string{
			http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, http.MethodOptions,
		},
		path: true,
		connect: func(ctx context.Context, id string, options PO, responder rest.Responder) (http.Handler, error) {
			scheme, name, port, ok := utilnet.SplitSchemeNamePort(id)
			if !ok {
				return nil, apierrors.NewBadRequest(fmt.Sprintf("invalid %s request %q", kind, id))
			}
			to, err := find(ctx, endpoint{scheme, name, port})
			if err != nil {
				return nil, err
			}
			to.url.Path = utilnet.JoinPreservingTrailingSlash(to.url.Path, path(options))
			return s.forward(&to.url, to.through, forwarding{rewrite: true}, responder), nil
		},
	}
}

// endpoint is a parsed id. Scheme and port may be empty.
type endpoint struct{ scheme, name, port string }

func (s *Streams) podProxy() rest.Storage {
	return proxied(s, "pod", func(o *corev1.PodProxyOptions) string { return o.Path }, s.findPod)
}

func (s *Streams) nodeProxy() rest.Storage {
	return proxied(s, "node", func(o *corev1.NodeProxyOptions) string { return o.Path }, s.findNode)
}

func (s *Streams) serviceProxy() rest.Storage {
	return proxied(s, "service", func(o *corev1.ServiceProxyOptions) string { return o.Path }, s.findEndpoint)
}

// findPod takes the first port of a pod if the id has none.
func (s *Streams) findPod(ctx context.Context, id endpoint) (*destination, error) {
	pod, err := s.pods(ctx, id.name)
	if err != nil {
		return nil, err
	}
	port := id.port
	for i := 0; port == "" && i < len(pod.Spec.Containers); i++ {
		if ports := pod.Spec.Containers[i].Ports; len(ports) > 0 {
			port = strconv.Itoa(int(ports[0].ContainerPort))
		}
	}
	var ip string
	if len(pod.Status.PodIPs) > 0 {
		ip = pod.Status.PodIPs[0].IP
	}
	// Whoever may write the status of a pod must not reach the server's own machine.
	if parsed := netutils.ParseIPSloppy(ip); parsed == nil || !parsed.IsGlobalUnicast() {
		return nil, errNotAllowed()
	}
	host := net.JoinHostPort(ip, port)
	if port == "" {
		host = strings.TrimSuffix(host, ":")
	}
	return &destination{url.URL{Scheme: id.scheme, Host: host}, s.Network}, nil
}

func errNotAllowed() error { return apierrors.NewBadRequest("address not allowed") }

// findNode goes to the kubelet, with the server's certificate, unless the id has
// another port.
func (s *Streams) findNode(ctx context.Context, id endpoint) (*destination, error) {
	connection, err := s.kubelet(ctx, id.name)
	if err != nil {
		return nil, err
	}
	if id.port == "" || id.port == connection.Port {
		return &destination{url.URL{Scheme: kubelet.Scheme, Host: connection.Address()}, connection.Transport}, nil
	}
	addresses, err := net.DefaultResolver.LookupIPAddr(ctx, connection.Host)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if len(addresses) == 0 {
		return nil, apierrors.NewBadRequest("No addresses for hostname")
	}
	for _, address := range addresses {
		if !address.IP.IsGlobalUnicast() {
			return nil, errNotAllowed()
		}
	}
	return &destination{url.URL{Scheme: id.scheme, Host: net.JoinHostPort(connection.Host, id.port)}, s.Network}, nil
}

// findEndpoint chooses one of the ready endpoints of a service at random. The port
// of the id is the number or the name of one of the service's ports.
func (s *Streams) findEndpoint(ctx context.Context, id endpoint) (*destination, error) {
	service, err := s.services(ctx, id.name)
	if err != nil {
		return nil, err
	}
	port := id.port
	if number, err := strconv.ParseInt(port, 10, 64); err == nil {
		at := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return int64(p.Port) == number })
		if at < 0 {
			return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("no service port %d found for service %q", number, id.name))
		}
		port = service.Spec.Ports[at].Name
	}
	var found []*discoveryv1.EndpointSlice
	namespace := genericapirequest.NamespaceValue(ctx)
	if s.EndpointSlices != nil {
		if found, err = s.EndpointSlices(ctx, namespace, id.name); err != nil {
			return nil, err
		}
	}
	var family corev1.IPFamily
	if len(service.Spec.IPFamilies) > 0 {
		family = service.Spec.IPFamilies[0]
	}
	host, err := streamproxy.RandomEndpoint(id.name, found, port, family, func(e *discoveryv1.Endpoint) bool { return s.ownsAddress(ctx, e) })
	if err != nil {
		return nil, err
	}
	return &destination{url.URL{Scheme: id.scheme, Host: host}, s.Network}, nil
}

// ownsAddress says whether the address of an endpoint is that of a pod of the same
// namespace. Else whoever may write endpoints could reach anything that the
// server can.
func (s *Streams) ownsAddress(ctx context.Context, e *discoveryv1.Endpoint) bool {
	if e.TargetRef == nil || e.TargetRef.Namespace != genericapirequest.NamespaceValue(ctx) || len(e.Addresses) == 0 {
		return false
	}
	pod, err := s.pods(ctx, e.TargetRef.Name)
	return err == nil && slices.ContainsFunc(pod.Status.PodIPs, func(ip corev1.PodIP) bool { return ip.IP == e.Addresses[0] })
}

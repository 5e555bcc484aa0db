// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/proxy"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/filters"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/registry/core/kubelet"
)

// Streams are the subresources through which data flows between a client and a
// kubelet, a pod or a service. They store nothing: they need the parts of a server
// below, which a group's table does not know, and of the stores only getters.
//
// The server calls AddTo on what the table of the core group built.
type Streams struct {
	// Kubelets says where kubelets are.
	Kubelets *kubelet.Client
	// Network carries requests to pods, services and ports of nodes that are not the kubelet's.
	Network http.RoundTripper
	// Authorizer is asked again for a WebSocket: see authorize.
	Authorizer authorizer.Authorizer
	// EndpointSlices returns those of a service. Nil: services have no endpoints.
	EndpointSlices func(ctx context.Context, namespace, service string) ([]*discoveryv1.EndpointSlice, error)
	// MaxBytesPerSecond limits each connection in each direction. Unset: no limit.
	MaxBytesPerSecond int64

	pods     getter[corev1.Pod]
	nodes    getter[corev1.Node]
	services getter[corev1.Service]
}

// AddTo adds the subresources to the paths of v1, for the kinds that are among
// them. It is the one place that knows them all:
//
//	pods/log, pods/exec, pods/attach, pods/portforward   to the kubelet
//	pods/proxy, services/proxy                           to a pod
//	nodes/proxy                                          to a kubelet or a node
//
// What goes to a kubelet or to an endpoint needs nodes or pods too; without them
// it answers that they are not there.
func (s *Streams) AddTo(paths map[string]rest.Storage) {
	s.pods = getterOf(paths["pods"], "pods", func(p *core.Pod) *corev1.Pod { return (*corev1.Pod)(p) })
	s.nodes = getterOf(paths["nodes"], "nodes", func(n *core.Node) *corev1.Node { return (*corev1.Node)(n) })
	s.services = getterOf(paths["services"], "services", func(v *core.Service) *corev1.Service { return (*corev1.Service)(v) })
	for kind, subresources := range map[string]map[string]func() rest.Storage{
		"pods": {
			"log": s.log, "exec": s.exec, "attach": s.attach, "portforward": s.portForward, "proxy": s.podProxy,
		},
		"nodes":    {"proxy": s.nodeProxy},
		"services": {"proxy": s.serviceProxy},
	} {
		if paths[kind] == nil {
			continue
		}
		for name, build := range subresources {
			paths[kind+"/"+name] = build()
		}
	}
}

// getter reads one object of the namespace in ctx.
type getter[T any] func(ctx context.Context, name string) (*T, error)

// getterOf reads from a store of Hub.
func getterOf[Hub, T any](storage rest.Storage, resource string, as func(*Hub) *T) getter[T] {
	store, ok := storage.(rest.Getter)
	return func(ctx context.Context, name string) (*T, error) {
		if !ok {
			return nil, apierrors.NewNotFound(corev1.Resource(resource), name)
		}
		obj, err := store.Get(ctx, name, &metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		hub, isHub := any(obj).(*Hub)
		if !isHub {
			return nil, fmt.Errorf("get %s %q: unexpected type %T", resource, name, obj)
		}
		return as(hub), nil
	}
}

// connecter is a subresource that hands the whole request to a handler.
type connecter[O any, PO interface {
	*O
	runtime.Object
}] struct {
	methods []string
	// path puts the rest of the URL into the option of that name.
	path    bool
	connect func(ctx context.Context, name string, options PO, responder rest.Responder) (http.Handler, error)
}

// New implements rest.Storage.
func (c *connecter[O, PO]) New() runtime.Object { return PO(new(O)) }

// Destroy implements rest.Storage. There is nothing of its own to destroy.
func (c *connecter[O, PO]) Destroy() {}

// ConnectMethods implements rest.Connecter.
func (c *connecter[O, PO]) ConnectMethods() []string { return c.methods }

// NewConnectOptions implements rest.Connecter.
func (c *connecter[O, PO]) NewConnectOptions() (options runtime.Object, subpath bool, name string) {
	if c.path {
		return PO(new(O)), true, "path"
	}
	return PO(new(O)), false, ""
}

// Connect implements rest.Connecter.
func (c *connecter[O, PO]) Connect(ctx context.Context, name string, options runtime.Object, responder rest.Responder) (http.Handler, error) {
	own, ok := options.(PO)
	if !ok {
		return nil, fmt.Errorf("invalid options object: %#v", options)
	}
	return c.connect(ctx, name, own, responder)
}

var _ rest.Connecter = (*connecter[corev1.PodExecOptions, *corev1.PodExecOptions])(nil)

// forward returns a handler that sends a request on. Redirects of the other side
// reach the client as they are; nothing here follows them.
func (s *Streams) forward(to *url.URL, through http.RoundTripper, kind forwarding, responder rest.Responder) *proxy.UpgradeAwareHandler {
	handler := proxy.NewUpgradeAwareHandler(to, through, kind.rewrite, kind.upgrade, proxy.NewErrorResponder(responder))
	handler.MaxBytesPerSec = s.MaxBytesPerSecond
	return handler
}

// forwarding is one of the two ways in which forward is used.
type forwarding struct {
	// rewrite corrects the links in pages, for browsers.
	rewrite bool
	// upgrade refuses requests that do not ask for one.
	upgrade bool
}

// authorize asks whether the user may use another verb on the object of a request.
// A WebSocket begins with GET, for which "get" suffices; but exec in a pod is
// no reading, and policies that were written for SPDY grant it by "create".
func (s *Streams) authorize(ctx context.Context, verb string) error {
	info, ok := genericapirequest.RequestInfoFrom(ctx)
	if !ok {
		return apierrors.NewInternalError(fmt.Errorf("no request info in context"))
	}
	if info.Verb == verb {
		return nil
	}
	attributes, err := filters.GetAuthorizerAttributes(ctx)
	if err != nil {
		return apierrors.NewInternalError(fmt.Errorf("error building authorizer attributes: %w", err))
	}
	decision, reason, err := s.Authorizer.Authorize(ctx, otherVerb{attributes, verb})
	if err != nil {
		return err
	}
	if decision != authorizer.DecisionAllow {
		resource := corev1.Resource(info.Resource)
		return apierrors.NewForbidden(resource, info.Name, fmt.Errorf("%s", reason))
	}
	return nil
}

// otherVerb are the attributes of a request with another verb.
type otherVerb struct {
	authorizer.Attributes
	verb string
}

// GetVerb implements authorizer.Attributes.
func (o otherVerb) GetVerb() string { return o.verb }

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/healthz"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	tenancyapi "github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/authz/rbac"
	"github.com/stoa-project/stoa/registry/core"
	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server/storage"
)

// retryInterval is how often what a start needs is tried again.
const retryInterval = time.Second

// assemble builds stores, admission and handler chain on a connected etcd.
func (s *Server) assemble(ctx context.Context, c CompletedOptions, config *genericapiserver.Config, clients *storage.Clients, endpoints []string) error {
	etcdOptions := connected(c.Etcd, config, endpoints)
	s.drained = config.DrainedNotify()
	if err := s.addHealthChecks(ctx, config, etcdOptions, clients); err != nil {
		return err
	}
	if err := s.store(ctx, c, config, etcdOptions); err != nil {
		return err
	}
	uncached, err := etcdOptions.uncached()
	if err != nil {
		return err
	}
	raw := clients.RESTOptionsGetter(ctx, config.RESTOptionsGetter, always)
	config.RESTOptionsGetter = clients.RESTOptionsGetter(ctx, config.RESTOptionsGetter, func(gr schema.GroupResource) bool {
		return uncached(gr) || kind.Uncached(c.Groups, gr)
	})
	defaults, err := startDefaults(ctx, c, config, clients, s.extensionAuthentication)
	if err != nil {
		return err
	}
	for _, ca := range s.authorities() {
		ca.AddListener(defaults)
	}

	access := s.access(config)
	client, shared, err := s.objects(config)
	if err != nil {
		return err
	}
	tenancy, err := newTenancyClient(config)
	if err != nil {
		return err
	}
	all := stores{}
	if err := s.authenticate(ctx, c, config, client, all); err != nil {
		return err
	}
	roles, err := s.authorize(c, config, client, shared)
	if err != nil {
		return err
	}
	resolver, err := c.resolver(config, shared)
	if err != nil {
		return err
	}
	end := make(closed)
	s.closers = append(s.closers, func() { close(end) })
	if err := c.admit(config, access, client, shared, tenancy, resolver, end); err != nil {
		return err
	}
	c.controlFlow(ctx, config, client, shared)
	chain := &assembly{
		options: c, config: config, informers: shared, resolver: resolver, roles: roles, host: s.host, proxy: s.frontProxy, etcd: *etcdOptions.EtcdOptions, etcdHealth: s.etcdHealth, stores: all, tokens: s.tokens, raw: raw, tenancy: tenancy,
		streams: func(config *genericapiserver.Config) (*core.Streams, error) { return s.streams(c, config, client) },
		decorate: func(getter generic.RESTOptionsGetter, uncached func(schema.GroupResource) bool) generic.RESTOptionsGetter {
			return clients.RESTOptionsGetter(ctx, getter, uncached)
		},
	}
	if s.generic, err = chain.build(ctx); err != nil {
		return err
	}
	s.closers = append(s.closers, func() {
		if !s.ran.Load() {
			discard(ctx, s.generic)
		}
		chain.gate.close(s.generic)
	})
	if err := s.addServices(ctx, c, config, all, raw); err != nil {
		return err
	}
	if err := s.addControllers(chain); err != nil {
		return err
	}
	if err := s.generic.AddPostStartHook("start-tenancy-informers", tenancy.start); err != nil {
		return err
	}
	return s.generic.AddPostStartHook("start-default-objects", defaults.hook)
}

// connected returns the options of storage with the endpoints that answer.
func connected(options *EtcdOptions, config *genericapiserver.Config, endpoints []string) *EtcdOptions {
	o := *options
	upstream := *options.EtcdOptions
	upstream.StorageConfig.Transport.ServerList = endpoints
	upstream.StorageConfig.StorageObjectCountTracker = config.StorageObjectCountTracker
	upstream.SkipHealthEndpoints = true // upstream's checks dial connections of their own
	o.EtcdOptions = &upstream
	return &o
}

// access is how the server reaches the objects of Kubernetes: its own or the host's.
func (s *Server) access(config *genericapiserver.Config) *rest.Config {
	if s.host != nil {
		return s.host.Config
	}
	return config.LoopbackClientConfig
}

// authorize sets who may do what, and returns who knows about roles: in aggregated mode,
// those of the host.
func (s *Server) authorize(c CompletedOptions, config *genericapiserver.Config, client kubernetes.Interface, factory informers.SharedInformerFactory) (kind.RoleResolver, error) {
	if s.host == nil {
		return c.authorize(config, client, factory)
	}
	var err error
	if config.Authorization.Authorizer, err = s.host.Authorizer(); err != nil {
		return nil, err
	}
	roles, err := rbac.New(factory.Rbac().V1())
	if err != nil {
		return nil, err
	}
	return roles, s.checkHost(c, config)
}

// store says where, in which form and how encrypted each resource is stored.
func (s *Server) store(ctx context.Context, c CompletedOptions, config *genericapiserver.Config, o *EtcdOptions) error {
	factory, err := storageFactory(o, c.Groups, config, c.types.scheme, c.types.codecs)
	if err != nil {
		return err
	}
	if err := s.encrypt(ctx, o, config); err != nil {
		return err
	}
	if err := o.ApplyWithStorageFactoryTo(factory, config); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if s.etcd != nil {
		s.startMonitor(ctx)
	}
	return nil
}

// What a program with groups of its own may do without.
var (
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}                           //nolint:gochecknoglobals // constant
	tenants    = schema.GroupVersionResource{Group: tenancyapi.GroupName, Version: "v1", Resource: "tenants"} //nolint:gochecknoglobals // constant
)

// serves says whether the groups have a resource and it is not switched off.
func serves(groups []kind.Group, config *genericapiserver.Config, resource schema.GroupVersionResource) bool {
	has := func(g kind.Group) bool {
		return g.Name == resource.Group && slices.ContainsFunc(g.Resources, func(r kind.Resource) bool { return r.Kind.Resource() == resource.Resource })
	}
	return slices.ContainsFunc(groups, has) && config.MergedResourceConfig.ResourceEnabled(resource)
}

// servesAll says whether serves is true for all of the resources.
func servesAll(groups []kind.Group, config *genericapiserver.Config, resources []schema.GroupVersionResource) bool {
	return !slices.ContainsFunc(resources, func(r schema.GroupVersionResource) bool { return !serves(groups, config, r) })
}

// addHealthChecks makes health depend on an answer from each etcd cluster, and
// readiness also on the embedded one's taking writes.
func (s *Server) addHealthChecks(ctx context.Context, config *genericapiserver.Config, o *EtcdOptions, clients *storage.Clients) error {
	overrides, err := genericoptions.ParseEtcdServersOverrides(o.EtcdServersOverrides)
	if err != nil {
		return err
	}
	clusters := [][]string{o.StorageConfig.Transport.ServerList}
	for _, override := range overrides {
		if !slices.ContainsFunc(clusters, func(c []string) bool { return slices.Equal(c, override.Servers) }) {
			clusters = append(clusters, override.Servers)
		}
	}
	for i, servers := range clusters {
		transport := o.StorageConfig.Transport
		transport.ServerList = servers
		client, err := clients.Client(ctx, transport)
		if err != nil {
			return err
		}
		answers := func(ctx context.Context) error {
			if _, err := client.KV.Get(ctx, path.Join("/", o.StorageConfig.Prefix, "health")); err != nil {
				return fmt.Errorf("error getting data from etcd: %w", err)
			}
			return nil
		}
		name, readiness, ready := "etcd", "etcd-readiness", answers
		switch {
		case i > 0:
			name, readiness = fmt.Sprintf("etcd-override-%d", i-1), fmt.Sprintf("etcd-override-readiness-%d", i-1)
		case s.etcd != nil:
			ready = s.etcd.Healthy
		}
		s.etcdHealth = append(s.etcdHealth, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, o.StorageConfig.HealthcheckTimeout)
			defer cancel()
			return answers(ctx)
		})
		config.AddHealthChecks(healthCheck(name, o.StorageConfig.HealthcheckTimeout, answers))
		config.AddReadyzChecks(healthCheck(readiness, o.StorageConfig.ReadycheckTimeout, ready))
	}
	return nil
}

func healthCheck(name string, timeout time.Duration, check func(context.Context) error) healthz.HealthChecker {
	return healthz.NamedCheck(name, func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		return check(ctx)
	})
}

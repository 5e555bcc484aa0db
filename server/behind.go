// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/pkg/server/healthz"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/registry/kind"
	"github.com/stoa-project/stoa/server/host"
	"github.com/stoa-project/stoa/server/pki"
)

// prepareBehind makes what a server in aggregated mode has of the host in place of its
// own authorities: the serving certificate, and whom to believe.
func (s *Server) prepareBehind(ctx context.Context, c CompletedOptions) error {
	var err error
	if s.host, err = host.Open(ctx, host.Options{Kubeconfig: c.Host.Kubeconfig, Grace: c.Host.Grace}); err != nil {
		return err
	}
	s.clientCAs = []dynamiccertificates.CAContentProvider{s.host.ClientCA()}
	trusted := s.host.FrontProxy()
	s.frontProxy = &frontProxy{trusted: trusted, vouchers: []voucher{{trusted.CAContentProvider, trusted.AllowedClientNames}}}
	s.identity = &identity{}
	if c.Serving.CertFile != "" {
		return s.identity.show(c, c.Serving.CertFile, c.Serving.KeyFile)
	}
	service, err := host.ParseObjectName(c.Host.Service)
	if err != nil {
		return err
	}
	secret, err := c.Host.secret()
	if err != nil {
		return err
	}
	var vault host.Vault = host.FolderVault{Store: pki.Store{Dir: c.pki}}
	if secret.Name != "" {
		vault = host.SecretVault{Client: s.host.Client, Name: secret}
	}
	s.identity.serving, err = s.host.Certificate(ctx, host.CertificateConfig{
		Vault: vault, Service: service, Hosts: c.servingHosts(), APIServices: c.apiServices(), Lifetimes: c.Host.Lifetimes, Interval: c.Host.Interval,
	})
	return err
}

// checkHost makes readiness, and not liveness, depend on the host: a restart would not
// bring it back.
func (s *Server) checkHost(c CompletedOptions, config *genericapiserver.Config) error {
	secret, err := c.Host.secret()
	if err != nil {
		return err
	}
	service, err := host.ParseObjectName(c.Host.Service)
	if err != nil {
		return err
	}
	place := host.Place{Namespace: service.Namespace, Secret: secret, APIServices: c.apiServices()}
	for _, check := range s.host.Checks(place.Rights()) {
		config.AddReadyzChecks(healthz.NamedCheck(check.Name, func(r *http.Request) error { return check.Check(r.Context()) }))
	}
	return nil
}

// objects are a client and shared informers of the objects of Kubernetes. A copy of what a
// host has is without what nobody here looks at.
func (s *Server) objects(config *genericapiserver.Config) (kubernetes.Interface, informers.SharedInformerFactory, error) {
	client, err := kubernetes.NewForConfig(s.access(config))
	if err != nil {
		return nil, nil, fmt.Errorf("loopback client: %w", err)
	}
	if s.host == nil {
		return client, informers.NewSharedInformerFactory(client, resync), nil
	}
	patient, err := kubernetes.NewForConfig(s.background(config))
	if err != nil {
		return nil, nil, fmt.Errorf("client of the host: %w", err)
	}
	return client, informers.NewSharedInformerFactoryWithOptions(patient, resync, informers.WithTransform(func(obj any) (any, error) {
		if of, err := meta.Accessor(obj); err == nil {
			of.SetManagedFields(nil)
		}
		return obj, nil
	})), nil
}

// background is how informers and controllers reach the objects of Kubernetes.
func (s *Server) background(config *genericapiserver.Config) *rest.Config {
	if s.host != nil {
		return s.host.Background()
	}
	return config.LoopbackClientConfig
}

// kindHost is what the kinds may have of the host; nil without.
func (a *assembly) kindHost() *kind.Host {
	service, err := host.ParseObjectName(a.options.Host.Service)
	if a.host == nil || err != nil {
		return nil
	}
	out := a.host.Kind(service.Namespace)
	out.Shared = len(a.options.Etcd.StorageConfig.Transport.ServerList) > 0
	return out
}

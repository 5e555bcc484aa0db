// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/uuid"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/admission/namespacecreator"
	"github.com/stoa-project/stoa/controllers"
	"github.com/stoa-project/stoa/controllers/catalog"
	"github.com/stoa-project/stoa/controllers/election"
	"github.com/stoa-project/stoa/controllers/work"
	"github.com/stoa-project/stoa/registry/rbac/escalation"
	"github.com/stoa-project/stoa/server/host"
)

const (
	// controllersHook is what starts the controllers.
	controllersHook = "start-controllers"
	// lease is what the server holds that runs the controllers: in kube-system, or behind a
	// host where the server is.
	lease = "stoa-controllers"
)

// leases are what an election needs.
var leases = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"} //nolint:gochecknoglobals // constant

// addControllers adds the hook that starts the controllers, if there are any. Readiness
// does not wait for what they do.
func (s *Server) addControllers(a *assembly) error {
	c, config := a.options, a.config
	var enabled []controllers.Controller
	for _, controller := range controllers.Table() {
		if c.Controllers.Enabled(controller.Name) && c.available(config, controller.Needs) && (controller.Behind || !c.Host.Aggregated) {
			enabled = append(enabled, controller)
		}
	}
	if len(enabled) == 0 {
		return nil
	}
	served, err := catalog.New(s.access(config))
	if err != nil {
		return err
	}
	base, err := s.controllerBase(c)
	if err != nil {
		return err
	}
	base.Catalog, base.Informers, base.Local = served, a.informers, a.stores.local
	base.Tenancy, base.TenancyInformers = a.tenancy.client, a.tenancy.informers
	base.Guard = escalation.Guard{Authorizer: config.Authorization.Authorizer, Roles: a.roles}
	var runs []func(context.Context)
	for _, controller := range enabled {
		loopback := rest.AddUserAgent(rest.CopyConfig(s.background(config)), controller.Name)
		client, err := kubernetes.NewForConfig(loopback)
		if err != nil {
			return fmt.Errorf("loopback client: %w", err)
		}
		names, err := metadata.NewForConfig(loopback)
		if err != nil {
			return fmt.Errorf("loopback client: %w", err)
		}
		own := base
		own.Client, own.Metadata = client, names
		runs = append(runs, controller.New(own))
	}
	run := func(ctx context.Context) {
		var all sync.WaitGroup
		for _, run := range runs {
			all.Go(func() { run(ctx) })
		}
		all.Wait()
	}
	elected, err := c.elected(config)
	switch {
	case err != nil:
		return err
	case elected:
		return s.addElection(c, config, run)
	}
	return s.generic.AddPostStartHook(controllersHook, func(hook genericapiserver.PostStartHookContext) error {
		if hook.Err() == nil { // they have nothing to end before they run
			go run(hook)
		}
		return nil
	})
}

// elected says whether controllers run in one of several servers.
func (c CompletedOptions) elected(config *genericapiserver.Config) (bool, error) {
	possible := c.available(config, []schema.GroupVersionResource{leases, namespaces})
	if asked := c.Controllers.LeaderElect; asked != nil {
		if *asked && !possible {
			return false, errors.New("--leader-elect: leases.coordination.k8s.io and namespaces must be served")
		}
		return *asked, nil
	}
	return possible && len(c.Etcd.StorageConfig.Transport.ServerList) > 0, nil
}

// addElection adds the hooks that run the controllers while this server leads.
func (s *Server) addElection(c CompletedOptions, config *genericapiserver.Config, run func(context.Context)) error {
	times, namespace := c.Controllers.Times, metav1.NamespaceSystem
	if c.Host.Aggregated {
		service, err := host.ParseObjectName(c.Host.Service)
		if err != nil {
			return err
		}
		namespace = service.Namespace
	}
	loopback := rest.AddUserAgent(rest.CopyConfig(s.access(config)), "leader-election")
	loopback.Timeout = times.RenewDeadline / 2 // so that there is a second attempt
	client, err := kubernetes.NewForConfig(loopback)
	if err != nil {
		return fmt.Errorf("loopback client: %w", err)
	}
	machine, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("leader election: %w", err)
	}
	own := election.Election{
		Times: times, Leases: client.CoordinationV1(), Namespace: namespace, Name: lease, Identity: machine + "_" + string(uuid.NewUUID()),
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	err = s.generic.AddPostStartHook(controllersHook, func(hook genericapiserver.PostStartHookContext) error {
		go func() {
			defer close(ended)
			ctx, cancel := context.WithCancel(hook)
			defer cancel()
			go func() {
				select {
				case <-stop:
					cancel()
				case <-ctx.Done():
				}
			}()
			// Before that there may be no namespace for the lease.
			if hook.Err() != nil || s.WaitReady(ctx) != nil {
				return
			}
			if err := own.Run(ctx, run); err != nil {
				klog.FromContext(ctx).Error(err, "Controllers do not run")
			}
		}()
		return nil
	})
	if err != nil {
		return err
	}
	// The lease is freed by a request, so before the server stops to answer.
	return s.generic.AddPreShutdownHook("stop-controllers", func() error {
		close(stop)
		ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout) //nolint:forbidigo // the hook has none
		defer cancel()
		select {
		case <-ended:
		case <-ctx.Done():
		}
		return nil
	})
}

// controllerBase is what all controllers have that options and certificates say.
func (s *Server) controllerBase(c CompletedOptions) (work.Server, error) {
	o := c.Controllers
	base := work.Server{
		Alone: s.etcd != nil && !c.Host.Aggregated, Behind: c.Host.Aggregated, RequestTimeout: c.Run.RequestTimeout, Charges: c.Admission.charges, RootCA: s.identity.trust, SigningDuration: o.SigningDuration, Administrator: adminUser,
	}
	if s.host != nil {
		base.Lacks = s.host.Lacks
		service, err := host.ParseObjectName(c.Host.Service)
		if err != nil {
			return base, err
		}
		base.Place = service.Namespace
	}
	if s.tokens != nil { // behind another server there are none
		base.Tokens = s.tokens.issuer
	}
	given, err := o.RootCA()
	if err != nil {
		return base, err
	}
	if given != nil {
		base.RootCA = given
	}
	if ca := s.identity.authority; ca != nil {
		base.Authority = o.Signer(ca.Signer)
	} else {
		base.Authority = o.Signer(nil)
	}
	// Without the plugin anybody could write who made a namespace.
	if c.Admission.runs(namespacecreator.PluginName) {
		base.CreatorRole, base.OwnerRole = o.CreatorRole, c.Tenancy.OwnerRole
	}
	return base, nil
}

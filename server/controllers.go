// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/controllers"
	"github.com/stoa-project/stoa/controllers/catalog"
	"github.com/stoa-project/stoa/controllers/work"
)

// addControllers adds the hooks that start the controllers. Readiness does not wait
// for what they do.
func (s *Server) addControllers(c CompletedOptions, config *genericapiserver.Config, factory informers.SharedInformerFactory, all stores) error {
	served, err := catalog.New(s.access(config))
	if err != nil {
		return err
	}
	for _, controller := range controllers.Table() {
		if !c.Controllers.Enabled(controller.Name) || !c.available(config, controller.Needs) || c.Host.Aggregated && !controller.Behind {
			continue
		}
		loopback := rest.AddUserAgent(rest.CopyConfig(s.access(config)), controller.Name)
		client, err := kubernetes.NewForConfig(loopback)
		if err != nil {
			return fmt.Errorf("loopback client: %w", err)
		}
		names, err := metadata.NewForConfig(loopback)
		if err != nil {
			return fmt.Errorf("loopback client: %w", err)
		}
		run := controller.New(work.Server{
			Client: client, Metadata: names, Catalog: served,
			Informers: factory, Local: all.local, Charges: c.Admission.charges,
		})
		err = s.generic.AddPostStartHook("start-"+controller.Name, func(hook genericapiserver.PostStartHookContext) error {
			if hook.Err() == nil { // it has nothing to end before it runs
				go run(hook)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
)

// Controllers have a queue from the moment they are made, and only their run ends it.
// So those of a server that is never run are started in order to stop.

// discard ends the controllers and the storage of a server.
func discard(ctx context.Context, server *genericapiserver.GenericAPIServer) {
	server.RunPostStartHooks(over(ctx))
	server.Destroy()
}

// closed ends admission plugins when the server is closed. Upstream's signal, that
// requests are drained, comes only from a server that runs.
type closed chan struct{}

var _ admission.PluginInitializer = closed(nil)

// Initialize implements admission.PluginInitializer.
func (c closed) Initialize(plugin admission.Interface) {
	if wants, ok := plugin.(initializer.WantsDrainedNotification); ok {
		wants.SetDrainedNotification(c)
	}
}

// discardCertificates ends what reads files of certificates again.
func discardCertificates(ctx context.Context, serving *genericapiserver.SecureServingInfo) {
	ctx = over(ctx)
	end := func(provider any) {
		if runner, ok := provider.(dynamiccertificates.ControllerRunner); ok {
			runner.Run(ctx, 1)
		}
	}
	end(serving.Cert)
	end(serving.ClientCA)
	for _, sni := range serving.SNICerts {
		end(sni)
	}
}

// over returns a context that has ended.
func over(ctx context.Context) context.Context {
	ctx, end := context.WithCancel(ctx)
	end()
	return ctx
}

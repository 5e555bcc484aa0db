// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net/http"
	"sync/atomic"

	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/apiserver/pkg/server/mux"
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

// gate is the outermost handler, and has none behind it once the server is closed. HTTP/2
// sets the alarm of an idle connection anew while it closes one that has a stream: the
// connection, and what is behind the gate, would stay in memory for another 90 s.
type gate struct{ handler atomic.Pointer[http.Handler] }

func newGate(handler http.Handler) *gate {
	g := &gate{}
	g.handler.Store(&handler)
	return g
}

// ServeHTTP implements http.Handler.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler := g.handler.Load(); handler != nil {
		(*handler).ServeHTTP(w, r)
		return
	}
	http.Error(w, "the server is closed", http.StatusServiceUnavailable)
}

// close also takes away what upstream keeps beside the handler: routes, and by them all
// stores. Paths come and go under the lock of the mux, so whoever adds one has done so.
func (g *gate) close(front *genericapiserver.GenericAPIServer) {
	g.handler.Store(nil)
	front.Handler.NonGoRestfulMux.NotFoundHandler(http.NotFoundHandler())
	front.Handler.NonGoRestfulMux = mux.NewPathRecorderMux("closed")
	front.Handler.GoRestfulContainer, front.Handler.Director = nil, g
}

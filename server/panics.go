// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"k8s.io/apiserver/pkg/endpoints/responsewriter"
	genericapiserver "k8s.io/apiserver/pkg/server"
)

// handlerChain is upstream's, which writes an answer when a handler panics and then
// panics again. The connection, or the stream of HTTP/2, would be closed before the
// client has the answer.
func handlerChain(handler http.Handler, config *genericapiserver.Config) http.Handler {
	return answerPanics(genericapiserver.DefaultBuildHandlerChain(handler, config))
}

// answerPanics ends a panic after whose answer nothing else is to be sent. Who aborts an
// answer wants the client to see that there is more to it.
func answerPanics(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := &firstHead{ResponseWriter: w}
		defer func() {
			reason := recover()
			aborted := reason == http.ErrAbortHandler //nolint:errorlint // the panic is this very value
			if reason != nil && (aborted || !head.isError()) {
				panic(reason)
			}
		}()
		handler.ServeHTTP(responsewriter.WrapForHTTP1Or2(head), r)
	})
}

// firstHead remembers what begins an answer.
type firstHead struct {
	http.ResponseWriter
	// code is the status, and more says that another one was tried, or that something
	// came before it.
	code int
	more bool
}

var _ responsewriter.UserProvidedDecorator = (*firstHead)(nil)

// Unwrap implements responsewriter.UserProvidedDecorator.
func (h *firstHead) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (h *firstHead) WriteHeader(code int) {
	if code >= http.StatusOK { // others only announce it
		h.more = h.code != 0
		h.code = code
	}
	h.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (h *firstHead) Write(data []byte) (int, error) {
	if h.code == 0 {
		h.code = http.StatusOK
	}
	return h.ResponseWriter.Write(data)
}

// isError says whether the only answer is that of upstream's recovery.
func (h *firstHead) isError() bool { return h.code == http.StatusInternalServerError && !h.more }

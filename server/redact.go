// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/klog/v2"
)

// bodyLevel is the verbosity from which clients log what they send and get.
const bodyLevel = 8

// withoutBodies returns a context in which clients do not log bodies, which may be
// Secrets, on their way to webhooks for example.
func withoutBodies(ctx context.Context) context.Context {
	logger := klog.FromContext(ctx)
	if _, done := logger.GetSink().(bodySink); done || logger.GetSink() == nil {
		return ctx
	}
	return klog.NewContext(ctx, logger.WithSink(bodySink{logger.WithCallDepth(1).GetSink()}))
}

// bodySink logs how long a body is instead of the body.
type bodySink struct{ logr.LogSink }

var _ logr.CallDepthLogSink = bodySink{}

// Info implements logr.LogSink.
func (s bodySink) Info(level int, message string, pairs ...any) {
	if level >= bodyLevel && (message == "Request Body" || message == "Response Body") {
		for i := 1; i < len(pairs); i += 2 {
			if body, ok := pairs[i].(string); ok {
				pairs[i] = fmt.Sprintf("REDACTED, %d bytes", len(body))
			}
		}
	}
	s.LogSink.Info(level, message, pairs...)
}

// WithValues implements logr.LogSink.
func (s bodySink) WithValues(pairs ...any) logr.LogSink {
	return bodySink{s.LogSink.WithValues(pairs...)}
}

// WithName implements logr.LogSink.
func (s bodySink) WithName(name string) logr.LogSink { return bodySink{s.LogSink.WithName(name)} }

// WithCallDepth implements logr.CallDepthLogSink.
func (s bodySink) WithCallDepth(depth int) logr.LogSink {
	if inner, ok := s.LogSink.(logr.CallDepthLogSink); ok {
		return bodySink{inner.WithCallDepth(depth)}
	}
	return s
}

// withoutSecrets keeps Secrets out of logs and errors. An error about a patch has the
// whole object in it, whose values the client may not have the right to read, and audit
// logs have the error.
func withoutSecrets(handler http.Handler, codecs serializer.CodecFactory) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if logger := klog.FromContext(r.Context()).V(bodyLevel); logger.Enabled() {
			r = r.WithContext(withoutBodies(r.Context()))
		}
		info, ok := genericapirequest.RequestInfoFrom(r.Context())
		if !ok || info.Verb != "patch" || info.Resource != "secrets" || info.APIGroup != "" {
			handler.ServeHTTP(w, r)
			return
		}
		captured := &patchAnswer{ResponseWriter: w}
		handler.ServeHTTP(captured, r)
		if captured.code == http.StatusUnprocessableEntity {
			responsewriters.ErrorNegotiated(captured.problem(codecs), codecs, schema.GroupVersion{Version: "v1"}, w, r)
		}
	})
}

// patchAnswer holds back answers that say what is invalid.
type patchAnswer struct {
	http.ResponseWriter

	code int
	// body is what was held back, gzipped if its header said so.
	body   bytes.Buffer
	zipped bool
}

// WriteHeader implements http.ResponseWriter.
func (a *patchAnswer) WriteHeader(code int) {
	if a.code == 0 {
		a.code = code
	}
	if code != http.StatusUnprocessableEntity {
		a.ResponseWriter.WriteHeader(code)
		return
	}
	// The answer in its place says itself how it is encoded.
	header := a.Header()
	a.zipped = header.Get("Content-Encoding") == "gzip"
	header.Del("Content-Encoding")
	header.Del("Vary")
}

// Write implements http.ResponseWriter.
func (a *patchAnswer) Write(data []byte) (int, error) {
	if a.code == http.StatusUnprocessableEntity {
		return a.body.Write(data)
	}
	return a.ResponseWriter.Write(data)
}

// status is the answer that was held back.
func (a *patchAnswer) status(codecs serializer.CodecFactory) (*metav1.Status, bool) {
	body := io.Reader(&a.body)
	if a.zipped {
		plain, err := gzip.NewReader(body)
		if err != nil {
			return nil, false
		}
		body = plain
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return nil, false
	}
	decoded, _, err := codecs.UniversalDeserializer().Decode(content, nil, nil)
	status, ok := decoded.(*metav1.Status)
	return status, ok && err == nil
}

// problem is the error of the answer, without the object.
func (a *patchAnswer) problem(codecs serializer.CodecFactory) error {
	status, ok := a.status(codecs)
	if !ok {
		return apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "patch", schema.GroupResource{Resource: "secrets"}, "", "", 0, true)
	}
	if status.Details != nil {
		for _, cause := range status.Details.Causes {
			if cause.Field != "patch" {
				continue
			}
			value, err := strconv.QuotedPrefix(strings.TrimPrefix(cause.Message, "Invalid value: "))
			if err != nil {
				value = cause.Message
			}
			_, detail, _ := strings.Cut(cause.Message, value+": ")
			return apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{field.Invalid(field.NewPath("patch"), redacted, detail)})
		}
	}
	return &apierrors.StatusError{ErrStatus: *status}
}

// redacted is what kube-apiserver has in the place of values of Secrets.
const redacted = "<secret contents redacted>"

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package extremes

import (
	"bytes"
	"io"
	"net/http"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
)

// Patches refuses patches with what does harm, before handler sees them: those
// that are merged with an object without decoding the whole. limit is how many bytes a
// body may have; typeOf returns the type of a resource, or nil.
func Patches(handler http.Handler, limit int64, typeOf func(schema.GroupVersionResource) reflect.Type, errors runtime.NegotiatedSerializer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mediaType := ofPatch(r)
		info, ok := genericapirequest.RequestInfoFrom(r.Context())
		if mediaType == "" || !ok || !info.IsResourceRequest {
			handler.ServeHTTP(w, r)
			return
		}
		resource := schema.GroupVersionResource{Group: info.APIGroup, Version: info.APIVersion, Resource: info.Resource}
		if err := checkBody(r, limit, mediaType, func() reflect.Type { return typeOf(resource) }); err != nil {
			responsewriters.ErrorNegotiated(err, errors, resource.GroupVersion(), w, r)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// ofPatch returns in what format a patch is that must be looked at; empty if it is none.
func ofPatch(r *http.Request) string {
	if r.Method != http.MethodPatch {
		return ""
	}
	content, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch types.PatchType(strings.ToLower(strings.TrimSpace(content))) {
	case types.StrategicMergePatchType:
		return runtime.ContentTypeJSON
	case types.ApplyYAMLPatchType:
		return runtime.ContentTypeYAML
	case types.ApplyCBORPatchType:
		return runtime.ContentTypeCBOR
	default:
		return ""
	}
}

// checkBody reads the body of a request and gives it back.
func checkBody(r *http.Request, limit int64, mediaType string, typeOf func() reflect.Type) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	r.Body = rest{io.MultiReader(bytes.NewReader(body), failed{err}, r.Body), r.Body}
	if err != nil || int64(len(body)) > limit || !suspect(body, mediaType) {
		return nil //nolint:nilerr // the handler gets the error as it reads on
	}
	return check(body, mediaType, typeOf())
}

// rest is a body of which a part was read.
type rest struct {
	io.Reader
	io.Closer
}

// failed gives an error to who reads it.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

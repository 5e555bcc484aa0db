// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package review

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"

	"github.com/stoa-project/stoa/apis/tenancy"
)

// Resource is what users must be allowed to create to have something reviewed. It is not
// among what the group is said to have.
const Resource = "admissions"

const (
	root = "/apis/" + tenancy.GroupName + "/v1/" + Resource
	// MutatePath is where reviews are sent to of objects that may be changed.
	MutatePath = root + "/mutate"
	// ValidatePath is where reviews are sent to of objects that are to be judged.
	ValidatePath = root + "/validate"
)

// Reviewer answers reviews.
type Reviewer struct {
	// Plugins see what is reviewed.
	Plugins admission.Interface
	// MaxObject is how many bytes an object may have; zero: any number.
	MaxObject int64
}

// Serve answers the requests that are reviews, and passes on all others.
func (v Reviewer) Serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var see func(context.Context, *request) error
		switch r.URL.Path {
		case MutatePath:
			see = v.mutate
		case ValidatePath:
			see = v.validate
		default:
			next.ServeHTTP(w, r)
			return
		}
		answer, err := v.answer(r, see)
		if err != nil {
			status := responsewriters.ErrorToAPIStatus(err)
			responsewriters.WriteRawJSON(int(status.Code), status, w)
			return
		}
		responsewriters.WriteRawJSON(http.StatusOK, answer, w)
	})
}

// answer is the review with what the plugins say.
func (v Reviewer) answer(r *http.Request, see func(context.Context, *request) error) (*admissionv1.AdmissionReview, error) {
	if r.Method != http.MethodPost {
		return nil, apierrors.NewMethodNotSupported(tenancy.Resource(Resource), r.Method)
	}
	body := io.Reader(r.Body)
	if v.MaxObject > 0 {
		const both, rest = 2, 1 << 20 // the object as it was too, and what is around them
		body = http.MaxBytesReader(nil, r.Body, both*v.MaxObject+rest)
	}
	content, err := io.ReadAll(body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", tooLarge.Limit))
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("read the review: %v", err))
	}
	review := &admissionv1.AdmissionReview{}
	if err := json.Unmarshal(content, review); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("read the review: %v", err))
	}
	if want := admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"); review.GroupVersionKind() != want || review.Request == nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the body must be an AdmissionReview of %s with a request", want.GroupVersion()))
	}
	asked, err := read(review.Request)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	out := &admissionv1.AdmissionReview{TypeMeta: review.TypeMeta, Response: &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}}
	if err := see(r.Context(), asked); err != nil {
		out.Response.Allowed, out.Response.Result = false, responsewriters.ErrorToAPIStatus(err)
		return out, nil
	}
	if len(asked.patch) > 0 {
		out.Response.Patch, out.Response.PatchType = asked.patch, new(admissionv1.PatchTypeJSONPatch)
	}
	return out, nil
}

// request is a write that is reviewed, with the patch that the plugins ask for.
type request struct {
	admission.Attributes
	patch []byte
}

func read(r *admissionv1.AdmissionRequest) (*request, error) {
	kind := schema.GroupVersionKind{Group: r.Kind.Group, Version: r.Kind.Version, Kind: r.Kind.Kind}
	resource := schema.GroupVersionResource{Group: r.Resource.Group, Version: r.Resource.Version, Resource: r.Resource.Resource}
	now, err := object(kind, r.Object.Raw)
	if err != nil {
		return nil, err
	}
	old, err := object(kind, r.OldObject.Raw)
	if err != nil {
		return nil, err
	}
	dry := r.DryRun != nil && *r.DryRun
	return &request{Attributes: admission.NewAttributesRecord(
		now, old, kind, r.Namespace, r.Name, resource, r.SubResource, admission.Operation(r.Operation), nil, dry, userOf(&r.UserInfo),
	)}, nil
}

func userOf(info *authenticationv1.UserInfo) user.Info {
	out := &user.DefaultInfo{Name: info.Username, UID: info.UID, Groups: info.Groups, Extra: map[string][]string{}}
	for key, values := range info.Extra {
		out.Extra[key] = values
	}
	return out
}

// mutate has the plugins change an object, and keeps how.
func (v Reviewer) mutate(ctx context.Context, r *request) error {
	plugins, ok := v.Plugins.(admission.MutationInterface)
	if !ok || !plugins.Handles(r.GetOperation()) || r.GetObject() == nil {
		return nil
	}
	before := r.GetObject().DeepCopyObject()
	if err := plugins.Admit(ctx, r, nil); err != nil {
		return err
	}
	var err error
	r.patch, err = patch(before, r.GetObject())
	return err
}

// validate has the plugins judge a write.
func (v Reviewer) validate(ctx context.Context, r *request) error {
	plugins, ok := v.Plugins.(admission.ValidationInterface)
	if !ok || !plugins.Handles(r.GetOperation()) {
		return nil
	}
	return plugins.Validate(ctx, r, nil)
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	tokenjwt "k8s.io/apiserver/pkg/authentication/token/jwt"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/warning"

	"github.com/stoa-project/stoa/apis/authentication"
	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// tokenREST serves create on serviceaccounts/token: tokens of an account, for as long
// as a pod, node or secret is there if it is bound to one.
type tokenREST struct {
	accounts, pods, nodes, secrets *kind.REST // the last three are nil if they are not served
	tokens                         *kind.Tokens
	audiences                      []string
	// checkUID refuses a request that was meant for another account of the name.
	checkUID bool
}

var (
	_ rest.NamedCreater                   = (*tokenREST)(nil)
	_ rest.GroupVersionKindProvider       = (*tokenREST)(nil)
	_ rest.SubresourceObjectMetaPreserver = (*tokenREST)(nil)
)

// joinTokens adds the subresource of service accounts, if the server issues tokens.
func joinTokens(server kind.Server, paths map[string]rest.Storage) {
	accounts, ok := paths["serviceaccounts"].(*kind.REST)
	if !ok || server.Tokens == nil {
		return
	}
	r := &tokenREST{accounts: accounts, tokens: server.Tokens, audiences: server.Audiences, checkUID: server.Gates["TokenRequestServiceAccountUIDValidation"]}
	r.pods, _ = paths["pods"].(*kind.REST)
	r.nodes, _ = paths["nodes"].(*kind.REST)
	r.secrets, _ = paths["secrets"].(*kind.REST)
	paths["serviceaccounts/token"] = r
}

func (r *tokenREST) New() runtime.Object { return &authentication.TokenRequest{} }

// Destroy does nothing: the main endpoint destroys the store that both share.
func (r *tokenREST) Destroy() {}

// GroupVersionKind implements rest.GroupVersionKindProvider.
func (r *tokenREST) GroupVersionKind(schema.GroupVersion) schema.GroupVersionKind {
	return authenticationv1.SchemeGroupVersion.WithKind("TokenRequest")
}

// PreserveRequestObjectMetaSystemFieldsOnSubresourceCreate implements
// rest.SubresourceObjectMetaPreserver: the UID is that of the account.
func (r *tokenREST) PreserveRequestObjectMetaSystemFieldsOnSubresourceCreate() bool { return true }

// Create implements rest.NamedCreater.
func (r *tokenREST) Create(ctx context.Context, name string, obj runtime.Object, validate rest.ValidateObjectFunc, _ *metav1.CreateOptions) (runtime.Object, error) {
	request := obj.(*authentication.TokenRequest)
	now := time.Now()
	account, err := r.complete(ctx, name, request, now)
	if err != nil {
		return nil, err
	}
	if errs := validation.ValidateTokenRequest((*authenticationv1.TokenRequest)(request)); len(errs) > 0 {
		return nil, apierrors.NewInvalid(authentication.Kind("TokenRequest"), "", errs)
	}
	if validate != nil {
		if err := validate(ctx, obj.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	claims := kind.TokenClaims{Namespace: account.Namespace, Account: kind.TokenObject{Name: name, UID: account.UID}, Audiences: request.Spec.Audiences, IssuedAt: now}
	if err := r.bind(ctx, request.Spec.BoundObjectRef, &claims); err != nil {
		return nil, err
	}
	r.limit(ctx, request, &claims)
	token, id, err := r.tokens.Issue(claims)
	if status := apierrors.APIStatus(nil); err != nil && !errors.As(err, &status) {
		err = apierrors.NewInternalError(fmt.Errorf("failed to generate token: %w", err))
	}
	if err != nil {
		return nil, err
	}
	audit.AddAuditAnnotation(ctx, serviceaccount.IssuedCredentialIDAuditAnnotationKey, tokenjwt.CredentialIDForJTI(id))
	out := request.DeepCopy()
	expires := now.Add(time.Duration(*request.Spec.ExpirationSeconds) * time.Second)
	out.Status = authenticationv1.TokenRequestStatus{Token: token, ExpirationTimestamp: metav1.NewTime(expires)}
	return out, nil
}

// complete fills in what follows from the account, and refuses what contradicts it.
func (r *tokenREST) complete(ctx context.Context, name string, request *authentication.TokenRequest, now time.Time) (*core.ServiceAccount, error) {
	namespace := genericapirequest.NamespaceValue(ctx)
	for _, f := range []struct{ name, value, want string }{
		{"name", request.Name, name},
		{"namespace", request.Namespace, namespace},
	} {
		if f.value != "" && f.value != f.want {
			what := "must match the service account " + f.name + " if specified"
			return nil, apierrors.NewInvalid(authentication.Kind("TokenRequest"), name,
				field.ErrorList{field.Invalid(field.NewPath("metadata", f.name), f.value, what)})
		}
	}
	obj, err := r.accounts.Get(ctx, name, &metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	account := obj.(*core.ServiceAccount)
	switch {
	case request.UID == "":
		request.UID = account.UID
	case request.UID != account.UID:
		mismatch := fmt.Sprintf("the UID in the token request (%s) does not match the UID of the service account (%s)", request.UID, account.UID)
		if r.checkUID {
			return nil, apierrors.NewConflict(schema.GroupResource{Group: authentication.GroupName, Resource: "TokenRequest"}, name, errors.New(mismatch))
		}
		audit.AddAuditAnnotation(ctx, "authentication.k8s.io/token-request-uid-mismatch", mismatch)
		warning.AddWarning(ctx, "", mismatch+" but TokenRequestServiceAccountUIDValidation is not enabled. In the future, this will return a conflict error")
	}
	request.Name, request.Namespace, request.CreationTimestamp = name, namespace, metav1.NewTime(now)
	if len(request.Spec.Audiences) == 0 {
		request.Spec.Audiences = slices.Clone(r.audiences)
	}
	request.Status = authenticationv1.TokenRequestStatus{}
	return account, nil
}

// bind adds to the claims the object without which the token shall not hold.
func (r *tokenREST) bind(ctx context.Context, ref *authenticationv1.BoundObjectReference, claims *kind.TokenClaims) error {
	if ref == nil {
		return nil
	}
	var bound *kind.TokenObject
	var err error
	gvk := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	switch {
	case gvk.Group == "" && gvk.Kind == "Pod":
		err = r.bindToPod(ctx, ref.Name, claims)
		bound = claims.Pod
	case gvk.Group == "" && gvk.Kind == "Node":
		bound, err = find(ctx, r.nodes, core.Resource("nodes"), types.NamespacedName{Name: ref.Name})
		claims.Node = bound
	case gvk.Group == "" && gvk.Kind == "Secret":
		bound, err = find(ctx, r.secrets, core.Resource("secrets"), types.NamespacedName{Namespace: claims.Namespace, Name: ref.Name})
		claims.Secret = bound
	case gvk.GroupVersion() == admissionregistrationv1.SchemeGroupVersion &&
		(gvk.Kind == "ValidatingWebhookConfiguration" || gvk.Kind == "MutatingWebhookConfiguration"):
		err = apierrors.NewBadRequest(fmt.Sprintf("cannot bind token to object of type %s (feature gate APIServerWebhookAuthenticationToken is disabled)", gvk))
	default:
		err = apierrors.NewBadRequest(fmt.Sprintf("cannot bind token to object of type %s", gvk))
	}
	if err != nil {
		return err
	}
	if ref.UID != "" && ref.UID != bound.UID {
		return apierrors.NewConflict(schema.GroupResource{Group: gvk.Group, Resource: gvk.Kind}, ref.Name,
			fmt.Errorf("the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", ref.UID))
	}
	return nil
}

// bindToPod binds the token to a pod that runs as the account, and notes its node.
func (r *tokenREST) bindToPod(ctx context.Context, name string, claims *kind.TokenClaims) error {
	obj, err := lookup(ctx, r.pods, core.Resource("pods"), types.NamespacedName{Namespace: claims.Namespace, Name: name})
	if err != nil {
		return err
	}
	pod := obj.(*core.Pod)
	if pod.Spec.ServiceAccountName != claims.Account.Name {
		return apierrors.NewBadRequest(fmt.Sprintf("cannot bind token for serviceaccount %q to pod running with different serviceaccount name.", claims.Account.Name))
	}
	claims.Pod = &kind.TokenObject{Name: pod.Name, UID: pod.UID}
	if pod.Spec.NodeName == "" {
		return nil
	}
	claims.Node, err = find(ctx, r.nodes, core.Resource("nodes"), types.NamespacedName{Name: pod.Spec.NodeName})
	switch {
	case apierrors.IsNotFound(err):
		claims.Node = &kind.TokenObject{Name: pod.Spec.NodeName}
	case err != nil:
		return apierrors.NewInternalError(err)
	}
	return nil
}

// limit decides how long the token holds.
func (r *tokenREST) limit(ctx context.Context, request *authentication.TokenRequest, claims *kind.TokenClaims) {
	seconds := request.Spec.ExpirationSeconds
	if limit := r.tokens.MaxSeconds; limit > 0 && *seconds > limit {
		warning.AddWarning(ctx, "", fmt.Sprintf("requested expiration of %d seconds shortened to %d seconds", *seconds, limit))
		*seconds = limit
	}
	claims.Seconds = *seconds
	forOthers := slices.ContainsFunc(claims.Audiences, func(a string) bool { return !slices.Contains(r.audiences, a) })
	if r.tokens.ExtendedSeconds > 0 && claims.Pod != nil && *seconds == core.PodTokenSeconds && !forOthers {
		claims.WarnAfter, claims.Seconds = *seconds, r.tokens.ExtendedSeconds
	}
}

// find returns how a token names an object.
func find(ctx context.Context, store *kind.REST, resource schema.GroupResource, key types.NamespacedName) (*kind.TokenObject, error) {
	obj, err := lookup(ctx, store, resource, key)
	if err != nil {
		return nil, err
	}
	return &kind.TokenObject{Name: key.Name, UID: obj.(metav1.Object).GetUID()}, nil
}

// lookup reads an object of a resource that may not be served.
func lookup(ctx context.Context, store *kind.REST, resource schema.GroupResource, key types.NamespacedName) (runtime.Object, error) {
	if store == nil {
		return nil, apierrors.NewNotFound(resource, key.Name)
	}
	return store.Lookup(ctx, key, kind.FromStore)
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstraptoken

import (
	"context"
	"crypto/subtle"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// NewInformer returns an informer of the Secrets that are bootstrap tokens, and of no
// others: a cluster has few of them, and many Secrets.
func NewInformer(client kubernetes.Interface) cache.SharedIndexInformer {
	return coreinformers.NewFilteredSecretInformer(client, metav1.NamespaceSystem, 0,
		cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc}, // what the lister looks by
		func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector("type", SecretType).String()
		})
}

// Authenticator is an authenticator.Token.
type Authenticator struct {
	secrets corelisters.SecretNamespaceLister
}

var _ authenticator.Token = (*Authenticator)(nil)

// New returns an authenticator that looks into an informer of NewInformer.
func New(informer cache.SharedIndexInformer) *Authenticator {
	return &Authenticator{secrets: corelisters.NewSecretLister(informer.GetIndexer()).Secrets(metav1.NamespaceSystem)}
}

// AuthenticateToken implements authenticator.Token. The user is system:bootstrap: and
// the ID, in system:bootstrappers and the groups of the token.
func (a *Authenticator) AuthenticateToken(ctx context.Context, value string) (*authenticator.Response, bool, error) {
	id, secret, ok := Parse(value)
	if !ok {
		return nil, false, nil
	}
	// Who knows which IDs there are knows nothing that is secret.
	object, err := a.secrets.Get(SecretName(id))
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, false, err
	}
	if err != nil {
		return nil, false, nil
	}
	if subtle.ConstantTimeCompare([]byte(secret), object.Data[keySecret]) != 1 {
		return nil, false, nil
	}
	token, reason := usable(object, time.Now())
	if reason != "" {
		klog.FromContext(ctx).V(3).Info("A bootstrap token was not accepted", "secret", klog.KObj(object), "reason", reason)
		return nil, false, nil
	}
	groups := append([]string{group}, token.Groups...)
	slices.Sort(groups)
	return &authenticator.Response{User: &user.DefaultInfo{Name: userPrefix + id, Groups: slices.Compact(groups)}}, true, nil
}

// usable returns the token that a Secret holds, or why it lets nobody in.
func usable(object *corev1.Secret, now time.Time) (_ *Token, reason string) {
	token, err := FromObject(object)
	switch {
	case err != nil:
		return nil, err.Error()
	case object.DeletionTimestamp != nil:
		return nil, "it is being deleted"
	case !token.Expires.IsZero() && !now.Before(token.Expires):
		return nil, "it has expired"
	case !slices.Contains(token.Usages, UsageAuthentication):
		return nil, "it is not for authentication"
	default:
		return token, ""
	}
}

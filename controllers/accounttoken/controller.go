// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package accounttoken is the controller that fills secrets of the type
// kubernetes.io/service-account-token with the token of the account that they name, and
// deletes those whose account is gone.
package accounttoken

import (
	"bytes"
	"context"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/authn/serviceaccount"
	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// Name is that of the controller.
	Name = "serviceaccount-token-controller"
	// Names of the queues in metrics, which are upstream's.
	accountQueue = "serviceaccount_tokens_service"
	secretQueue  = "serviceaccount_tokens_secret"
)

type controller struct {
	server   work.Server
	accounts corelisters.ServiceAccountLister
	gone     *work.Queue // of the keys of accounts that were deleted
	secrets  *work.Queue // of the keys of secrets that may lack something, or be gone
}

// New returns the controller: a function that works until its context ends.
func New(server work.Server) func(context.Context) {
	informer := server.Informers.Core().V1().ServiceAccounts()
	shared := informer.Informer()
	return func(ctx context.Context) {
		c := &controller{server: server, accounts: informer.Lister()}
		c.gone, c.secrets = work.NewQueue(accountQueue, c.syncAccount), work.NewQueue(secretQueue, c.syncSecret)
		registration, err := shared.AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: func(obj any) {
			if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(obj); err == nil {
				c.gone.Add(key)
			}
		}})
		if err != nil {
			klog.FromContext(ctx).Error(err, "Secrets get no tokens of service accounts")
			return
		}
		look := func(obj metav1.Object) { c.secrets.Add(cache.MetaObjectToName(obj).String()) }
		var all sync.WaitGroup
		all.Go(func() {
			server.Follow(ctx, work.Watch{
				Resource: corev1.SchemeGroupVersion.WithResource("secrets"), Fields: ofTokens().String(), Seen: look, Gone: look,
			})
		})
		all.Go(func() { c.gone.Run(ctx, shared) })
		c.secrets.Run(ctx, shared)
		_ = shared.RemoveEventHandler(registration)
		all.Wait()
	}
}

// ofTokens selects secrets that are for tokens.
func ofTokens() fields.Selector {
	return fields.OneTermEqualSelector("type", string(corev1.SecretTypeServiceAccountToken))
}

// syncAccount has the secrets of an account looked at.
func (c *controller) syncAccount(ctx context.Context, key string) error {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return err
	}
	secrets, err := c.server.Client.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{FieldSelector: ofTokens().String()})
	if err != nil {
		return err
	}
	for i := range secrets.Items {
		if secret := &secrets.Items[i]; secret.Annotations[corev1.ServiceAccountNameKey] == name {
			c.secrets.Add(cache.MetaObjectToName(secret).String())
		}
	}
	return nil
}

// syncSecret fills a secret, or deletes it if there is no account for it.
func (c *controller) syncSecret(ctx context.Context, key string) error {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return err
	}
	secrets := c.server.Client.CoreV1().Secrets(namespace)
	secret, err := secrets.Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return c.forget(ctx, namespace, name)
	case err != nil:
		return err
	case secret.Type != corev1.SecretTypeServiceAccountToken || secret.DeletionTimestamp != nil:
		return nil
	}
	account, err := c.server.Client.CoreV1().ServiceAccounts(namespace).Get(ctx, secret.Annotations[corev1.ServiceAccountNameKey], metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if uid := types.UID(secret.Annotations[corev1.ServiceAccountUIDKey]); err != nil || uid != "" && uid != account.UID {
		err := secrets.Delete(ctx, name, *metav1.NewPreconditionDeleteOptions(string(secret.UID)))
		if err == nil {
			klog.FromContext(ctx).V(2).Info("Deleted a secret with a token whose account is gone", "secret", klog.KObj(secret))
		}
		return settled(err)
	}
	changed, err := c.fill(secret, account)
	if err != nil || !changed {
		return err
	}
	_, err = secrets.Update(ctx, secret, metav1.UpdateOptions{})
	return settled(err)
}

// fill gives a secret what it lacks.
func (c *controller) fill(secret *corev1.Secret, account *corev1.ServiceAccount) (changed bool, err error) {
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	if ca := c.server.RootCA; len(ca) > 0 && !bytes.Equal(secret.Data[corev1.ServiceAccountRootCAKey], ca) {
		secret.Data[corev1.ServiceAccountRootCAKey], changed = ca, true
	}
	if len(secret.Data[corev1.ServiceAccountNamespaceKey]) == 0 {
		secret.Data[corev1.ServiceAccountNamespaceKey], changed = []byte(secret.Namespace), true
	}
	if len(secret.Data[corev1.ServiceAccountTokenKey]) == 0 {
		token, err := c.server.Tokens.IssueInSecret(secret.Name, serviceaccount.Reference{Namespace: account.Namespace, Name: account.Name, UID: account.UID})
		if err != nil {
			return false, err
		}
		secret.Data[corev1.ServiceAccountTokenKey], changed = []byte(token), true
	}
	if changed {
		metav1.SetMetaDataAnnotation(&secret.ObjectMeta, corev1.ServiceAccountUIDKey, string(account.UID))
	}
	return changed, nil
}

// forget takes a secret that is gone from the accounts that list it.
func (c *controller) forget(ctx context.Context, namespace, secret string) error {
	accounts, err := c.accounts.ServiceAccounts(namespace).List(labels.Everything())
	if err != nil {
		return err
	}
	named := func(r corev1.ObjectReference) bool { return r.Name == secret }
	for _, account := range accounts {
		if !slices.ContainsFunc(account.Secrets, named) {
			continue
		}
		account = account.DeepCopy()
		account.Secrets = slices.DeleteFunc(account.Secrets, named)
		if _, err := c.server.Client.CoreV1().ServiceAccounts(namespace).Update(ctx, account, metav1.UpdateOptions{}); err != nil {
			return settled(err)
		}
	}
	return nil
}

// settled says what the error of a write means: what has changed is looked at again, and
// what is gone needs nothing.
func settled(err error) error {
	switch {
	case apierrors.IsConflict(err):
		return work.AgainError{}
	case apierrors.IsNotFound(err):
		return nil
	}
	return err
}

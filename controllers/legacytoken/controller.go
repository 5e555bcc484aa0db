// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package legacytoken is the controller that cleans up after versions of Kubernetes that
// made a secret with a token for each service account: when nobody used it for a year it
// is marked as invalid, and after another year it is deleted.
package legacytoken

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/kubernetes"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/core/references"
	"github.com/stoa-project/stoa/controllers/work"
)

const (
	// Name is that of the controller.
	Name = "legacy-serviceaccount-token-cleaner-controller"
	// interval is how often secrets are looked at, unused how long a token stays without
	// use, and then as an invalid one.
	interval = 24 * time.Hour
	unused   = 365 * 24 * time.Hour

	tracking     = "kube-apiserver-legacy-service-account-token-tracking"
	trackedSince = "since"
	lastUsed     = "kubernetes.io/legacy-token-last-used"
	invalidSince = "kubernetes.io/legacy-token-invalid-since"
)

// New returns the controller: a function that works until its context ends.
func New(server work.Server) func(context.Context) {
	return func(ctx context.Context) {
		work.Again(ctx, interval, "Could not clean up all tokens that nobody uses", func(ctx context.Context) error {
			return cleaner{client: server.Client, now: time.Now().UTC(), mounted: map[string]sets.Set[string]{}}.clean(ctx)
		})
	}
}

// cleaner looks at all secrets once.
type cleaner struct {
	client kubernetes.Interface
	now    time.Time
	// mounted are the secrets that pods have, by namespace.
	mounted map[string]sets.Set[string]
}

func (c cleaner) clean(ctx context.Context) error {
	long, err := c.trackedLong(ctx)
	if err != nil || !long {
		return err
	}
	tokens := metav1.ListOptions{FieldSelector: "type=" + string(corev1.SecretTypeServiceAccountToken)}
	return work.EachListed(ctx, c.client.CoreV1().Secrets("").List, tokens, func(secret *corev1.Secret) error {
		if err := c.look(ctx, secret); err != nil {
			return fmt.Errorf("secret %s/%s: %w", secret.Namespace, secret.Name, err)
		}
		return nil
	})
}

// trackedLong says whether uses are written down for long enough that a token without
// one can be called unused.
func (c cleaner) trackedLong(ctx context.Context) (bool, error) {
	configMap, err := c.client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, tracking, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("config map with the beginning of tracking: %w", err)
	}
	since, err := time.Parse(time.DateOnly, configMap.Data[trackedSince])
	if err != nil {
		return false, fmt.Errorf("config map %s/%s, key %s: %w", metav1.NamespaceSystem, tracking, trackedSince, err)
	}
	return !c.now.Before(since.AddDate(0, 0, 1).Add(unused)), nil
}

// look marks or deletes a secret if nobody uses it.
func (c cleaner) look(ctx context.Context, secret *corev1.Secret) error {
	limit := c.now.Add(-unused)
	day := limit.Format(time.DateOnly)
	if secret.DeletionTimestamp != nil || !secret.CreationTimestamp.Time.Before(limit) {
		return nil
	}
	if last, is := secret.Labels[lastUsed]; is {
		if _, err := time.Parse(time.DateOnly, last); err != nil {
			return fmt.Errorf("label %s: %w", lastUsed, err)
		}
		if last >= day {
			return nil
		}
	}
	generated, err := c.generated(ctx, secret)
	if err != nil || !generated {
		return err
	}
	mounted, err := c.isMounted(ctx, secret)
	if err != nil || mounted {
		return err
	}
	secrets := c.client.CoreV1().Secrets(secret.Namespace)
	since := secret.Labels[invalidSince]
	if _, err := time.Parse(time.DateOnly, since); err != nil {
		return c.mark(ctx, secret)
	}
	if since >= day {
		return nil
	}
	err = secrets.Delete(ctx, secret.Name, *metav1.NewRVDeletionPrecondition(secret.ResourceVersion))
	if err == nil {
		klog.FromContext(ctx).Info("Deleted a secret with a token that nobody uses", "secret", klog.KObj(secret), "lastUsed", secret.Labels[lastUsed], "invalidSince", since)
	}
	return work.Settled(err)
}

// mark says that the token of a secret is invalid.
func (c cleaner) mark(ctx context.Context, secret *corev1.Secret) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": secret.UID, "labels": map[string]string{invalidSince: c.now.Format(time.DateOnly)},
	}})
	if err != nil {
		return err
	}
	_, err = c.client.CoreV1().Secrets(secret.Namespace).Patch(ctx, secret.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: Name})
	if err == nil {
		klog.FromContext(ctx).Info("Marked a token that nobody uses as invalid", "secret", klog.KObj(secret), "lastUsed", secret.Labels[lastUsed])
	}
	return work.Settled(err)
}

// generated says whether a secret was made for its account, which then lists it, and not
// by somebody for a use that comes once in many years.
func (c cleaner) generated(ctx context.Context, secret *corev1.Secret) (bool, error) {
	name, uid := secret.Annotations[corev1.ServiceAccountNameKey], types.UID(secret.Annotations[corev1.ServiceAccountUIDKey])
	if name == "" {
		return false, nil
	}
	account, err := c.client.CoreV1().ServiceAccounts(secret.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil || uid != "" && uid != account.UID {
		return false, err
	}
	return slices.ContainsFunc(account.Secrets, func(r corev1.ObjectReference) bool { return r.Name == secret.Name }), nil
}

func (c cleaner) isMounted(ctx context.Context, secret *corev1.Secret) (bool, error) {
	names, known := c.mounted[secret.Namespace]
	if !known {
		pods, err := c.client.CoreV1().Pods(secret.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		names = sets.Set[string]{}
		for i := range pods.Items {
			names.Insert(references.Secrets(&pods.Items[i].Spec)...)
		}
		c.mounted[secret.Namespace] = names
	}
	return names.Has(secret.Name), nil
}

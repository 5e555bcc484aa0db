// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/server/pki"
)

const (
	// The lifetimes of what the server shows to the cluster.
	authorityLifetime = 365 * 24 * time.Hour
	servingLifetime   = 90 * 24 * time.Hour
	authorityOverlap  = 24 * time.Hour
	// syncInterval is how often the server looks whether everything is as it should be,
	// and soonest and later when it looks again if it is not.
	syncInterval = time.Minute
	soonest      = 250 * time.Millisecond
)

// DefaultLifetimes are those of a server's authority and certificate.
func DefaultLifetimes() pki.Lifetimes {
	return pki.Lifetimes{Authority: authorityLifetime, Leaf: servingLifetime, Overlap: authorityOverlap}
}

// ObjectName is where an object of the cluster is.
type ObjectName struct{ Namespace, Name string }

// ParseObjectName reads namespace/name.
func ParseObjectName(text string) (ObjectName, error) {
	namespace, name, ok := strings.Cut(text, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return ObjectName{}, fmt.Errorf("%q must be namespace/name", text)
	}
	return ObjectName{Namespace: namespace, Name: name}, nil
}

// CertificateConfig says which certificate the server has.
type CertificateConfig struct {
	// Vault is where the authorities are kept.
	Vault Vault
	// Service is the one by which the cluster reaches the server.
	Service ObjectName
	// Hosts are more names of the server.
	Hosts []string
	// APIServices are told about the authorities.
	APIServices []string
	Lifetimes   pki.Lifetimes
	// Interval is how often the certificate is looked after. Unset: each minute.
	Interval time.Duration
}

// Certificate is what the server shows to the cluster, and keeps good without a
// restart: authorities follow one another, and the APIServices of the server know the
// next one before it signs.
type Certificate struct {
	host   *Host
	config CertificateConfig

	mu        sync.Mutex
	listeners []dynamiccertificates.Listener
	pair      *pki.Pair
}

var (
	_ dynamiccertificates.CertKeyContentProvider = (*Certificate)(nil)
	_ dynamiccertificates.ControllerRunner       = (*Certificate)(nil)
)

// Certificate returns the certificate. If the authorities cannot be read, it is signed
// by one of its own until they can.
func (h *Host) Certificate(ctx context.Context, config CertificateConfig) (*Certificate, error) {
	if config.Interval == 0 {
		config.Interval = syncInterval
	}
	c := &Certificate{host: h, config: config}
	soon, cancel := context.WithTimeout(ctx, reviewTimeout) // a host that is silent must not keep the server from living
	defer cancel()
	authorities, err := c.authorities(soon)
	if err != nil {
		klog.FromContext(ctx).Error(err, "Could not read the authority that signs the serving certificate, trying again; until then the host cluster does not trust this server")
		if authorities, _, err = pki.Authorities(nil).Next(time.Now(), config.Service.Name, config.Lifetimes); err != nil {
			return nil, err
		}
	}
	return c, c.show(ctx, authorities)
}

// Name implements dynamiccertificates.CertKeyContentProvider.
func (c *Certificate) Name() string { return "aggregated-serving-cert" }

// CurrentCertKeyContent implements dynamiccertificates.CertKeyContentProvider.
func (c *Certificate) CurrentCertKeyContent() (cert, key []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pair.CertPEM, c.pair.KeyPEM
}

// AddListener implements dynamiccertificates.Notifier.
func (c *Certificate) AddListener(listener dynamiccertificates.Listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listeners = append(c.listeners, listener)
}

// RunOnce implements dynamiccertificates.ControllerRunner. There is a certificate from
// the start.
func (c *Certificate) RunOnce(context.Context) error { return nil }

// Run keeps the certificate good, and the APIServices knowing who signs it, until ctx
// ends. It implements dynamiccertificates.ControllerRunner.
func (c *Certificate) Run(ctx context.Context, _ int) {
	logger := klog.FromContext(ctx)
	wait, before := soonest, ""
	for ctx.Err() == nil {
		err := c.sync(ctx)
		switch {
		case err == nil && before != "":
			logger.Info("The host cluster knows again who signs the serving certificate")
			fallthrough
		case err == nil:
			wait, before = c.config.Interval, ""
		default:
			if err.Error() != before && ctx.Err() == nil {
				logger.Error(err, "Could not tell the host cluster who signs the serving certificate, trying again")
			}
			wait = min(2*wait, c.config.Interval) //nolint:mnd // double
			if before == "" {
				wait = soonest
			}
			before = err.Error()
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// sync makes everything be as it should be. Those who verify the certificate are told
// first.
func (c *Certificate) sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Interval)
	defer cancel()
	authorities, err := c.authorities(ctx)
	if err != nil {
		return err
	}
	published := c.publish(ctx, authorities.Bundle())
	return utilerrors.NewAggregate([]error{published, c.show(ctx, authorities)})
}

// authorities returns those that there should be, and keeps them.
func (c *Certificate) authorities(ctx context.Context) (pki.Authorities, error) {
	for {
		stored, err := c.config.Vault.Load(ctx)
		if err != nil {
			return nil, err
		}
		next, changed, err := stored.Authorities.Next(time.Now(), c.config.Service.Name, c.config.Lifetimes)
		if err != nil || !changed {
			return next, err
		}
		err = c.config.Vault.Save(ctx, Kept{Authorities: next, version: stored.version})
		if !errors.Is(err, errConflict) { // another replica was faster
			return next, err
		}
	}
}

// show has new connections see the certificate that there should be.
func (c *Certificate) show(ctx context.Context, authorities pki.Authorities) error {
	service := c.config.Service.Name + "." + c.config.Service.Namespace + ".svc"
	c.mu.Lock()
	pair, changed, err := authorities.Serving(ctx, time.Now(), c.pair, pki.Serving{Hosts: append([]string{service}, c.config.Hosts...)}, c.config.Lifetimes)
	if err != nil {
		c.mu.Unlock()
		return err
	}
	c.pair = pair
	listeners := c.listeners
	c.mu.Unlock()
	if changed {
		klog.FromContext(ctx).V(2).Info("Issued the serving certificate", "service", service, "authority", pair.Leaf.Issuer.CommonName, "expires", pair.Leaf.NotAfter)
		for _, listener := range listeners {
			listener.Enqueue()
		}
	}
	return nil
}

// publish has the cluster trust the authorities.
func (c *Certificate) publish(ctx context.Context, bundle []byte) error {
	var errs []error
	for _, name := range c.config.APIServices {
		service, err := c.host.registrations.Get(ctx, name, metav1.GetOptions{})
		if err == nil && (bytes.Equal(service.Spec.CABundle, bundle) || service.Spec.Service == nil) {
			continue // one without a service is not for this server
		}
		if err == nil {
			var patch []byte
			patch, err = json.Marshal(map[string]any{"spec": map[string]any{"caBundle": bundle}})
			if err == nil {
				_, err = c.host.registrations.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "stoa"})
			}
		}
		switch {
		case apierrors.IsNotFound(err):
			errs = append(errs, fmt.Errorf("there is no APIService %s: run stoa install", name))
		case err != nil:
			errs = append(errs, fmt.Errorf("APIService %s: %w", name, err))
		}
	}
	return utilerrors.NewAggregate(errs)
}

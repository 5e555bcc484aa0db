// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"context"
	"errors"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/networking"
)

// request is a create or an update of a service. The store tries an update again
// when the service changed meanwhile, and says of a try that it is good before it
// writes, which may yet fail. So what a request claimed and gave up is settled when
// it ends:
//
//	begin ──► try ──► write, refused ──► try ──► write ──► end
//	          claims                     gives back what the try before claimed, claims
type request struct {
	a *Allocator
	// last is the last try; nil if there was none.
	last *transaction
}

// transaction is one try.
type transaction struct {
	a *Allocator
	// svc is what is to be written, old what it replaces; nil on create.
	svc, old *corev1.Service
	dry      bool
	// got is what was claimed, had what the old service has.
	got, had holdings
	// uids are those of the addresses in got.
	uids []types.UID
	// good says that the try came to the write, and was not undone by the store.
	good bool
}

// requestKey is that of the request in a context.
type requestKey struct{}

// begin returns the context of a request and what ends it.
func (a *Allocator) begin(ctx context.Context) (context.Context, func(runtime.Object)) {
	r := &request{a: a}
	return context.WithValue(ctx, requestKey{}, r), func(written runtime.Object) { r.end(ctx, written) }
}

// try claims. That the store tries again says that it did not write before.
func (a *Allocator) try(ctx context.Context, t *transaction) (genericregistry.FinishFunc, error) {
	r, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return nil, apierrors.NewInternalError(errors.New("a service is written past what gives it addresses and ports"))
	}
	if before := r.last; before != nil {
		a.giveBack(ctx, before.svc, before.got, before.made)
	}
	t.a, r.last = a, t
	claim := t.create
	if t.old != nil {
		claim = t.update
	}
	if err := claim(ctx); err != nil {
		return nil, err
	}
	return func(_ context.Context, good bool) { t.good = good }, nil
}

// end gives back what the service has not: of a write that succeeded, what was
// claimed and what the service had before. Of any other, only what was claimed: what
// it would have given up is for whoever takes it from the service. Whether the write
// failed is for the store to say; one that was cut off may have succeeded.
func (r *request) end(ctx context.Context, written runtime.Object) {
	t := r.last
	if t == nil || t.dry {
		return
	}
	if written != nil && t.good {
		svc := serviceOf(written)
		r.a.giveBack(ctx, svc, t.got.and(t.had).without(heldBy(svc)), r.a.claimedBefore(svc))
		return
	}
	if t.got.none() {
		return
	}
	logger := klog.FromContext(ctx)
	read, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	svc, err := r.a.stored(read, t.svc)
	if err != nil { // a repair will
		logger.Error(err, "Could not see what a service has", "service", klog.KObj(t.svc))
		return
	}
	r.a.giveBack(ctx, t.svc, t.got.without(heldBy(svc)), t.made)
}

// made says of an address whether the try claimed it.
func (t *transaction) made(address *networking.IPAddress) bool {
	return slices.Contains(t.uids, address.UID)
}

// holdings are what services have of the cluster.
type holdings struct {
	ips   []netip.Addr
	ports []int32
}

func heldBy(svc *corev1.Service) holdings {
	h := holdings{ips: clusterIPs(svc), ports: nodePorts(svc)}
	if port := svc.Spec.HealthCheckNodePort; port != 0 && needsHealthCheckPort(svc) {
		h.ports = append(h.ports, port)
	}
	return h
}

func (h holdings) none() bool { return len(h.ips) == 0 && len(h.ports) == 0 }

func (h holdings) and(other holdings) holdings {
	return holdings{slices.Concat(h.ips, other.ips), slices.Concat(h.ports, other.ports)}
}

func (h holdings) without(other holdings) holdings {
	return holdings{
		slices.DeleteFunc(slices.Clone(h.ips), func(ip netip.Addr) bool { return slices.Contains(other.ips, ip) }),
		slices.DeleteFunc(slices.Clone(h.ports), func(port int32) bool { return slices.Contains(other.ports, port) }),
	}
}

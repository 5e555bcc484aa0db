// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"

	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/storage"

	"github.com/stoa-project/stoa/apis/core"
)

const (
	// portsPrefix and portsKey are where upstream keeps which node ports are taken.
	portsPrefix = "/ranges"
	portsKey    = "/ranges/servicenodeports"
	// dryPort is the highest of the ports that a dry run does not make up.
	dryPort = 32768
	// The lowest ports, a part of the range within these bounds, are left to users who
	// choose one.
	minStaticPorts, maxStaticPorts = 16, 128
	staticPortsShare               = 32
)

var (
	errPortAllocated = errors.New("provided port is already allocated")
	errPortsFull     = errors.New("range is full")
)

// ports hands out node ports. Those taken are bits of one object, by their distance
// from the first port of the range.
type ports struct {
	store storage.Interface
	all   utilnet.PortRange
}

// portRequest asks for one port.
type portRequest struct {
	// want is the port; 0 takes any.
	want int32
	// set is told the port.
	set func(int32)
	// refused makes the error for the client from the reason. Unset: the reason.
	refused func(error) error
}

func (r portRequest) scope() string {
	if r.want == 0 {
		return free
	}
	return chosen
}

// claim answers all requests in one write, or none.
func (p *ports) claim(ctx context.Context, requests []portRequest) ([]int32, error) {
	if len(requests) == 0 {
		return nil, nil
	}
	var got []int32
	refused := "" // how the port was asked for that could not be had
	err := p.change(ctx, func(taken *bitmap) error {
		got = got[:0]
		for _, r := range requests {
			port, err := taken.take(r.want)
			if err != nil {
				refused = r.scope()
			}
			if err != nil && r.refused != nil {
				err = r.refused(err)
			}
			if err != nil {
				return err
			}
			got = append(got, port)
		}
		return nil
	})
	if err != nil {
		measured().portErrors.WithLabelValues(cmp.Or(refused, requests[0].scope())).Inc()
		return nil, err
	}
	for i, r := range requests {
		measured().portClaims.WithLabelValues(r.scope()).Inc()
		r.set(got[i])
	}
	return got, nil
}

// pretend answers requests as claim would, but takes nothing. It does not look for
// free ports, as other requests will take them before the real one comes.
func (p *ports) pretend(ctx context.Context, requests []portRequest) error {
	if len(requests) == 0 {
		return nil
	}
	stored := &core.RangeAllocation{}
	if err := p.store.Get(ctx, portsKey, storage.GetOptions{IgnoreNotFound: true}, stored); err != nil {
		return fmt.Errorf("read node ports: %w", err)
	}
	taken := p.bitmap(stored)
	mine := map[int32]bool{}
	highest := int32(0)
	for _, r := range requests {
		port := r.want
		switch {
		case port == 0 && len(mine) == 0:
			port = dryPort + 1
		case port == 0:
			port = highest + 1
		case mine[port] || taken.has(port):
			if r.refused != nil {
				return r.refused(errPortAllocated)
			}
			return errPortAllocated
		}
		highest = max(highest, port)
		mine[port] = true
		r.set(port)
	}
	return nil
}

// release gives ports back.
func (p *ports) release(ctx context.Context, given []int32) error {
	if len(given) == 0 {
		return nil
	}
	return p.change(ctx, func(taken *bitmap) error {
		for _, port := range given {
			taken.free(port)
		}
		return nil
	})
}

// change changes which ports are taken.
func (p *ports) change(ctx context.Context, edit func(*bitmap) error) error {
	out := &core.RangeAllocation{}
	err := p.store.GuaranteedUpdate(ctx, portsKey, out, true, nil,
		storage.SimpleUpdate(func(obj runtime.Object) (runtime.Object, error) {
			stored := obj.(*core.RangeAllocation)
			taken := p.bitmap(stored)
			if err := edit(taken); err != nil {
				return nil, err
			}
			stored.Range, stored.Data = p.all.String(), taken.bits.Bytes()
			return stored, nil
		}), nil)
	if err == nil {
		measured().setPorts(p.bitmap(out))
	}
	return err
}

// bitmap reads what is stored. What was written for another range is kept as far as
// it is in this one.
func (p *ports) bitmap(stored *core.RangeAllocation) *bitmap {
	b := &bitmap{all: p.all, bits: new(big.Int).SetBytes(stored.Data), version: stored.ResourceVersion}
	if stored.Range == "" || stored.Range == p.all.String() {
		return b
	}
	other := &bitmap{bits: b.bits}
	b.bits = new(big.Int)
	if before, err := utilnet.ParsePortRange(stored.Range); err == nil {
		other.all = *before
		for _, port := range other.ports() {
			b.set(port)
		}
	}
	return b
}

// bitmap is a set of the ports of a range.
type bitmap struct {
	all  utilnet.PortRange
	bits *big.Int
	// version is that of the object that was read.
	version string
}

func (b *bitmap) has(port int32) bool {
	return b.all.Contains(int(port)) && b.bits.Bit(int(port)-b.all.Base) == 1
}

func (b *bitmap) set(port int32) {
	if b.all.Contains(int(port)) {
		b.bits.SetBit(b.bits, int(port)-b.all.Base, 1)
	}
}

func (b *bitmap) free(port int32) {
	if b.all.Contains(int(port)) {
		b.bits.SetBit(b.bits, int(port)-b.all.Base, 0)
	}
}

// ports returns those in the set, in order.
func (b *bitmap) ports() []int32 {
	var out []int32
	for i := range min(b.bits.BitLen(), b.all.Size) {
		if b.bits.Bit(i) == 1 {
			out = append(out, int32(b.all.Base+i))
		}
	}
	return out
}

// take adds a port, or any that is free if it is 0.
func (b *bitmap) take(port int32) (int32, error) {
	switch {
	case port == 0:
		port = b.any()
		if port == 0 {
			return 0, errPortsFull
		}
	case !b.all.Contains(int(port)):
		return 0, fmt.Errorf("provided port is not in the valid range. The range of valid ports is %s", b.all.String())
	case b.has(port):
		return 0, errPortAllocated
	}
	b.set(port)
	return port, nil
}

// any returns a free port, one of those left to users only if there is no other, and
// 0 if there is none.
func (b *bitmap) any() int32 {
	static := 0
	if b.all.Size > minStaticPorts {
		static = min(max(b.all.Size/staticPortsShare, minStaticPorts), maxStaticPorts)
	}
	for _, part := range [][2]int{{static, b.all.Size - static}, {0, static}} {
		start, size := part[0], part[1]
		if size == 0 {
			continue
		}
		from := rand.IntN(size) //nolint:gosec // spreads ports, is no secret
		for n := range size {
			if i := start + (from+n)%size; b.bits.Bit(i) == 0 {
				return int32(b.all.Base + i)
			}
		}
	}
	return 0
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package service

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// The lower part of a block, a sixteenth of it within these bounds, is left to users
// who choose an address; others come from there only when the rest is used up.
const (
	minStatic, maxStatic = 16, 256
	staticShare          = 16
)

// block is a range of cluster IPs. IPv6 blocks have at most 2^64 addresses.
type block struct {
	prefix netip.Prefix
	// first is the first address that a service can have, and size how many follow
	// from it on. The first static of them are those left to users.
	first        netip.Addr
	size, static uint64
}

func newBlock(prefix netip.Prefix) block {
	prefix = prefix.Masked()
	hostBits := prefix.Addr().BitLen() - prefix.Bits()
	if hostBits > 64 {
		return block{prefix: prefix}
	}
	total := uint64(1)<<hostBits - 1 // without the address of the network
	if hostBits == 64 {
		total = 1<<64 - 1
	}
	b := block{prefix: prefix, first: prefix.Addr().Next(), size: total, static: staticSize(total)}
	if prefix.Addr().Is4() && b.size > 0 {
		b.size-- // the last one is for broadcasts
	}
	return b
}

// staticSize takes the size of a block without one address.
func staticSize(size uint64) uint64 {
	if size < minStatic {
		return 0
	}
	share := size / staticShare
	if size%staticShare == staticShare-1 {
		share++ // a sixteenth of size+1, which may not fit
	}
	return min(max(share, minStatic), maxStatic)
}

func (b block) family() corev1.IPFamily { return familyOf(b.prefix.Addr()) }

// has says whether a service can have the address.
func (b block) has(ip netip.Addr) bool {
	if b.size == 0 || !b.prefix.Contains(ip) {
		return false
	}
	return !ip.Less(b.first) && !b.at(b.size-1).Less(ip)
}

// at returns the n-th address.
func (b block) at(n uint64) netip.Addr {
	if b.first.Is4() {
		bytes := b.first.As4()
		binary.BigEndian.PutUint32(bytes[:], binary.BigEndian.Uint32(bytes[:])+uint32(n))
		return netip.AddrFrom4(bytes)
	}
	bytes := b.first.As16()
	binary.BigEndian.PutUint64(bytes[8:], binary.BigEndian.Uint64(bytes[8:])+n)
	return netip.AddrFrom16(bytes)
}

// band is a part of a block, by the numbers of its addresses.
type band struct{ start, size uint64 }

// bands are the parts of the block in the order in which they are used.
func (b block) bands() []band {
	low := min(b.static, b.size)
	return []band{{low, b.size - low}, {0, low}}
}

// each calls try for the addresses of a band from a random one on, until try says
// that it has enough or there are no more.
func (b block) each(part band, try func(netip.Addr) bool) {
	if part.size == 0 {
		return
	}
	from := rand.Uint64N(part.size) //nolint:gosec // spreads addresses, is no secret
	for n := uint64(0); n < part.size; n++ {
		i := part.size - from // what is left up to the end of the band
		if n < i {
			i = from + n
		} else {
			i = n - i
		}
		if try(b.at(part.start + i)) {
			return
		}
	}
}

func familyOf(ip netip.Addr) corev1.IPFamily {
	if ip.Is4() || ip.Is4In6() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}

func otherFamily(family corev1.IPFamily) corev1.IPFamily {
	if family == corev1.IPv4Protocol {
		return corev1.IPv6Protocol
	}
	return corev1.IPv4Protocol
}

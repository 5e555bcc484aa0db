// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/spf13/pflag"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

const (
	defaultClusterIPRange = "10.0.0.0/24"
	// minClusterIPs is how many addresses a range has at least.
	minClusterIPBits = 3
	// maxIPv6Bits is how long the part of an IPv6 address may be that is handed out.
	maxIPv6Bits = 64

	reconcileByLease = "lease"
	reconcileNone    = "none"
)

// ServiceOptions say what services get from the cluster.
type ServiceOptions struct {
	// ClusterIPRanges are the blocks of cluster IPs in CIDR notation: one, or one of
	// each IP family. The first is that of services that do not ask for a family.
	ClusterIPRanges []string
	// NodePortRange are the ports that services can have on nodes.
	NodePortRange utilnet.PortRange
	// KubernetesNodePort is the port on nodes of the service of this server. Zero: it
	// has none.
	KubernetesNodePort int
	// EndpointReconciler says how servers agree on the endpoints of that service:
	// "lease", or "none" if somebody else writes them.
	EndpointReconciler string
}

func newServiceOptions() *ServiceOptions {
	return &ServiceOptions{
		ClusterIPRanges:    []string{defaultClusterIPRange},
		NodePortRange:      utilnet.PortRange{Base: 30000, Size: 2768},
		EndpointReconciler: reconcileByLease,
	}
}

// AddFlags adds the flags of kube-apiserver for services.
func (o *ServiceOptions) AddFlags(fs *pflag.FlagSet) {
	fs.StringSliceVar(&o.ClusterIPRanges, "service-cluster-ip-range", o.ClusterIPRanges, "A CIDR notation IP range from which to assign service cluster IPs. This must not overlap with any IP ranges assigned to nodes or pods. Max of two dual-stack CIDRs is allowed.")
	fs.Var(&o.NodePortRange, "service-node-port-range", "A port range to reserve for services with NodePort visibility. This must not overlap with the ephemeral port range on nodes. Example: '30000-32767'. Inclusive at both ends of the range.")
	fs.IntVar(&o.KubernetesNodePort, "kubernetes-service-node-port", o.KubernetesNodePort, "If non-zero, the Kubernetes master service (which apiserver creates/maintains) will be of type NodePort, using this as the value of the port. If zero, the Kubernetes master service will be of type ClusterIP.")
	fs.StringVar(&o.EndpointReconciler, "endpoint-reconciler-type", o.EndpointReconciler, "Use an endpoint reconciler (lease, none).")
}

// ranges parses the blocks of cluster IPs.
func (o *ServiceOptions) ranges() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range o.ClusterIPRanges {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("--service-cluster-ip-range: %w", err)
		}
		out = append(out, prefix.Masked())
	}
	return out, nil
}

// Validate reports everything that is wrong with the options.
func (o *ServiceOptions) Validate() []error {
	var errs []error
	ranges, err := o.ranges()
	switch {
	case err != nil:
		errs = append(errs, err)
	case len(ranges) == 0 || len(ranges) > 2:
		errs = append(errs, errors.New("--service-cluster-ip-range must be one range, or one of each IP family"))
	case len(ranges) == 2 && ranges[0].Addr().Is4() == ranges[1].Addr().Is4():
		errs = append(errs, errors.New("--service-cluster-ip-range: two ranges must be of different IP families"))
	}
	for _, r := range ranges {
		switch bits := r.Addr().BitLen() - r.Bits(); {
		case bits < minClusterIPBits:
			errs = append(errs, fmt.Errorf("--service-cluster-ip-range %s must have at least 8 IP addresses", r))
		case bits > maxIPv6Bits:
			errs = append(errs, fmt.Errorf("--service-cluster-ip-range %s is too large; for 128-bit addresses, the mask must be >= %d", r, maxIPv6Bits))
		}
	}
	if p := o.NodePortRange; p.Size < 1 || p.Base < 1 || p.Base+p.Size > 1<<16 {
		errs = append(errs, fmt.Errorf("--service-node-port-range %s must be of ports from 1 to 65535", p.String()))
	}
	if o.KubernetesNodePort != 0 && !o.NodePortRange.Contains(o.KubernetesNodePort) {
		errs = append(errs, fmt.Errorf("--kubernetes-service-node-port %d must be in --service-node-port-range %s", o.KubernetesNodePort, o.NodePortRange.String()))
	}
	if !slices.Contains([]string{reconcileByLease, reconcileNone}, o.EndpointReconciler) {
		errs = append(errs, fmt.Errorf("--endpoint-reconciler-type must be %s or %s", reconcileByLease, reconcileNone))
	}
	return errs
}

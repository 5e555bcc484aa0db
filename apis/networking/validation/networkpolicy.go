// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
)

// policy judges a network policy, more mildly where it was bad before.
type policy struct {
	selectors metav1validation.LabelSelectorValidationOptions
	// before are the ranges that the policy had.
	before []string
}

// ValidateNetworkPolicy judges a new policy.
func ValidateNetworkPolicy(obj *networkingv1.NetworkPolicy) field.ErrorList {
	return policy{}.validate(&obj.Spec)
}

// ValidateNetworkPolicyUpdate judges a changed policy. Its rules and peers have no
// names, so a range is known by its text alone.
func ValidateNetworkPolicyUpdate(obj, old *networkingv1.NetworkPolicy) field.ErrorList {
	var p policy
	p.selectors.AllowInvalidLabelValueInSelector = len(metav1validation.ValidateLabelSelector(&old.Spec.PodSelector, p.selectors, nil)) > 0
	ranges := func(peers []networkingv1.NetworkPolicyPeer) {
		for _, peer := range peers {
			if peer.IPBlock != nil {
				p.before = append(append(p.before, peer.IPBlock.CIDR), peer.IPBlock.Except...)
			}
		}
	}
	for _, rule := range old.Spec.Ingress {
		ranges(rule.From)
	}
	for _, rule := range old.Spec.Egress {
		ranges(rule.To)
	}
	return p.validate(&obj.Spec)
}

func (p policy) validate(spec *networkingv1.NetworkPolicySpec) field.ErrorList {
	path := field.NewPath("spec")
	errs := metav1validation.ValidateLabelSelector(&spec.PodSelector, p.selectors, path.Child("podSelector"))
	for i, rule := range spec.Ingress {
		path := path.Child("ingress").Index(i)
		errs = append(errs, p.validateRule(rule.Ports, path.Child("ports"), rule.From, path.Child("from"))...)
	}
	for i, rule := range spec.Egress {
		path := path.Child("egress").Index(i)
		errs = append(errs, p.validateRule(rule.Ports, path.Child("ports"), rule.To, path.Child("to"))...)
	}
	path = path.Child("policyTypes")
	if len(spec.PolicyTypes) > 2 {
		return append(errs, field.Invalid(path, spec.PolicyTypes, "may not specify more than two policyTypes"))
	}
	for i, t := range spec.PolicyTypes {
		errs = append(errs, fielderrors.OneOf(path.Index(i), t, networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress)...)
	}
	return errs
}

func (p policy) validateRule(ports []networkingv1.NetworkPolicyPort, portsPath *field.Path, peers []networkingv1.NetworkPolicyPeer, peersPath *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range ports {
		errs = append(errs, validatePolicyPort(&ports[i], portsPath.Index(i))...)
	}
	for i := range peers {
		errs = append(errs, p.validatePeer(&peers[i], peersPath.Index(i))...)
	}
	return errs
}

func validatePolicyPort(p *networkingv1.NetworkPolicyPort, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if p.Protocol != nil {
		errs = fielderrors.OneOf(path.Child("protocol"), *p.Protocol, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)
	}
	end := func(text string) *field.Error { return field.Invalid(path.Child("endPort"), *p.EndPort, text) }
	switch {
	case p.Port == nil:
		if p.EndPort != nil {
			errs = append(errs, end("may not be specified when `port` is not specified"))
		}
	case p.Port.Type == intstr.Int:
		errs = append(errs, fielderrors.Each(path.Child("port"), p.Port.IntVal, validation.IsValidPortNum(int(p.Port.IntVal)))...)
		if p.EndPort == nil {
			break
		}
		if *p.EndPort < p.Port.IntVal {
			errs = append(errs, end("must be greater than or equal to `port`"))
		}
		errs = append(errs, fielderrors.Each(path.Child("endPort"), *p.EndPort, validation.IsValidPortNum(int(*p.EndPort)))...)
	default:
		if p.EndPort != nil {
			errs = append(errs, end("may not be specified when `port` is non-numeric"))
		}
		errs = append(errs, fielderrors.Each(path.Child("port"), p.Port.StrVal, validation.IsValidPortName(p.Port.StrVal))...)
	}
	return errs
}

func (p policy) validatePeer(peer *networkingv1.NetworkPolicyPeer, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	selectors := 0
	for _, s := range []struct {
		name     string
		selector *metav1.LabelSelector
	}{{"podSelector", peer.PodSelector}, {"namespaceSelector", peer.NamespaceSelector}} {
		if s.selector != nil {
			selectors++
			errs = append(errs, metav1validation.ValidateLabelSelector(s.selector, p.selectors, path.Child(s.name))...)
		}
	}
	switch {
	case peer.IPBlock != nil:
		errs = append(errs, p.validateIPBlock(peer.IPBlock, path.Child("ipBlock"))...)
		if selectors > 0 {
			errs = append(errs, field.Forbidden(path, "may not specify both ipBlock and another peer"))
		}
	case selectors == 0:
		errs = append(errs, field.Required(path, "must specify a peer"))
	}
	return errs
}

func (p policy) validateIPBlock(block *networkingv1.IPBlock, path *field.Path) field.ErrorList {
	if block.CIDR == "" {
		return field.ErrorList{required(path.Child("cidr"))}
	}
	errs := corevalidation.IsValidCIDRForLegacyField(path.Child("cidr"), block.CIDR, p.before)
	_, all, err := netutils.ParseCIDRSloppy(block.CIDR)
	if err != nil {
		return errs
	}
	allBits, _ := all.Mask.Size()
	for i, text := range block.Except {
		path := path.Child("except").Index(i)
		errs = append(errs, corevalidation.IsValidCIDRForLegacyField(path, text, p.before)...)
		_, part, err := netutils.ParseCIDRSloppy(text)
		if err != nil {
			continue
		}
		if bits, _ := part.Mask.Size(); !all.Contains(part.IP) || allBits >= bits {
			errs = append(errs, field.Invalid(path, text, "must be a strict subset of `cidr`"))
		}
	}
	return errs
}

// required is the error for what a tag requires as well.
func required(path *field.Path) *field.Error {
	return field.Required(path, "").MarkCoveredByDeclarative().MarkBeta()
}

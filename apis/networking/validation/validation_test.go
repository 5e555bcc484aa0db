// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors/fielderrorstest"
)

// check compares errors; what is wanted may be the beginning of what there is.
func check(t *testing.T, errs field.ErrorList, want ...string) {
	t.Helper()
	fielderrorstest.ComparePrefixes(t, want, errs)
}

func backend() networkingv1.IngressBackend {
	return networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "s", Port: networkingv1.ServiceBackendPort{Number: 80}}}
}

func ingress(host, path, secret string) *networkingv1.Ingress {
	return &networkingv1.Ingress{Spec: networkingv1.IngressSpec{
		TLS: []networkingv1.IngressTLS{{SecretName: secret}},
		Rules: []networkingv1.IngressRule{{Host: host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{
			Paths: []networkingv1.HTTPIngressPath{{Path: path, PathType: new(networkingv1.PathTypePrefix), Backend: backend()}},
		}}}},
	}}
}

func TestValidateIngress(t *testing.T) {
	t.Parallel()
	valid := ingress("*.example.com", "/a", "t")
	check(t, ValidateIngress(valid))
	check(t, ValidateIngress(&networkingv1.Ingress{}), "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified")
	check(t, ValidateIngress(ingress("1.2.3.4", "/a/../b", "t")),
		`spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address`,
		`spec.rules[0].http.paths[0].path: Invalid value: "/a/../b": must not contain '/../'`)
	check(t, ValidateIngress(ingress("a.*.com", "a", "T")),
		`spec.rules[0].host: Invalid value: "a.*.com": a wildcard DNS-1123 subdomain must start with '*.'`,
		`spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path`,
		`spec.tls[0].secretName: Invalid value: "T": `)
	both := ingress("", "/", "")
	both.Spec.DefaultBackend = new(backend())
	both.Spec.DefaultBackend.Resource = &corev1.TypedLocalObjectReference{Kind: "k", Name: "n"}
	check(t, ValidateIngress(both), `spec.defaultBackend: Invalid value: "": cannot set both resource and service backends`)
	both.Spec.DefaultBackend.Service = nil
	check(t, ValidateIngress(both))
	valid.Annotations, valid.Spec.IngressClassName = map[string]string{AnnotationIngressClass: "a"}, new("b")
	check(t, ValidateIngress(valid), "annotations.kubernetes.io/ingress.class: Invalid value: \"a\": must match `ingressClassName` when both are specified")
	// What was allowed once stays allowed where it is.
	for _, broken := range []*networkingv1.Ingress{ingress("*.example.com", "a", "t"), ingress("", "/", "T")} {
		check(t, ValidateIngressUpdate(broken, broken))
		if len(ValidateIngressUpdate(broken, ingress("", "/", "t"))) == 0 {
			t.Errorf("an update breaks rules: %+v", broken.Spec)
		}
	}
	broken := ingress("example.com", "a", "t")
	check(t, ValidateIngressUpdate(broken, broken), `spec.rules[0].http.paths[0].path: Invalid value: "a": must be an absolute path`)
}

func TestValidateIngressClass(t *testing.T) {
	t.Parallel()
	class := func(controller string, parameters *networkingv1.IngressClassParametersReference) *networkingv1.IngressClass {
		return &networkingv1.IngressClass{Spec: networkingv1.IngressClassSpec{Controller: controller, Parameters: parameters}}
	}
	check(t, ValidateIngressClass(class("example.com/a", &networkingv1.IngressClassParametersReference{
		Kind: "k", Name: "n", Scope: new("Namespace"), Namespace: new("ns")})))
	check(t, ValidateIngressClass(class("a", &networkingv1.IngressClassParametersReference{Kind: "k", Name: "n", Scope: new("Cluster"), Namespace: new("ns")})),
		`spec.controller: Invalid value: "a": must be a domain-prefixed path`,
		"spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'")
	check(t, ValidateIngressClassUpdate(class("example.com/b", nil), class("example.com/a", nil)),
		`spec.controller: Invalid value: "example.com/b": field is immutable`)
}

func policyOf(cidr string, except ...string) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{Spec: networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{{
		To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}}}}}}
}

func TestValidateNetworkPolicy(t *testing.T) {
	t.Parallel()
	check(t, ValidateNetworkPolicy(policyOf("10.0.0.0/8", "10.1.0.0/16")))
	check(t, ValidateNetworkPolicy(policyOf("10.0.0.0/8", "10.0.0.0/8", "11.0.0.0/16")),
		"spec.egress[0].to[0].ipBlock.except[0]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`",
		"spec.egress[0].to[0].ipBlock.except[1]: Invalid value: \"11.0.0.0/16\": must be a strict subset of `cidr`")
	check(t, ValidateNetworkPolicyUpdate(policyOf("10.0.0.1/8"), policyOf("10.0.0.1/8")))
	check(t, ValidateNetworkPolicyUpdate(policyOf("10.0.0.2/8"), policyOf("10.0.0.1/8")), "spec.egress[0].to[0].ipBlock.cidr: Invalid value: ")
	p := policyOf("10.0.0.0/8")
	rule := &p.Spec.Egress[0]
	rule.Ports = []networkingv1.NetworkPolicyPort{
		{EndPort: new(int32(1))}, {Port: new(intstr.FromString("http")), EndPort: new(int32(1))}, {Port: new(intstr.FromInt32(2)), EndPort: new(int32(1))}}
	rule.To[0].PodSelector = &metav1.LabelSelector{}
	rule.To = append(rule.To, networkingv1.NetworkPolicyPeer{})
	check(t, ValidateNetworkPolicy(p),
		"spec.egress[0].ports[0].endPort: Invalid value: 1: may not be specified when `port` is not specified",
		"spec.egress[0].ports[1].endPort: Invalid value: 1: may not be specified when `port` is non-numeric",
		"spec.egress[0].ports[2].endPort: Invalid value: 1: must be greater than or equal to `port`",
		"spec.egress[0].to[0]: Forbidden: may not specify both ipBlock and another peer",
		"spec.egress[0].to[1]: Required value: must specify a peer")
}

func TestValidateServiceCIDR(t *testing.T) {
	t.Parallel()
	cidr := func(cidrs ...string) *networkingv1.ServiceCIDR {
		return &networkingv1.ServiceCIDR{Spec: networkingv1.ServiceCIDRSpec{CIDRs: cidrs}}
	}
	check(t, ValidateServiceCIDR(cidr("10.0.0.0/24", "fd00::/64")))
	check(t, ValidateServiceCIDR(cidr("10.0.0.0/24", "10.0.1.0/24")), `spec.cidrs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one IP`)
	check(t, ValidateServiceCIDRUpdate(cidr("10.0.0.0/24", "fd00::/64"), cidr("10.0.0.0/24")))
	check(t, ValidateServiceCIDRUpdate(cidr("10.0.0.0/24"), cidr("10.0.0.0/24", "fd00::/64")), `spec.cidrs: Invalid value: ["10.0.0.0/24"]: field is immutable`)
	check(t, ValidateServiceCIDRUpdate(cidr("10.0.1.0/24"), cidr("10.0.0.0/24")), `spec.cidrs[0]: Invalid value: "10.0.1.0/24": field is immutable`)
	if got := ValidateIPAddressName("10.0.0.01", false); len(got) == 0 {
		t.Error("10.0.0.01 names an address")
	}
}

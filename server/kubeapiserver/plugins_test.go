// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kubeapiserver

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// upstreamOrder are the plugins of kube-apiserver 1.37 in the order of its chain, from
// AllOrderedPlugins of pkg/kubeapiserver/options/plugins.go.
func upstreamOrder() []string {
	return []string{
		"AlwaysAdmit", "NamespaceAutoProvision", "NamespaceLifecycle", "NamespaceExists", "LimitPodHardAntiAffinityTopology",
		"LimitRanger", "ServiceAccount", "NodeRestriction", "TaintNodesByCondition", "AlwaysPullImages", "ImagePolicyWebhook",
		"PodSecurity", "PodNodeSelector", "Priority", "DefaultTolerationSeconds", "PodTolerationRestriction", "EventRateLimit",
		"ExtendedResourceToleration", "DefaultStorageClass", "StorageObjectInUseProtection", "PodGroupProtection",
		"OwnerReferencesPermissionEnforcement", "PersistentVolumeClaimResize", "RuntimeClass", "CertificateApproval",
		"CertificateSigning", "ClusterTrustBundleAttest", "CertificateSubjectRestriction", "DefaultIngressClass",
		"DenyServiceExternalIPs", "PodTopologyLabels", "PodGroupWorkloadExists", "NodeDeclaredFeatureValidator", "JobValidation",
		"PodResizeValidator", "MutatingAdmissionPolicy", "MutatingAdmissionWebhook", "ValidatingAdmissionPolicy",
		"ValidatingAdmissionWebhook", "ResourceQuota", "AlwaysDeny",
	}
}

// TestPluginOrder compares the chain with kube-apiserver's.
func TestPluginOrder(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(slices.Sorted(slices.Values(upstreamOrder())), slices.Sorted(maps.Keys(plugins))); diff != "" {
		t.Errorf("plugins of kube-apiserver (-order +table):\n%s", diff)
	}
	order := parse(t).Server.Admission.RecommendedPluginOrder
	want := upstreamOrder()
	got := slices.DeleteFunc(slices.Clone(order), func(name string) bool { return !slices.Contains(want, name) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	own := slices.DeleteFunc(slices.Clone(order), func(name string) bool { return slices.Contains(want, name) })
	if diff := cmp.Diff([]string{"PodSecurityPolicy", "DenyEscalatingExec", "NamespaceCreator", "Tenancy"}, own); diff != "" {
		t.Errorf("plugins that kube-apiserver does not have (-want +got):\n%s", diff)
	}
}

// TestDefaultPlugins checks that those plugins are on by default that are in
// kube-apiserver.
func TestDefaultPlugins(t *testing.T) {
	t.Parallel()
	admission := parse(t).Server.Admission
	for _, name := range admission.Plugins.Registered() {
		if on := plugins[name]; admission.DefaultOffPlugins.Has(name) == bool(on) {
			t.Errorf("%s: off by default: %v; on in kube-apiserver: %v", name, admission.DefaultOffPlugins.Has(name), on)
		}
	}
}

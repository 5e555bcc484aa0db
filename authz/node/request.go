// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"slices"

	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/features"
)

// verdict is what can be said of a request without knowing the graph.
type verdict int

const (
	no verdict = iota
	yes
	// byRules is for resources that all nodes have the same access to.
	byRules
	// ifRelated is for objects that belong to some nodes.
	ifRelated
)

// request is one of a node.
type request struct {
	authorizer.Attributes

	node string
	kind kind // of the object, if the verdict is ifRelated
}

// judge returns a verdict, and the reason if it is no, in the words of kube-apiserver.
func (r *request) judge() (verdict, string) {
	if r.node == "" {
		return no, fmt.Sprintf("unknown node for user %q", r.GetUser().GetName())
	}
	if !r.IsResourceRequest() {
		return byRules, ""
	}
	switch (schema.GroupResource{Group: r.GetAPIGroup(), Resource: r.GetResource()}) {
	case schema.GroupResource{Group: corev1.GroupName, Resource: "secrets"}:
		return r.readNamespaced(secrets)
	case schema.GroupResource{Group: corev1.GroupName, Resource: "configmaps"}:
		return r.readNamespaced(configMaps)
	case schema.GroupResource{Group: corev1.GroupName, Resource: "persistentvolumeclaims"}:
		return r.claim()
	case schema.GroupResource{Group: corev1.GroupName, Resource: "persistentvolumes"}:
		return r.get(volumes)
	case schema.GroupResource{Group: corev1.GroupName, Resource: "serviceaccounts"}:
		return r.serviceAccount()
	case schema.GroupResource{Group: corev1.GroupName, Resource: "nodes"}:
		return r.nodes()
	case schema.GroupResource{Group: corev1.GroupName, Resource: "pods"}:
		return r.pods()
	case schema.GroupResource{Group: resourcev1.GroupName, Resource: "resourceclaims"}:
		return r.get(resourceClaims)
	case schema.GroupResource{Group: resourcev1.GroupName, Resource: "resourceslices"}:
		return r.resourceSlice()
	case schema.GroupResource{Group: storagev1.GroupName, Resource: "volumeattachments"}:
		return r.get(attachments)
	case schema.GroupResource{Group: storagev1.GroupName, Resource: "csinodes"}:
		return r.csiNode()
	case schema.GroupResource{Group: coordinationv1.GroupName, Resource: "leases"}:
		return r.lease()
	case schema.GroupResource{Group: certificatesv1.GroupName, Resource: "podcertificaterequests"}:
		return r.certificateRequest()
	}
	return byRules, ""
}

// isVerb says whether the verb is one of those.
func (r *request) isVerb(verbs ...string) bool { return slices.Contains(verbs, r.GetVerb()) }

// selects says whether a field selector wants the own name in a field.
func (r *request) selects(field string) bool {
	requirements, _ := r.GetFieldSelector() // what cannot be parsed selects nothing here
	for _, q := range requirements {
		if q.Field == field && q.Operator == selection.Equals && q.Value == r.node {
			return true
		}
	}
	return false
}

// related asks for the graph. The name of a list or watch is that of its field
// selector metadata.name.
func (r *request) related(k kind) (verdict, string) {
	if r.GetName() == "" {
		return no, "No Object name found"
	}
	r.kind = k
	return ifRelated, ""
}

func (r *request) get(k kind) (verdict, string) {
	switch {
	case r.GetVerb() != "get":
		return no, "can only get individual resources of this type"
	case r.GetSubresource() != "":
		return no, "cannot get subresource"
	}
	return r.related(k)
}

func (r *request) readNamespaced(k kind) (verdict, string) {
	switch {
	case !r.isVerb("get", "list", "watch"):
		return no, "can only read resources of this type"
	case r.GetSubresource() != "":
		return no, "cannot read subresource"
	case r.GetNamespace() == "":
		return no, "can only read namespaced object of this type"
	}
	return r.related(k)
}

func (r *request) claim() (verdict, string) {
	switch {
	case r.GetSubresource() != "status":
		return r.get(claims)
	case !r.isVerb("update", "patch"):
		return no, "can only get/update/patch this type"
	}
	return r.related(claims)
}

func (r *request) serviceAccount() (verdict, string) {
	switch {
	case r.GetVerb() == "get" && r.GetSubresource() == "":
		return r.readNamespaced(serviceAccounts)
	case r.GetVerb() != "create" || r.GetName() == "":
		return no, "can only create tokens for individual service accounts"
	case r.GetSubresource() != "token":
		return no, "can only create token subresource of serviceaccount"
	}
	return r.related(serviceAccounts)
}

// nodes compares names, so that a kubelet can look for its node before there is one.
// What it writes is for NodeRestriction to judge.
func (r *request) nodes() (verdict, string) {
	switch r.GetSubresource() {
	case "":
		switch {
		case r.isVerb("create", "update", "patch"):
			return yes, ""
		case !r.isVerb("get", "list", "watch"):
			return no, ""
		case r.GetName() == "":
			return no, fmt.Sprintf("node '%s' cannot read all nodes, only its own Node object", r.node)
		case r.GetName() != r.node:
			return no, fmt.Sprintf("node '%s' cannot read '%s', only its own Node object", r.node, r.GetName())
		}
		return yes, ""
	case "status":
		if r.isVerb("update", "patch") {
			return yes, ""
		}
	}
	return no, ""
}

func (r *request) pods() (verdict, string) {
	switch sub := r.GetSubresource(); {
	case sub == "" && r.GetVerb() == "get":
		return r.related(pods)
	case sub == "" && r.isVerb("list", "watch"):
		switch {
		case r.selects("spec.nodeName"):
			return yes, ""
		case r.GetName() != "":
			return r.related(pods)
		}
		return no, "can only list/watch pods with spec.nodeName field selector"
	// What follows is for NodeRestriction to judge.
	case sub == "" && r.isVerb("create", "delete"), sub == "status" && r.isVerb("update", "patch"), sub == "eviction" && r.GetVerb() == "create":
		return yes, ""
	}
	return no, ""
}

// resourceSlice leaves whose a new slice is to NodeRestriction.
func (r *request) resourceSlice() (verdict, string) {
	switch {
	case r.GetSubresource() != "":
		return no, "cannot authorize ResourceSlice subresources"
	case r.GetVerb() == "create":
		return yes, ""
	case r.isVerb("get", "update", "patch", "delete"):
		return r.related(slicesOfNodes)
	case !r.isVerb("list", "watch", "deletecollection"):
		return no, "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection"
	case !r.selects(resourcev1.ResourceSliceSelectorNodeName):
		return no, "can only list/watch/deletecollection resourceslices with nodeName field selector"
	}
	return yes, ""
}

// csiNode leaves the name of a new one to NodeRestriction.
func (r *request) csiNode() (verdict, string) {
	switch {
	case !r.isVerb("get", "create", "update", "patch", "delete"):
		return no, "can only get, create, update, patch, or delete a CSINode"
	case r.GetSubresource() != "":
		return no, "cannot authorize CSINode subresources"
	case r.GetVerb() != "create" && r.GetName() != r.node:
		return no, "can only access CSINode with the same name as the requesting node"
	}
	return yes, ""
}

// lease leaves the name of a new one to NodeRestriction.
func (r *request) lease() (verdict, string) {
	switch {
	case !r.isVerb("get", "create", "update", "patch", "delete"):
		return no, "can only get, create, update, patch, or delete a node lease"
	case r.GetNamespace() != corev1.NamespaceNodeLease:
		return no, fmt.Sprintf("can only access leases in the %q system namespace", corev1.NamespaceNodeLease)
	case r.GetVerb() != "create" && r.GetName() != r.node:
		return no, "can only access node lease with the same name as the requesting node"
	}
	return yes, ""
}

// certificateRequest leaves for whom a new one is to NodeRestriction.
func (r *request) certificateRequest() (verdict, string) {
	switch {
	case !features.Enabled(features.PodCertificateRequest):
		return no, ""
	case r.GetSubresource() != "":
		return no, "nodes may not access the status subresource of PodCertificateRequests"
	case r.GetVerb() == "create":
		return yes, ""
	case r.GetVerb() == "get":
		return r.related(certificateRequests)
	case !r.isVerb("list", "watch"):
		return no, fmt.Sprintf("nodes may not %s podcertificaterequests", r.GetVerb())
	case !r.selects("spec.nodeName"):
		return no, "can only list/watch podcertificaterequests with nodeName field selector"
	}
	return yes, ""
}

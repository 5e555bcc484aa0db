// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package ownerpermission_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/ownerpermission"
	"github.com/stoa-project/stoa/apis/core"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	owned := func(owners ...metav1.OwnerReference) *core.Pod {
		return &core.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: owners}}
	}
	plain := metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: "o", UID: "1"}
	blocking, node, lost := plain, plain, plain
	blocking.BlockOwnerDeletion = new(true)
	node.Kind, node.BlockOwnerDeletion = "Node", new(true)
	lost.Kind, lost.BlockOwnerDeletion = "Lost", new(true)
	deletes := func(a authorizer.Attributes) bool {
		return a.GetVerb() == "delete" && a.GetResource() == "pods" && a.GetName() == "x" && a.GetNamespace() == "n"
	}
	finalizes := func(resource, namespace string) func(authorizer.Attributes) bool {
		return func(a authorizer.Attributes) bool {
			return a.GetVerb() == "update" && a.GetResource() == resource && a.GetSubresource() == "finalizers" && a.GetName() == "o" && a.GetNamespace() == namespace
		}
	}
	everywhere := func(a authorizer.Attributes) bool {
		return a.GetResource() == "*" && a.GetSubresource() == "finalizers" && a.GetVerb() == "update"
	}
	for name, tc := range map[string]struct {
		request admissiontest.Request
		allow   func(authorizer.Attributes) bool
		want    string
	}{
		"no owner":        {request: admissiontest.Request{Obj: owned(), Resource: pods}},
		"new with owner":  {request: admissiontest.Request{Obj: owned(plain), Resource: pods}},
		"owner as before": {request: admissiontest.Request{Obj: owned(blocking), Old: owned(blocking), Resource: pods}},
		"gets an owner": {request: admissiontest.Request{Obj: owned(plain), Old: owned(), Resource: pods},
			want: `pods "x" is forbidden: cannot set an ownerRef on a resource you can't delete: no rule, <nil>`},
		"loses an owner": {request: admissiontest.Request{Obj: owned(), Old: owned(plain), Resource: pods},
			want: `pods "x" is forbidden: cannot set an ownerRef on a resource you can't delete: no rule, <nil>`},
		"may delete":  {request: admissiontest.Request{Obj: owned(plain), Old: owned(), Resource: pods}, allow: deletes},
		"status":      {request: admissiontest.Request{Obj: owned(plain), Old: owned(), Resource: pods, Subresource: "status"}},
		"blocks":      {request: admissiontest.Request{Obj: owned(blocking), Resource: pods}, allow: finalizes("pods", "n")},
		"blocks node": {request: admissiontest.Request{Obj: owned(node), Resource: pods}, allow: finalizes("nodes", "")},
		"may not block": {request: admissiontest.Request{Obj: owned(blocking), Resource: pods}, allow: deletes,
			want: `pods "x" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: no rule, <nil>`},
		"begins to block": {request: admissiontest.Request{Obj: owned(blocking), Old: owned(plain), Resource: pods}, allow: deletes,
			want: `pods "x" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: no rule, <nil>`},
		"unknown owner": {request: admissiontest.Request{Obj: owned(lost), Resource: pods},
			want: `pods "x" is forbidden: cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion v1 Kind Lost: no matches for kind "Lost" in version "v1"`},
		"unknown owner, may all": {request: admissiontest.Request{Obj: owned(lost), Resource: pods}, allow: everywhere},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admissiontest.Check(t, admissiontest.Start(t, ownerpermission.Register, admissiontest.Plugin{Allow: tc.allow}).Do(t.Context(), tc.request), tc.want)
		})
	}
}

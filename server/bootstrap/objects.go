// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	flowcontrol "k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"

	"github.com/stoa-project/stoa/apis/scheduling"
)

// object is what all of them implement.
type object interface {
	runtime.Object
	metav1.Object
}

// Object is a default object in the version that it is written in here.
type Object struct {
	// Resource says where it belongs.
	Resource schema.GroupVersionResource
	// Want is the object. It has neither the defaults of its type nor a UID.
	Want object
	// Reconcile returns what a stored object must become, of the same type; nil if it
	// may stay as it is. It may change have. Unset: what is there stays.
	Reconcile func(want, have object) (object, error)
}

// Objects returns the default objects that are the same for every server; Trust has
// the other one.
func Objects() ([]Object, error) {
	access, err := readAccess(rolesText)
	if err != nil {
		return nil, err
	}
	out := namespaces()
	out = append(out, accessObjects(access)...)
	out = append(out, flowObjects()...)
	return append(out, priorityClasses()...), nil
}

func namespaces() []Object {
	var out []Object
	for _, name := range []string{metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease} {
		out = append(out, Object{Resource: corev1.SchemeGroupVersion.WithResource("namespaces"), Want: &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}},
		}})
	}
	return out
}

func accessObjects(a *access) []Object {
	var out []Object
	for _, role := range a.clusterRoles {
		out = append(out, Object{rbacv1.SchemeGroupVersion.WithResource("clusterroles"), role, reconcileRole})
	}
	for _, binding := range a.clusterRoleBindings {
		out = append(out, Object{rbacv1.SchemeGroupVersion.WithResource("clusterrolebindings"), binding, reconcileBinding})
	}
	for _, role := range a.roles {
		out = append(out, Object{rbacv1.SchemeGroupVersion.WithResource("roles"), role, reconcileRole})
	}
	for _, binding := range a.roleBindings {
		out = append(out, Object{rbacv1.SchemeGroupVersion.WithResource("rolebindings"), binding, reconcileBinding})
	}
	return out
}

// ClusterAccess returns the default cluster roles and their bindings.
func ClusterAccess() ([]*rbacv1.ClusterRole, []*rbacv1.ClusterRoleBinding, error) {
	a, err := readAccess(rolesText)
	if err != nil {
		return nil, nil, err
	}
	return a.clusterRoles, a.clusterRoleBindings, nil
}

// flowObjects are those of the library. Some the server cannot do without; the others
// are only suggested. The priority levels of all flow schemas are among them, which
// their status says: the controller of flow control has nothing to write at a start.
func flowObjects() []Object {
	var out []Object
	add := func(resource string, obj object, reconcile func(want, have object) (object, error)) {
		obj = obj.DeepCopyObject().(object)
		obj.SetGeneration(1)
		if schema, ok := obj.(*flowcontrolv1.FlowSchema); ok {
			schema.Status.Conditions = []flowcontrolv1.FlowSchemaCondition{{
				Type: flowcontrolv1.FlowSchemaConditionDangling, Status: flowcontrolv1.ConditionFalse, LastTransitionTime: metav1.Now(), Reason: "Found",
				Message: fmt.Sprintf("This FlowSchema references the PriorityLevelConfiguration object named %q and it exists", schema.Spec.PriorityLevelConfiguration.Name),
			}}
		}
		out = append(out, Object{flowcontrolv1.SchemeGroupVersion.WithResource(resource), obj, reconcile})
	}
	const schemas, levels = "flowschemas", "prioritylevelconfigurations"
	for _, obj := range flowcontrol.MandatoryPriorityLevelConfigurations {
		add(levels, obj, reconcileMandatory)
	}
	for _, obj := range flowcontrol.MandatoryFlowSchemas {
		add(schemas, obj, reconcileMandatory)
	}
	for _, obj := range flowcontrol.SuggestedPriorityLevelConfigurations {
		add(levels, obj, reconcileSuggested)
	}
	for _, obj := range flowcontrol.SuggestedFlowSchemas {
		add(schemas, obj, reconcileSuggested)
	}
	for _, o := range out {
		o.Want.SetAnnotations(map[string]string{flowcontrolv1.AutoUpdateAnnotationKey: "true"})
	}
	return out
}

func priorityClasses() []Object {
	var out []Object
	for _, class := range scheduling.SystemClasses() {
		class.Generation = 1
		out = append(out, Object{Resource: schedulingv1.SchemeGroupVersion.WithResource("priorityclasses"), Want: class})
	}
	return out
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package scheduling

import (
	"fmt"

	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// SystemPrefix begins the names of the classes for parts of the cluster itself.
	SystemPrefix = "system-"
	// HighestUserPriority is the highest that any other class may have.
	HighestUserPriority int32 = 1000000000
)

// SystemClasses are the classes that every cluster has.
func SystemClasses() []*schedulingv1.PriorityClass {
	return []*schedulingv1.PriorityClass{
		{
			ObjectMeta:  metav1.ObjectMeta{Name: "system-node-critical"},
			Value:       2*HighestUserPriority + 1000,
			Description: "Used for system critical pods that must not be moved from their current node.",
		},
		{
			ObjectMeta:  metav1.ObjectMeta{Name: "system-cluster-critical"},
			Value:       2 * HighestUserPriority,
			Description: "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
		},
	}
}

// NotSystem says in what the class is not one of the system; "" if it is one.
func NotSystem(obj *schedulingv1.PriorityClass) string {
	for _, known := range SystemClasses() {
		switch {
		case obj.Name != known.Name:
		case obj.Value != known.Value:
			return fmt.Sprintf("value of %v PriorityClass must be %v", known.Name, known.Value)
		case obj.GlobalDefault != known.GlobalDefault:
			return fmt.Sprintf("globalDefault of %v PriorityClass must be %v", known.Name, known.GlobalDefault)
		default:
			return ""
		}
	}
	return obj.Name + " is not a known system priority class"
}

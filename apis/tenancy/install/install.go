// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package install registers every version of tenancy.stoa.dev in a scheme.
package install

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
	tenancyv1alpha1 "github.com/stoa-project/stoa/apis/tenancy/v1alpha1"
)

// Install registers the hub and all served versions. v1 is preferred and is
// what is stored. It panics if the scheme holds other types under these names.
func Install(scheme *runtime.Scheme) {
	utilruntime.Must(tenancy.AddToScheme(scheme))
	utilruntime.Must(tenancyv1.Install(scheme))
	utilruntime.Must(tenancyv1alpha1.Install(scheme))
	utilruntime.Must(scheme.SetVersionPriority(
		schema.GroupVersion(tenancyv1.GroupVersion),
		schema.GroupVersion(tenancyv1alpha1.GroupVersion),
	))
	// Options such as ListOptions are always decoded as v1 of the core group.
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package work

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/controllers/catalog"
)

// Server is what a controller has of the server that it runs in.
type Server struct {
	// Client has every right; its requests are not throttled. Metadata is the same for
	// what all objects have.
	Client   kubernetes.Interface
	Metadata metadata.Interface
	// Catalog is what the server serves.
	Catalog *catalog.Catalog
	// Informers are shared. Those that a controller asks for before it runs are started.
	Informers informers.SharedInformerFactory
	// Local lists and watches a resource in the stores of the process, without requests
	// and copies: what it returns has the types of the stores, and must not be changed.
	// It returns nil for resources that are not stored here, or not watched cheaply.
	Local func(schema.GroupVersionResource) cache.ListerWatcher
	// Alone says that no other server can be on the same etcd, so that no other controller
	// of this kind ever works on the same objects.
	Alone bool
	// Charges are the requests that this server charges quotas for.
	Charges *quota.Charges
}

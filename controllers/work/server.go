// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package work

import (
	"context"
	"crypto"
	"crypto/x509"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/admission/quota"
	"github.com/stoa-project/stoa/authn/serviceaccount"
	"github.com/stoa-project/stoa/controllers/catalog"
	"github.com/stoa-project/stoa/generated/clientset/versioned"
	"github.com/stoa-project/stoa/generated/informers/externalversions"
	"github.com/stoa-project/stoa/registry/rbac/escalation"
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
	// RequestTimeout is how long a request lasts at most, here and on the other servers.
	RequestTimeout time.Duration
	// Behind says that the objects of Kubernetes are those of a host, whose admission asks
	// this server by webhooks. Place is the namespace of the server there.
	Behind bool
	Place  string
	// Lacks returns in words the rights that the server needs to count the objects of a
	// resource of the host and does not have. It is there if Behind is.
	Lacks func(context.Context, schema.GroupResource) ([]string, error)
	// Tenancy and TenancyInformers are the same for the group tenancy.stoa.dev.
	Tenancy          versioned.Interface
	TenancyInformers externalversions.SharedInformerFactory
	// Guard knows what somebody may pass on.
	Guard escalation.Guard
	// Charges are the requests that this server charges quotas for.
	Charges *quota.Charges
	// RootCA are the certificates by which clients in pods know the server, as PEM.
	// Empty: nobody says.
	RootCA []byte
	// Tokens issues those of service accounts.
	Tokens *serviceaccount.Issuer
	// Authority returns what signs certificates that are asked for at the API, and
	// SigningDuration is how long those are valid at most. Unset: nobody signs.
	Authority       func() (*x509.Certificate, crypto.Signer, error)
	SigningDuration time.Duration
	// CreatorRole is the cluster role that who makes a namespace gets there; but for
	// Administrator, who has every right. Empty: none.
	CreatorRole, Administrator string
	// OwnerRole is the same for who makes a project.
	OwnerRole string
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// Server is what storage may need of the server that it is served by.
type Server struct {
	// Options say how objects are stored.
	Options generic.RESTOptionsGetter
	// Etcd says of each etcd server what is wrong with it; nil if nothing is.
	Etcd []func(context.Context) error
	// Gates are the feature gates by name, which validation by tags asks for.
	Gates map[string]bool
	// EventTTL is how long objects of kinds that expire are kept.
	EventTTL time.Duration
	// Authorizer decides about requests, and Rules lists what it allows somebody.
	// Rules is nil if nobody can tell.
	Authorizer authorizer.Authorizer
	Rules      authorizer.RuleResolver
	// Roles resolves the roles of the group rbac.authorization.k8s.io.
	Roles RoleResolver
	// Authenticator says who sent a request. Audiences are those that a token is for
	// when it does not name any.
	Authenticator authenticator.Request
	Audiences     authenticator.Audiences
	// Tokens is how tokens of service accounts are made. Nil: nobody makes any.
	Tokens *Tokens
	// Source returns how a resource is followed, for kinds that are made from others. It
	// returns nil for resources that are not stored here. Nil if nothing can be followed.
	Source func(schema.GroupVersionResource) *Source
	// OwnerRole is the cluster role that the creator of a project gets in it.
	OwnerRole string
	// LimitsTenants says that an admission plugin counts the namespaces of tenants. It
	// cannot where namespaces are written to another server.
	LimitsTenants bool
	// Loopback is how to be a client of the server itself, who may do everything, for
	// objects of other groups. Nil if there is no way.
	Loopback *rest.Config
	// Host is the cluster that the server is behind. Nil: it stands alone.
	Host *Host
}

// Host is a cluster that has the objects of Kubernetes in place of the server.
type Host struct {
	// Config is how to be a client of the cluster, with the rights of the server. What is
	// sent for a request has its audit ID.
	Config *rest.Config
	// Begin writes something to the cluster: lists that come later have a greater resource
	// version than everything that was read before.
	Begin func(context.Context) error
	// Namespace is where the server has its leases.
	Namespace string
	// Shared says that other servers answer for this one.
	Shared bool
}

// Source is a resource whose objects can be followed together with those of others. The
// revisions of all sources of a server are of one history, but for those of a source that
// says otherwise: of two writes, the one with the greater resource version was later,
// whatever was written.
type Source struct {
	// Objects lists and watches. Bookmarks say how far a watch has come. The objects are
	// of hub types or of those of k8s.io/api, and must not be changed.
	Objects cache.ListerWatcherWithContext
	// Revision returns the resource version that is the current one; zero if nobody can
	// say, because a host is away.
	Revision func(context.Context) (uint64, error)
	// Progress has the watches send a bookmark soon that is no older than the call. It may
	// fail to; who needs it asks again. Nil: there is no way, as with a host.
	Progress func(context.Context) error
	// Apart says that the revisions are of another history than those of other sources.
	Apart bool
}

// RoleResolver knows roles and who has them.
type RoleResolver interface {
	// HasSynced says whether all roles and bindings are known that there were at the start.
	HasSynced() bool
	// Rules returns the rules of the role that a binding in a namespace names; a
	// cluster role binding is in none. The error is that of a get.
	Rules(ref rbacv1.RoleRef, namespace string) ([]rbacv1.PolicyRule, error)
	// Held returns what a user holds in a namespace. With an error it is what is known.
	Held(who user.Info, namespace string) ([]Held, error)
}

// Tokens is how tokens of service accounts are made.
type Tokens struct {
	// Issue signs a token, and returns it with its ID.
	Issue func(TokenClaims) (token, id string, err error)
	// MaxSeconds is how long a token holds at most. Zero: as long as somebody asks for.
	MaxSeconds int64
	// ExtendedSeconds is how long the token holds that every pod gets, whose programs
	// may be older than tokens that end. Zero: no longer than they were told.
	ExtendedSeconds int64
}

// TokenClaims are what the token of a service account says.
type TokenClaims struct {
	Namespace string
	Account   TokenObject
	// Pod, Secret and Node are what the token is bound to. The node of a pod is there for
	// information.
	Pod, Secret, Node *TokenObject
	Audiences         []string
	IssuedAt          time.Time
	// Seconds is how long it holds, WarnAfter when its use is reported. Zero: never.
	Seconds, WarnAfter int64
}

// TokenObject is an object that a token names.
type TokenObject struct {
	Name string
	UID  types.UID
}

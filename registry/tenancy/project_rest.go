// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"context"
	"fmt"
	"math"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversion "k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/handlers/responsewriters"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	clientrest "k8s.io/client-go/rest"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/registry/tenancy/journal"
)

// projectREST serves projects. What somebody does not see is not found, whatever he asks
// of it.
type projectREST struct {
	rest.TableConvertor

	journal    *journal.Journal
	authorizer authorizer.Authorizer
	ownerRole  string
	// cluster is how to write namespaces and role bindings, with every right and the one to
	// impersonate; behind a host, with those of the server there. tenants is where there is
	// room for namespaces, nil if admission knows. promises is where it is written down what
	// is being made, nil if the namespace itself says so.
	cluster  *clientrest.Config
	behind   bool
	tenants  *tenantSlots
	promises *Promises
}

var (
	_ rest.Getter                     = (*projectREST)(nil)
	_ rest.Lister                     = (*projectREST)(nil)
	_ rest.Watcher                    = (*projectREST)(nil)
	_ rest.Creater                    = (*projectREST)(nil)
	_ rest.Patcher                    = (*projectREST)(nil)
	_ rest.GracefulDeleter            = (*projectREST)(nil)
	_ rest.MayReturnFullObjectDeleter = (*projectREST)(nil)
	_ rest.Scoper                     = (*projectREST)(nil)
	_ rest.CategoriesProvider         = (*projectREST)(nil)
	_ rest.SingularNameProvider       = (*projectREST)(nil)
)

func (r *projectREST) New() runtime.Object     { return &tenancy.Project{} }
func (r *projectREST) NewList() runtime.Object { return &tenancy.ProjectList{} }
func (r *projectREST) NamespaceScoped() bool   { return false }
func (r *projectREST) Categories() []string    { return []string{"tenancy"} }
func (r *projectREST) GetSingularName() string { return "project" }

// DeleteReturnsDeletedObject implements rest.MayReturnFullObjectDeleter.
func (r *projectREST) DeleteReturnsDeletedObject() bool { return true }

// Destroy implements rest.Storage.
func (r *projectREST) Destroy() { r.journal.Close() }

// caller returns who sent the request.
func caller(ctx context.Context) (user.Info, error) {
	info, ok := genericapirequest.UserFrom(ctx)
	if !ok {
		return nil, apierrors.NewForbidden(tenancy.Resource(projects), "", fmt.Errorf("nobody is known to ask"))
	}
	return info, nil
}

// Get implements rest.Getter.
func (r *projectREST) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	who, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	freshness := journal.Freshness{}
	if options != nil {
		if freshness, err = atLeast(options.ResourceVersion); err != nil {
			return nil, err
		}
	}
	return r.find(ctx, who, name, freshness)
}

// find returns a project that a user sees.
func (r *projectREST) find(ctx context.Context, who user.Info, name string, freshness journal.Freshness) (*tenancy.Project, error) {
	found, _, err := r.journal.Get(ctx, journal.NewWho(who), name, freshness)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, apierrors.NewNotFound(tenancy.Resource(projects), name)
	}
	return found.DeepCopy(), nil
}

// atLeast reads a resource version that a read must have reached.
func atLeast(resourceVersion string) (journal.Freshness, error) {
	switch resourceVersion {
	case "":
		return journal.Freshness{}, nil
	case "0":
		return journal.Freshness{Any: true}, nil
	}
	revision, err := strconv.ParseUint(resourceVersion, 10, 64)
	if err != nil || revision > math.MaxInt64 {
		return journal.Freshness{}, apierrors.NewBadRequest(fmt.Sprintf("resourceVersion %q must be a number", resourceVersion))
	}
	return journal.Freshness{Revision: revision}, nil
}

// selected returns what says whether selectors select a project; nil if they select all.
func selected(label labels.Selector, field fields.Selector) func(*tenancy.Project) bool {
	if (label == nil || label.Empty()) && (field == nil || field.Empty()) {
		return nil
	}
	return func(p *tenancy.Project) bool {
		return (label == nil || label.Matches(labels.Set(p.Labels))) &&
			(field == nil || field.Matches(fields.Set{fieldName: p.Name, fieldTenant: p.Spec.Tenant, fieldPhase: string(p.Status.Phase)}))
	}
}

// List implements rest.Lister.
func (r *projectREST) List(ctx context.Context, options *metainternalversion.ListOptions) (runtime.Object, error) {
	who, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if options == nil {
		options = &metainternalversion.ListOptions{}
	}
	freshness, from, err := readList(options)
	if err != nil {
		return nil, err
	}
	all, revision, err := r.journal.List(ctx, journal.NewWho(who), freshness)
	if err != nil {
		return nil, err
	}
	match := selected(options.LabelSelector, options.FieldSelector)
	out := &tenancy.ProjectList{Items: []tenancy.Project{}}
	out.ResourceVersion = strconv.FormatUint(revision, 10)
	for i, p := range all {
		switch {
		case p.Name < from || match != nil && !match(p):
			continue
		case options.Limit <= 0 || int64(len(out.Items)) < options.Limit:
			out.Items = append(out.Items, *p)
			continue
		}
		last := out.Items[len(out.Items)-1].Name
		out.Continue, err = storage.EncodeContinue("/"+last+"\x00", "/", int64(revision))
		if match == nil {
			left := int64(len(all) - i)
			out.RemainingItemCount = &left
		}
		return out, err
	}
	return out, nil
}

// readList reads how new a list must be, and the name that it begins with.
func readList(options *metainternalversion.ListOptions) (journal.Freshness, string, error) {
	if options.Continue == "" {
		freshness, err := atLeast(options.ResourceVersion)
		freshness.Exact = options.ResourceVersionMatch == metav1.ResourceVersionMatchExact
		return freshness, "", err
	}
	if options.ResourceVersion != "" && options.ResourceVersion != "0" {
		return journal.Freshness{}, "", apierrors.NewBadRequest("specifying resource version is not allowed when using continue")
	}
	from, revision, err := storage.DecodeContinue(options.Continue, "/")
	if err != nil || revision <= 0 {
		return journal.Freshness{}, "", apierrors.NewBadRequest(fmt.Sprintf("invalid continue token: %v", err))
	}
	return journal.Freshness{Revision: uint64(revision), Exact: true}, from[1:], nil
}

// Watch implements rest.Watcher.
func (r *projectREST) Watch(ctx context.Context, options *metainternalversion.ListOptions) (watch.Interface, error) {
	who, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if options == nil {
		options = &metainternalversion.ListOptions{}
	}
	freshness, err := atLeast(options.ResourceVersion)
	if err != nil {
		return nil, err
	}
	o := journal.WatchOptions{
		Match: selected(options.LabelSelector, options.FieldSelector), Bookmarks: options.AllowWatchBookmarks, From: freshness.Revision,
	}
	switch send := options.SendInitialEvents; {
	case send != nil && *send:
		o.Initial, o.InitialEnd = &freshness, options.AllowWatchBookmarks
	case freshness.Revision > 0:
	case send != nil: // from now on, without what there is
		if _, o.From, err = r.journal.List(ctx, journal.NewWho(who), freshness); err != nil {
			return nil, err
		}
	default:
		o.Initial = &freshness
	}
	w, err := r.journal.Watch(ctx, journal.NewWho(who), o)
	if apierrors.IsResourceExpired(err) || storage.IsTooLargeResourceVersion(err) {
		return refused(err), nil // as a watch cache does
	}
	return w, err
}

// refused is a watch that has nothing but an error.
func refused(err error) watch.Interface {
	events := make(chan watch.Event, 1)
	events <- watch.Event{Type: watch.Error, Object: responsewriters.ErrorToAPIStatus(err)}
	close(events)
	return watch.NewProxyWatcher(events)
}

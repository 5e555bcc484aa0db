// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenancy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
	"k8s.io/apiserver/pkg/util/dryrun"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	typedrbacv1 "k8s.io/client-go/kubernetes/typed/rbac/v1"
	clientrest "k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2"

	"github.com/stoa-project/stoa/apis/tenancy"
	"github.com/stoa-project/stoa/apis/tenancy/validation"
	"github.com/stoa-project/stoa/registry/tenancy/journal"
	"github.com/stoa-project/stoa/registry/tenancy/members"
)

const (
	// manage is the verb that lets somebody change and delete a project that he sees.
	manage = "manage"
	// ownerBinding is the role binding of who created a project.
	ownerBinding = "project-owner"
	// undoTimeout bounds how long what a failed create left is taken away.
	undoTimeout = 20 * time.Second
	// nameAttempts is how many names are tried for a project with generateName.
	nameAttempts = 8
)

// namespaces returns a client that writes namespaces in the name of a user: admission and
// audit see him. Behind a host, the server writes: who may impersonate anybody could be
// an administrator there. The host's audit log has the ID of the user's request.
func (r *projectREST) namespaces(who user.Info) (typedcorev1.NamespaceInterface, error) {
	config := clientrest.CopyConfig(r.cluster)
	if !r.behind {
		config.Impersonate = clientrest.ImpersonationConfig{
			UserName: who.GetName(), UID: who.GetUID(), Groups: append(slices.Clone(who.GetGroups()), tenancy.ProjectWriters), Extra: who.GetExtra(),
		}
	}
	client, err := typedcorev1.NewForConfig(config)
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("client for namespaces: %w", err))
	}
	return client.Namespaces(), nil
}

// Create makes the namespace of a project.
func (r *projectREST) Create(ctx context.Context, obj runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	who, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	project := obj.(*tenancy.Project)
	if errs := validation.ValidateProject(project); len(errs) > 0 {
		return nil, apierrors.NewInvalid(tenancy.Kind("Project"), project.Name, errs)
	}
	if validate != nil {
		if err := validate(ctx, project.DeepCopy()); err != nil {
			return nil, err
		}
	}
	if project.Name != "" {
		return r.create(ctx, who, project, options)
	}
	for range nameAttempts {
		named := project.DeepCopy()
		named.Name = names.SimpleNameGenerator.GenerateName(project.GenerateName)
		out, err := r.create(ctx, who, named, options)
		if !apierrors.IsAlreadyExists(err) {
			return out, err
		}
	}
	return nil, apierrors.NewGenerateNameConflict(tenancy.Resource(projects), project.GenerateName, 1)
}

// create makes the namespace of a project, and gives the user the owner role in it; or
// neither.
func (r *projectREST) create(ctx context.Context, who user.Info, project *tenancy.Project, options *metav1.CreateOptions) (runtime.Object, error) {
	dry := options != nil && dryrun.IsDryRun(options.DryRun)
	if tenant := project.Spec.Tenant; tenant != "" {
		if err := r.mayJoin(ctx, who, tenant, project.Name); err != nil {
			return nil, err
		}
		if r.tenants != nil {
			release, err := r.takeSlot(ctx, tenant, project.Name, dry)
			if err != nil {
				return nil, err
			}
			defer release()
		}
	}
	namespaces, err := r.namespaces(who)
	if err != nil {
		return nil, err
	}
	wanted := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: project.Name, Labels: maps.Clone(project.Labels)}}
	describe(wanted, project)
	if project.Spec.Tenant != "" {
		metav1.SetMetaDataLabel(&wanted.ObjectMeta, tenancy.TenantLabel, project.Spec.Tenant)
	}
	createOptions := metav1.CreateOptions{}
	if dry {
		createOptions.DryRun = []string{metav1.DryRunAll}
	}
	kept := func() {}
	if r.promises != nil && !dry {
		if kept, err = r.promises.make(ctx, wanted, who.GetName(), r.ownerRole); err != nil {
			return nil, apierrors.NewInternalError(fmt.Errorf("write down that %q makes the project: %w", who.GetName(), err))
		}
	}
	made, err := namespaces.Create(ctx, wanted, createOptions)
	if err != nil {
		if refusedByServer(err) { // otherwise it may be there
			kept()
		}
		return nil, ofProject(err, project.Name)
	}
	if dry {
		return journal.Project(made), nil
	}
	bound, err := r.bindOwner(ctx, who, made.Name)
	if err == nil || r.undo(ctx, made) {
		kept()
	}
	if err != nil {
		return nil, apierrors.NewInternalError(fmt.Errorf("give %q the role %q in the project: %w", who.GetName(), r.ownerRole, err))
	}
	return r.after(ctx, who, made, bound.ResourceVersion), nil
}

// describe writes the display name of a project to its namespace.
func describe(namespace *corev1.Namespace, project *tenancy.Project) {
	if project.Spec.DisplayName == "" {
		delete(namespace.Annotations, tenancy.DisplayNameAnnotation)
		return
	}
	metav1.SetMetaDataAnnotation(&namespace.ObjectMeta, tenancy.DisplayNameAnnotation, project.Spec.DisplayName)
}

// OwnerBinding returns the role binding that gives a project to a user.
func OwnerBinding(project, user, role string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: project, Name: ownerBinding},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{subjectOf(user)},
	}
}

func subjectOf(user string) rbacv1.Subject {
	if namespace, name, err := serviceaccount.SplitUsername(user); err == nil {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
	}
	return rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}
}

// bindOwner gives a user the owner role. The server does that, not the user, who does not
// have the role before. A controller does the same, if the server does not come to it, and
// may be faster.
func (r *projectREST) bindOwner(ctx context.Context, who user.Info, namespace string) (*rbacv1.RoleBinding, error) {
	client, err := typedrbacv1.NewForConfig(r.cluster)
	if err != nil {
		return nil, err
	}
	bindings := client.RoleBindings(namespace)
	bound, err := bindings.Create(ctx, OwnerBinding(namespace, who.GetName(), r.ownerRole), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return bindings.Get(ctx, ownerBinding, metav1.GetOptions{})
	}
	return bound, err
}

// undo deletes the namespace of a project that could not be created, also if nobody waits
// for that, and says whether it is gone.
func (r *projectREST) undo(ctx context.Context, made *corev1.Namespace) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	client, err := typedcorev1.NewForConfig(r.cluster)
	for err == nil {
		err = client.Namespaces().Delete(ctx, made.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(made.UID))})
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return true
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
			err = nil
		}
	}
	klog.FromContext(ctx).Error(err, "Could not delete the namespace of a project that was not created", "namespace", klog.KObj(made))
	return false
}

// refusedByServer says whether an error is the answer of a server that did nothing.
func refusedByServer(err error) bool {
	status := apierrors.APIStatus(nil)
	return errors.As(err, &status) && status.Status().Code < http.StatusInternalServerError
}

// after returns a project as the user sees it after a write to something at a revision.
func (r *projectREST) after(ctx context.Context, who user.Info, namespace *corev1.Namespace, resourceVersion string) *tenancy.Project {
	out := journal.Project(namespace)
	if freshness, err := atLeast(resourceVersion); err == nil {
		_, _, _ = r.journal.Get(ctx, journal.NewWho(who), namespace.Name, freshness) // so that he finds it
		out.ResourceVersion = resourceVersion
	}
	return out
}

// mayManage says whether a user may change and delete a project that he sees: he may
// manage projects in its namespace, or owns its tenant.
func (r *projectREST) mayManage(ctx context.Context, who user.Info, project *tenancy.Project, verb string) error {
	if err := r.active(ctx, who, project); err != nil {
		return err
	}
	decision, _, err := r.authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User: who, Verb: manage, Namespace: project.Name, Name: project.Name, ResourceRequest: true,
		APIGroup: tenancy.GroupName, APIVersion: "*", Resource: projects,
	})
	if decision == authorizer.DecisionAllow {
		return nil
	}
	if project.Spec.Tenant != "" {
		tenant, err := r.journal.Tenant(ctx, project.Spec.Tenant)
		if err != nil {
			return err
		}
		if tenant != nil && tenant.OwnedBy(journal.NewWho(who)) {
			return nil
		}
	}
	return apierrors.NewForbidden(tenancy.Resource(projects), project.Name,
		errors.Join(fmt.Errorf("user %q cannot %s it: the verb %q for projects is missing in namespace %q", who.GetName(), verb, manage, project.Name), err))
}

// active refuses to change a project of a tenant that is suspended, but for who was given
// the verb for that. It asks behind a host alone: otherwise admission does.
func (r *projectREST) active(ctx context.Context, who user.Info, project *tenancy.Project) error {
	if !r.behind || project.Spec.Tenant == "" {
		return nil
	}
	tenant, err := r.journal.Tenant(ctx, project.Spec.Tenant)
	if err != nil || tenant == nil || !tenant.Suspended || members.MayUse(ctx, r.authorizer, who, project.Spec.Tenant) {
		return err
	}
	return apierrors.NewForbidden(tenancy.Resource(projects), project.Name,
		fmt.Errorf("the tenant %q is suspended", project.Spec.Tenant))
}

// Update implements rest.Updater.
func (r *projectREST) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo, create rest.ValidateObjectFunc, update rest.ValidateObjectUpdateFunc, forceCreate bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	who, err := caller(ctx)
	if err != nil {
		return nil, false, err
	}
	old, err := r.find(ctx, who, name, journal.Freshness{})
	if apierrors.IsNotFound(err) && forceCreate { // server-side apply
		obj, err := info.UpdatedObject(ctx, &tenancy.Project{})
		if err != nil {
			return nil, false, err
		}
		out, err := r.Create(ctx, obj, create, &metav1.CreateOptions{DryRun: options.DryRun})
		return out, err == nil, err
	}
	if err != nil {
		return nil, false, err
	}
	if err := r.mayManage(ctx, who, old, "update"); err != nil {
		return nil, false, err
	}
	obj, err := info.UpdatedObject(ctx, old.DeepCopy())
	if err != nil {
		return nil, false, err
	}
	project := obj.(*tenancy.Project)
	if err := checkVersion(info.Preconditions(), project, old); err != nil {
		return nil, false, err
	}
	if errs := validation.ValidateProjectUpdate(project, old); len(errs) > 0 {
		return nil, false, apierrors.NewInvalid(tenancy.Kind("Project"), name, errs)
	}
	if update != nil {
		if err := update(ctx, project.DeepCopy(), old.DeepCopy()); err != nil {
			return nil, false, err
		}
	}
	out, err := r.write(ctx, who, project, old, options)
	return out, false, err
}

// checkVersion refuses a change of something that is not what the caller has seen. The
// resource version of a project may be greater than that of its namespace, when it came
// into view later.
func checkVersion(preconditions *metav1.Preconditions, project, old *tenancy.Project) error {
	conflict := func(format string, args ...any) error {
		return apierrors.NewConflict(tenancy.Resource(projects), old.Name, fmt.Errorf(format, args...))
	}
	uid, version := project.UID, project.ResourceVersion
	if preconditions != nil {
		if preconditions.UID != nil {
			uid = *preconditions.UID
		}
		if preconditions.ResourceVersion != nil {
			version = *preconditions.ResourceVersion
		}
	}
	if uid != "" && uid != old.UID {
		return conflict("Precondition failed: UID in precondition: %v, UID in object meta: %v", uid, old.UID)
	}
	if version == "" {
		return nil
	}
	seen, err := strconv.ParseUint(version, 10, 64)
	if err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("resourceVersion %q must be a number", version))
	}
	if now, err := strconv.ParseUint(old.ResourceVersion, 10, 64); err != nil || seen < now {
		return conflict("the object has been modified; please apply your changes to the latest version and try again")
	}
	return nil
}

// write brings what changed of a project to its namespace.
func (r *projectREST) write(ctx context.Context, who user.Info, project, old *tenancy.Project, options *metav1.UpdateOptions) (runtime.Object, error) {
	namespaces, err := r.namespaces(who)
	if err != nil {
		return nil, err
	}
	updateOptions := metav1.UpdateOptions{}
	if options != nil {
		updateOptions.DryRun = options.DryRun
	}
	var written *corev1.Namespace
	first := true
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		now, err := namespaces.Get(ctx, old.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if now.UID != old.UID || first && project.ResourceVersion != "" && now.ResourceVersion != old.ResourceVersion {
			return apierrors.NewConflict(tenancy.Resource(projects), old.Name, errors.New("the object has been modified; please apply your changes to the latest version and try again"))
		}
		first = project.ResourceVersion != ""
		for key := range old.Labels {
			if _, ok := project.Labels[key]; !ok {
				delete(now.Labels, key)
			}
		}
		for key, value := range project.Labels {
			if had, ok := old.Labels[key]; !ok || had != value {
				metav1.SetMetaDataLabel(&now.ObjectMeta, key, value)
			}
		}
		describe(now, project)
		written, err = namespaces.Update(ctx, now, updateOptions)
		return err
	})
	if err != nil {
		return nil, ofProject(err, old.Name)
	}
	return r.after(ctx, who, written, written.ResourceVersion), nil
}

// Delete implements rest.GracefulDeleter: it deletes the namespace, which ends when all
// that is in it is gone.
func (r *projectREST) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc, options *metav1.DeleteOptions) (runtime.Object, bool, error) {
	who, err := caller(ctx)
	if err != nil {
		return nil, false, err
	}
	old, err := r.find(ctx, who, name, journal.Freshness{})
	if err != nil {
		return nil, false, err
	}
	if err := r.mayManage(ctx, who, old, "delete"); err != nil {
		return nil, false, err
	}
	if options == nil {
		options = &metav1.DeleteOptions{}
	}
	if err := checkVersion(options.Preconditions, &tenancy.Project{}, old); err != nil {
		return nil, false, err
	}
	if validate != nil {
		if err := validate(ctx, old.DeepCopy()); err != nil {
			return nil, false, err
		}
	}
	namespaces, err := r.namespaces(who)
	if err != nil {
		return nil, false, err
	}
	deleteOptions := *options
	deleteOptions.Preconditions = metav1.NewUIDPreconditions(string(old.UID))
	if options.Preconditions != nil && options.Preconditions.ResourceVersion != nil {
		deleteOptions.Preconditions.ResourceVersion = &old.ResourceVersion
	}
	if err := namespaces.Delete(ctx, name, deleteOptions); err != nil {
		return nil, false, ofProject(err, name)
	}
	if !dryrun.IsDryRun(options.DryRun) {
		if now, err := r.find(ctx, who, name, journal.Freshness{}); err == nil && now.UID == old.UID {
			return now, false, nil
		}
	}
	return old, false, nil
}

// ofProject is an error about a namespace, told of its project.
func ofProject(err error, name string) error {
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		return apierrors.NewInternalError(err)
	}
	out := apierrors.StatusError{ErrStatus: *status.ErrStatus.DeepCopy()}
	quoted := strconv.Quote(name)
	out.ErrStatus.Message = strings.NewReplacer("namespaces "+quoted, projects+"."+tenancy.GroupName+" "+quoted, "Namespace "+quoted, "Project "+quoted).
		Replace(out.ErrStatus.Message)
	if details := out.ErrStatus.Details; details != nil {
		details.Group, details.Kind, details.UID = tenancy.GroupName, projects, types.UID("")
	}
	return &out
}

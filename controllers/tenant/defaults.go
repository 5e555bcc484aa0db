// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package tenant

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/stoa-project/stoa/apis/tenancy"
	tenancyv1 "github.com/stoa-project/stoa/apis/tenancy/v1"
)

const (
	// manager owns the fields that the controller applies.
	manager = "stoa-tenants"
	// defaultName is that of the objects of which a namespace has one.
	defaultName = "tenant"
)

// kindOf is a kind of which namespaces get objects.
type kindOf struct {
	resource schema.GroupVersionResource
	kind     string
	client   func(*controller) rest.Interface
}

func kinds() []kindOf {
	core := func(c *controller) rest.Interface { return c.client.CoreV1().RESTClient() }
	return []kindOf{
		{corev1.SchemeGroupVersion.WithResource("resourcequotas"), "ResourceQuota", core},
		{corev1.SchemeGroupVersion.WithResource("limitranges"), "LimitRange", core},
		{rbacv1.SchemeGroupVersion.WithResource("rolebindings"), "RoleBinding", func(c *controller) rest.Interface { return c.client.RbacV1().RESTClient() }},
		{networkingv1.SchemeGroupVersion.WithResource("networkpolicies"), "NetworkPolicy", func(c *controller) rest.Interface { return c.client.NetworkingV1().RESTClient() }},
	}
}

// object is what is applied: the part of an object that the controller owns.
type object struct {
	kind string
	// namespace is empty for the namespace itself.
	namespace, name string
	body            map[string]any
}

// metadataOf is a namespace with labels and annotations, and the mark that it has some.
func metadataOf(namespace *corev1.Namespace, labels, annotations map[string]string) object {
	if len(labels)+len(annotations) > 0 {
		marked := map[string]string{tenancy.MetadataAnnotation: namespace.Labels[tenancy.TenantLabel]}
		maps.Copy(marked, annotations)
		annotations = marked
	}
	return object{kind: "Namespace", name: namespace.Name, body: map[string]any{
		"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{"name": namespace.Name, "labels": labels, "annotations": annotations},
	}}
}

// marked says whether a namespace has labels or annotations that were applied. If it does
// not tell the truth, what is applied is nothing, and takes away nothing.
func (c *controller) marked(namespace *corev1.Namespace) bool {
	_, has := namespace.Annotations[tenancy.MetadataAnnotation]
	return has || c.marksHost(namespace)
}

// marksHost says whether a namespace has a label by which policies and webhooks of a host
// go.
func (c *controller) marksHost(namespace *corev1.Namespace) bool {
	_, suspended := namespace.Labels[tenancy.SuspendedLabel]
	_, limited := namespace.Labels[tenancy.LimitsLabel]
	return c.host != nil && (suspended || limited)
}

// marksOf are the labels by which policies and webhooks of a host go in a namespace of a
// tenant.
func (c *controller) marksOf(t *tenancyv1.Tenant) (map[string]string, error) {
	if c.host == nil {
		return nil, nil
	}
	out := map[string]string{}
	if t.Spec.Suspended {
		out[tenancy.SuspendedLabel] = t.Name
	}
	limits, err := c.limitsOf(t)
	if limits != "" {
		out[tenancy.LimitsLabel] = limits
	}
	return out, err
}

// defaultsOf returns what a namespace gets from its tenant.
func (c *controller) defaultsOf(t *tenancyv1.Tenant, namespace *corev1.Namespace) ([]object, error) {
	spec := &t.Spec.NamespaceDefaults
	var out []object
	extra, err := c.marksOf(t)
	if err != nil {
		return nil, err
	}
	if extra == nil {
		extra = map[string]string{}
	}
	for name, value := range t.Spec.Namespaces.Labels {
		if _, mark := extra[name]; !mark {
			extra[name] = value
		}
	}
	if annotations := t.Spec.Namespaces.Annotations; len(extra)+len(annotations) > 0 || c.marked(namespace) {
		out = append(out, metadataOf(namespace, extra, annotations))
	}
	add := func(apiVersion, kind, name string, fields map[string]any) {
		body := maps.Clone(fields)
		body["apiVersion"], body["kind"] = apiVersion, kind
		body["metadata"] = map[string]any{"name": name, "namespace": namespace.Name, "labels": map[string]string{tenancy.TenantLabel: t.Name}}
		out = append(out, object{kind: kind, namespace: namespace.Name, name: name, body: body})
	}
	if len(spec.Quota.Hard) > 0 {
		add("v1", "ResourceQuota", defaultName, map[string]any{"spec": map[string]any{"hard": spec.Quota.Hard}})
	}
	if len(spec.LimitRange.Items) > 0 {
		add("v1", "LimitRange", defaultName, map[string]any{"spec": map[string]any{"limits": spec.LimitRange.Items}})
	}
	bind := func(name string, role rbacv1.RoleRef, subjects []rbacv1.Subject) {
		local := slices.Clone(subjects)
		for i := range local {
			if local[i].Kind == rbacv1.ServiceAccountKind {
				local[i].Namespace = cmp.Or(local[i].Namespace, namespace.Name)
			}
		}
		add(rbacv1.SchemeGroupVersion.String(), "RoleBinding", name, map[string]any{"roleRef": role, "subjects": local})
	}
	if len(t.Spec.Owners) > 0 {
		bind(tenancy.OwnersBinding, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: tenancy.OwnersRole}, t.Spec.Owners)
	}
	for _, b := range spec.RoleBindings {
		subjects := b.Subjects
		if len(subjects) == 0 {
			subjects = t.Spec.Owners
		}
		bind(b.Name, b.RoleRef, subjects)
	}
	if spec.NetworkIsolation == tenancyv1.NetworkIsolationTenant {
		same := metav1.LabelSelector{MatchLabels: map[string]string{tenancy.TenantLabel: t.Name}}
		add(networkingv1.SchemeGroupVersion.String(), "NetworkPolicy", defaultName, map[string]any{"spec": networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &same}}}},
		}})
	}
	return out, nil
}

// apply has an object be as it should be. A binding of another role has to go first: its
// role cannot be changed.
func (c *controller) apply(ctx context.Context, o *object) error {
	body, err := json.Marshal(o.body)
	if err != nil {
		return err
	}
	client, resource := c.client.CoreV1().RESTClient(), "namespaces"
	if o.namespace != "" {
		k := kinds()[slices.IndexFunc(kinds(), func(k kindOf) bool { return k.kind == o.kind })]
		client, resource = k.client(c), k.resource.Resource
	}
	request := func(r *rest.Request) *rest.Request {
		return r.NamespaceIfScoped(o.namespace, o.namespace != "").Resource(resource).Name(o.name)
	}
	patch := func() error {
		return request(client.Patch(types.ApplyPatchType)).Param("fieldManager", manager).Param("force", "true").Body(body).Do(ctx).Error()
	}
	err = patch()
	if o.kind == "RoleBinding" && apierrors.IsInvalid(err) {
		if err := request(client.Delete()).Do(ctx).Error(); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		err = patch()
	}
	if err != nil {
		return fmt.Errorf("apply %s %q: %w", o.kind, o.name, err)
	}
	return nil
}

// applied says whether the controller has applied an object. Others may give the label to
// what they make.
func applied(obj metav1.Object) bool {
	return slices.ContainsFunc(obj.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Manager == manager && entry.Operation == metav1.ManagedFieldsOperationApply
	})
}

// prune deletes what a namespace got from a tenant and is to have no more.
func (c *controller) prune(ctx context.Context, namespace string, want []object) error {
	select {
	case <-c.begun:
	default:
		return nil // no tenant was seen yet
	}
	for _, k := range kinds() {
		informer := c.children.ForResource(k.resource)
		if !cache.WaitForCacheSync(ctx.Done(), informer.Informer().HasSynced) {
			return ctx.Err()
		}
		have, err := informer.Lister().ByNamespace(namespace).List(labels.Everything())
		if err != nil {
			return err
		}
		for _, obj := range have {
			of, ok := obj.(metav1.Object)
			if !ok || !applied(of) || slices.ContainsFunc(want, func(o object) bool { return o.kind == k.kind && o.name == of.GetName() }) {
				continue
			}
			uid := of.GetUID()
			err := k.client(c).Delete().Namespace(namespace).Resource(k.resource.Resource).Name(of.GetName()).
				Body(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}).Do(ctx).Error()
			if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				return fmt.Errorf("delete %s %q: %w", k.kind, of.GetName(), err)
			}
		}
	}
	return nil
}

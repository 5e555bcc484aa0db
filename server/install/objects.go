// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/stoa-project/stoa/server/host"
)

const (
	managedBy = "app.kubernetes.io/managed-by"
	appName   = "app.kubernetes.io/name"

	servicePort = 443
)

// Objects returns all objects, in the order in which they are made.
func (o Options) Objects() ([]*unstructured.Unstructured, error) {
	objects := slices.Concat(o.identity(), o.roles(), o.policies(), o.service())
	if !o.external() {
		objects = append(objects, o.pods()...)
	}
	for _, service := range o.APIServices {
		objects = append(objects, o.apiService(service))
	}
	objects = append(objects, o.webhooks()...) // last, and first to go: they need all others
	out := make([]*unstructured.Unstructured, 0, len(objects))
	for _, obj := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
		if err != nil {
			return nil, err
		}
		delete(content, "status")
		if spec, ok := content["spec"].(map[string]any); ok && len(spec) == 0 {
			delete(content, "spec")
		}
		for _, path := range [][]string{{"metadata"}, {"spec", "template", "metadata"}, {"spec", "strategy"}} {
			if part, found, _ := unstructured.NestedFieldNoCopy(content, path...); found {
				delete(part.(map[string]any), "creationTimestamp")
			}
		}
		out = append(out, &unstructured.Unstructured{Object: content})
	}
	return out, nil
}

func (o Options) meta(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{appName: Name, managedBy: Name}}
}

// kind is a kind in version v1 of a group.
func kind(group, kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: schema.GroupVersion{Group: group, Version: "v1"}.String(), Kind: kind}
}

// identity is who the server is, and what it may do.
func (o Options) identity() []runtime.Object {
	names := make([]string, 0, len(o.APIServices))
	for _, service := range o.APIServices {
		names = append(names, service.Name)
	}
	namespace := &corev1.Namespace{TypeMeta: kind("", "Namespace"), ObjectMeta: o.meta("", o.Namespace)}
	namespace.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
	out := []runtime.Object{namespace}
	if o.User == "" {
		out = append(out, &corev1.ServiceAccount{TypeMeta: kind("", "ServiceAccount"), ObjectMeta: o.meta(o.Namespace, Name)})
	}
	roles := []rbacv1.PolicyRule{
		// Elections among replicas, and the beginnings of the index of projects; who is first
		// makes the lease.
		{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"create", "get", "update"}},
	}
	if !o.external() {
		// Made here, so that the server need not be allowed to make secrets.
		out = append(out, &corev1.Secret{TypeMeta: kind("", "Secret"), ObjectMeta: o.meta(o.Namespace, SecretName), Type: corev1.SecretTypeOpaque})
		roles = append(roles, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{SecretName}, Verbs: []string{"get", "update"}})
	}
	return append(out,
		&rbacv1.Role{TypeMeta: kind(rbacv1.GroupName, "Role"), ObjectMeta: o.meta(o.Namespace, Name), Rules: roles},
		o.bind(o.Namespace, Name, "Role", Name),
		o.bind(metav1.NamespaceSystem, "stoa:extension-apiserver-authentication-reader", "Role", "extension-apiserver-authentication-reader"),
		&rbacv1.ClusterRole{TypeMeta: kind(rbacv1.GroupName, "ClusterRole"), ObjectMeta: o.meta("", "stoa:aggregated"), Rules: append(append(host.ClusterRules(), host.WebhookRules()...),
			rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
			rbacv1.PolicyRule{APIGroups: []string{"events.k8s.io"}, Resources: []string{"events"}, Verbs: []string{"create", "patch"}},
			rbacv1.PolicyRule{APIGroups: []string{apiregistration.GroupName}, Resources: []string{"apiservices"}, ResourceNames: names, Verbs: []string{"get", "patch"}},
		)},
		o.bind("", "stoa:aggregated", "ClusterRole", "stoa:aggregated"),
		o.bind("", "stoa:auth-delegator", "ClusterRole", "system:auth-delegator"),
	)
}

// bind gives the server a role. Without a namespace it holds in all.
func (o Options) bind(namespace, name, roleKind, role string) runtime.Object {
	ref, subjects := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: roleKind, Name: role}, []rbacv1.Subject{o.Subject()}
	if namespace == "" {
		return &rbacv1.ClusterRoleBinding{TypeMeta: kind(rbacv1.GroupName, "ClusterRoleBinding"), ObjectMeta: o.meta("", name), RoleRef: ref, Subjects: subjects}
	}
	return &rbacv1.RoleBinding{TypeMeta: kind(rbacv1.GroupName, "RoleBinding"), ObjectMeta: o.meta(namespace, name), RoleRef: ref, Subjects: subjects}
}

// service is how the cluster reaches the server.
func (o Options) service() []runtime.Object {
	service := &corev1.Service{TypeMeta: kind("", "Service"), ObjectMeta: o.meta(o.Namespace, Name)}
	https := corev1.ServicePort{Name: "https", Protocol: corev1.ProtocolTCP, Port: servicePort, TargetPort: intstr.FromString("https")}
	switch {
	case o.ExternalName != "":
		service.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: o.ExternalName}
		return []runtime.Object{service}
	case o.Endpoint != "":
		address := netip.MustParseAddrPort(o.Endpoint)
		https.TargetPort = intstr.FromInt32(int32(address.Port()))
		service.Spec = corev1.ServiceSpec{Ports: []corev1.ServicePort{https}}
		slice := &discoveryv1.EndpointSlice{
			TypeMeta: kind(discoveryv1.GroupName, "EndpointSlice"), ObjectMeta: o.meta(o.Namespace, Name), AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address.Addr().String()}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
			Ports:     []discoveryv1.EndpointPort{{Name: new(https.Name), Protocol: new(corev1.ProtocolTCP), Port: new(int32(address.Port()))}},
		}
		if address.Addr().Is6() {
			slice.AddressType = discoveryv1.AddressTypeIPv6
		}
		slice.Labels[discoveryv1.LabelServiceName] = Name
		slice.Labels[discoveryv1.LabelManagedBy] = Name
		return []runtime.Object{service, slice}
	default:
		service.Spec = corev1.ServiceSpec{Selector: map[string]string{appName: Name}, Ports: []corev1.ServicePort{https}}
		return []runtime.Object{service}
	}
}

// apiService sends requests for one version of a group to the service. It says nothing
// of who signs the server's certificate: the server does.
func (o Options) apiService(version *apiregistration.APIService) runtime.Object {
	port := int32(servicePort)
	if o.ExternalName != "" {
		port = o.Port
	}
	out := &apiregistration.APIService{TypeMeta: kind(apiregistration.GroupName, "APIService"), ObjectMeta: o.meta("", version.Name), Spec: version.Spec}
	out.Spec.Service = &apiregistration.ServiceReference{Namespace: o.Namespace, Name: Name, Port: &port}
	return out
}

// describe names an object in messages.
func describe(obj *unstructured.Unstructured) string {
	if obj.GetNamespace() == "" {
		return fmt.Sprintf("%s %s", obj.GetKind(), obj.GetName())
	}
	return fmt.Sprintf("%s %s/%s", obj.GetKind(), obj.GetNamespace(), obj.GetName())
}

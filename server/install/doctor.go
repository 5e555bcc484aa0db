// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/util/cert"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"

	"github.com/stoa-project/stoa/server/host"
)

// Finding is what one check of an installation found.
type Finding struct {
	// Check is the name of the check.
	Check string
	// OK says that nothing is wrong, and Text what there is.
	OK   bool
	Text string
	// Do is what to do if something is wrong.
	Do string
}

const (
	again = "run stoa install again, with the flags of the first time: it puts that right"
	// oldest is the first version of Kubernetes with all that the server uses.
	oldest = "1.30"
	// maxSkew is how far clocks may be apart: certificates are good some minutes earlier.
	maxSkew = 3 * time.Minute
)

// Examine looks at everything that must be right for requests to get through, in the
// order in which one thing needs another: the first finding that is not OK is the cause.
// It finds out itself how the server was installed. What o says of the namespace, the
// groups and, if nothing is there, the user holds.
func (c *Cluster) Examine(ctx context.Context, o Options) []Finding {
	o, service := c.detect(ctx, o)
	checks := []struct {
		name string
		look func() (text, do string)
	}{
		{"host", func() (string, string) { return c.lookAtHost(ctx) }},
		{"objects", func() (string, string) { return c.lookAtObjects(ctx, o) }},
		{"rights", func() (string, string) { return c.lookAtRights(ctx, o) }},
		{"front proxy", func() (string, string) { return c.lookAtFrontProxy(ctx, o) }},
		{"endpoints", func() (string, string) { return c.lookAtEndpoints(ctx, o, service) }},
		{"server", func() (string, string) { return c.lookAtServer(ctx, o) }},
		{"authority", func() (string, string) { return c.lookAtAuthority(ctx, o) }},
		{"available", func() (string, string) { return c.lookAtServices(ctx, o) }},
		{"webhooks", func() (string, string) { return c.lookAtWebhooks(ctx) }},
	}
	var out []Finding
	for _, check := range checks {
		text, do := check.look()
		out = append(out, Finding{Check: check.name, OK: do == "", Text: text, Do: do})
	}
	return out
}

// detect reads from the cluster how the server was installed.
func (c *Cluster) detect(ctx context.Context, o Options) (Options, *corev1.Service) {
	binding, err := c.client.RbacV1().ClusterRoleBindings().Get(ctx, "stoa:auth-delegator", metav1.GetOptions{})
	if err == nil && len(binding.Subjects) == 1 && binding.Subjects[0].Kind == rbacv1.UserKind {
		o.User = binding.Subjects[0].Name
	}
	service, err := c.client.CoreV1().Services(o.Namespace).Get(ctx, Name, metav1.GetOptions{})
	if err != nil {
		o.ExternalName = "unknown.invalid" // there is at least what that has
		return o, nil
	}
	switch {
	case service.Spec.Type == corev1.ServiceTypeExternalName:
		o.ExternalName = service.Spec.ExternalName
		if registered, err := c.services.Get(ctx, o.APIServices[0].Name, metav1.GetOptions{}); err == nil && registered.Spec.Service != nil && registered.Spec.Service.Port != nil {
			o.Port = *registered.Spec.Service.Port
		}
	case service.Spec.Selector == nil:
		slice, err := c.client.DiscoveryV1().EndpointSlices(o.Namespace).Get(ctx, Name, metav1.GetOptions{})
		o.Endpoint = "[2001:db8::1]:443" // one that is not there
		if err == nil && len(slice.Endpoints) > 0 && len(slice.Ports) > 0 && slice.Ports[0].Port != nil {
			if ip, err := netip.ParseAddr(slice.Endpoints[0].Addresses[0]); err == nil {
				o.Endpoint = netip.AddrPortFrom(ip, uint16(*slice.Ports[0].Port)).String()
			}
		}
	default:
		deployment, err := c.client.AppsV1().Deployments(o.Namespace).Get(ctx, Name, metav1.GetOptions{})
		if err == nil && len(deployment.Spec.Template.Spec.Containers) > 0 {
			for _, arg := range deployment.Spec.Template.Spec.Containers[0].Args {
				if servers, ok := strings.CutPrefix(arg, "--etcd-servers="); ok {
					o.EtcdServers = strings.Split(servers, ",")
				}
			}
		}
	}
	return o, service
}

func (c *Cluster) lookAtHost(ctx context.Context) (text, do string) {
	info, err := c.client.Discovery().ServerVersion()
	if err != nil {
		return err.Error(), "make the cluster of the kubeconfig reachable from here"
	}
	text = "Kubernetes " + info.GitVersion
	if has, err := utilversion.ParseGeneric(info.GitVersion); err == nil && has.LessThan(utilversion.MustParseGeneric(oldest)) {
		return text + " is older than " + oldest, "upgrade the cluster to Kubernetes " + oldest + " or newer"
	}
	if _, err := c.client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{}); err != nil {
		return text + ": " + err.Error(), "run this as somebody who may read all of the cluster"
	}
	return text, ""
}

func (c *Cluster) lookAtObjects(ctx context.Context, o Options) (text, do string) {
	objects, err := o.Objects()
	if err != nil {
		return err.Error(), again
	}
	var missing []string
	for _, obj := range objects {
		if _, err := c.resource(obj).Get(ctx, obj.GetName(), metav1.GetOptions{}); err != nil {
			text := describe(obj)
			if !apierrors.IsNotFound(err) {
				text += " (" + err.Error() + ")"
			}
			missing = append(missing, text)
		}
	}
	if missing != nil {
		return "missing: " + strings.Join(missing, ", "), again
	}
	return fmt.Sprintf("all %d are there", len(objects)), ""
}

// lookAtRights asks what the server may do.
func (c *Cluster) lookAtRights(ctx context.Context, o Options) (text, do string) {
	subject := o.Subject()
	name, groups := subject.Name, []string{"system:authenticated"}
	if subject.Kind == rbacv1.ServiceAccountKind {
		name = "system:serviceaccount:" + subject.Namespace + ":" + subject.Name
		groups = append(groups, "system:serviceaccounts", "system:serviceaccounts:"+subject.Namespace)
	}
	var missing []string
	for _, right := range o.Rights() {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: name, Groups: groups, ResourceAttributes: right.Attributes()}}
		answer, err := c.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			return err.Error(), "run this as somebody who may create subjectaccessreviews"
		}
		if !answer.Status.Allowed {
			missing = append(missing, right.String())
		}
	}
	if missing != nil {
		return fmt.Sprintf("%s may not: %s", name, strings.Join(missing, ", ")), again
	}
	return name + " may do what it must", ""
}

func (c *Cluster) lookAtFrontProxy(ctx context.Context, o Options) (text, do string) {
	const where = "--requestheader-client-ca-file and --proxy-client-cert-file of the cluster's API server"
	trust, err := c.client.CoreV1().ConfigMaps(metav1.NamespaceSystem).Get(ctx, "extension-apiserver-authentication", metav1.GetOptions{})
	if err != nil {
		return err.Error(), "set " + where
	}
	bundle := []byte(trust.Data["requestheader-client-ca-file"])
	if err := host.CheckFrontProxyCA(bundle, time.Now()); err != nil {
		return err.Error(), "renew what is in " + where
	}
	// Its server says 401 to a proxy that it does not believe, and the cluster repeats it.
	if state := c.refused(ctx, o); state != "" {
		return "the server does not believe it: " + state, "renew the certificate in --proxy-client-cert-file of the cluster's API server: " +
			"it has expired, or is not signed by --requestheader-client-ca-file, or its name is not in --requestheader-allowed-names"
	}
	return "the cluster says who its proxy is", ""
}

// refused is what the cluster says if the server does not believe its proxy.
func (c *Cluster) refused(ctx context.Context, o Options) string {
	for _, registered := range o.APIServices {
		service, err := c.services.Get(ctx, registered.Name, metav1.GetOptions{})
		if err != nil {
			continue
		}
		for _, condition := range service.Status.Conditions {
			if condition.Type == apiregistration.Available && condition.Status != apiregistration.ConditionTrue && strings.HasSuffix(condition.Message, ": 401") {
				return condition.Message
			}
		}
	}
	return ""
}

func (c *Cluster) lookAtEndpoints(ctx context.Context, o Options, service *corev1.Service) (text, do string) {
	switch {
	case service == nil:
		return "there is no service " + o.Namespace + "/" + Name, again
	case o.ExternalName != "":
		address := net.JoinHostPort(o.ExternalName, strconv.Itoa(int(o.Port)))
		if _, err := net.DefaultResolver.LookupHost(ctx, o.ExternalName); err != nil {
			return err.Error(), "make the name " + o.ExternalName + " known in DNS, to the cluster's API server too, or install with another --external-name"
		}
		return address, ""
	case o.Endpoint != "":
		return o.Endpoint, ""
	}
	slices, err := c.client.DiscoveryV1().EndpointSlices(o.Namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + Name})
	if err != nil {
		return err.Error(), "run this as somebody who may list endpointslices"
	}
	ready := 0
	for i := range slices.Items {
		for _, endpoint := range slices.Items[i].Endpoints {
			if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
				ready++
			}
		}
	}
	if ready == 0 {
		return "none is ready: " + strings.Join(c.Pods(ctx, o), "; "), "mend the pods of deployment " + o.Namespace + "/" + Name + ": kubectl logs -n " + o.Namespace + " deployment/" + Name
	}
	return fmt.Sprintf("%d ready", ready), ""
}

// lookAtAuthority looks at what the cluster knows of who signs the server's certificate.
func (c *Cluster) lookAtAuthority(ctx context.Context, o Options) (text, do string) {
	for _, registered := range o.APIServices {
		service, err := c.services.Get(ctx, registered.Name, metav1.GetOptions{})
		if err != nil {
			return err.Error(), again
		}
		certs, err := cert.ParseCertsPEM(service.Spec.CABundle)
		if err != nil {
			return "APIService " + service.Name + " has no caBundle", "look into the log of the server: it writes the caBundle within a minute after its start, unless something prevents it"
		}
		last := certs[len(certs)-1]
		if time.Now().After(last.NotAfter) {
			return fmt.Sprintf("the caBundle of APIService %s expired at %s", service.Name, last.NotAfter.Format(time.RFC3339)), "look into the log of the server: it renews the caBundle, unless something prevents it"
		}
		text = "good until " + last.NotAfter.Format(time.RFC3339)
	}
	return text, ""
}

func (c *Cluster) lookAtServices(ctx context.Context, o Options) (text, do string) {
	for _, registered := range o.APIServices {
		if state, available := c.state(ctx, registered.Name); !available {
			return "APIService " + registered.Name + ": " + state, "wait half a minute, in which the cluster looks again; then see that the machines of its API servers reach the server"
		}
	}
	return "the cluster sends requests to the server", ""
}

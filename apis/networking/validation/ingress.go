// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	corevalidation "github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/apis/fielderrors"
	"github.com/stoa-project/stoa/features"
)

// AnnotationIngressClass named the class before there was a field for it.
const AnnotationIngressClass = "kubernetes.io/ingress.class"

// ingressRules loosens rules for an ingress that broke them before they came.
type ingressRules struct{ secretNames, wildcardRules, serviceNames bool }

// ValidateIngress judges a new ingress.
func ValidateIngress(obj *networkingv1.Ingress) field.ErrorList {
	errs := ingressRules{serviceNames: features.Enabled(features.RelaxedServiceNameValidation)}.validate(&obj.Spec)
	class, set := obj.Annotations[AnnotationIngressClass]
	if set && obj.Spec.IngressClassName != nil && class != *obj.Spec.IngressClassName {
		errs = append(errs, field.Invalid(field.NewPath("annotations").Child(AnnotationIngressClass), class,
			"must match `ingressClassName` when both are specified"))
	}
	return errs
}

// ValidateIngressUpdate judges a changed ingress.
func ValidateIngressUpdate(obj, old *networkingv1.Ingress) field.ErrorList {
	rules := ingressRules{serviceNames: features.Enabled(features.RelaxedServiceNameValidation)}
	for _, tls := range old.Spec.TLS {
		rules.secretNames = rules.secretNames || len(badSecretName(tls.SecretName)) > 0
	}
	relaxed := func(backend *networkingv1.IngressBackend) {
		if backend != nil && backend.Service != nil {
			name := backend.Service.Name
			rules.serviceNames = rules.serviceNames || len(apivalidation.NameIsDNSLabel(name, false)) == 0 && len(apivalidation.NameIsDNS1035Label(name, false)) > 0
		}
	}
	relaxed(old.Spec.DefaultBackend)
	for _, rule := range old.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		rules.wildcardRules = rules.wildcardRules || strings.Contains(rule.Host, "*") && len(ingressRules{}.validateHTTP(rule.HTTP, nil)) > 0
		for i := range rule.HTTP.Paths {
			relaxed(&rule.HTTP.Paths[i].Backend)
		}
	}
	return rules.validate(&obj.Spec)
}

func (r ingressRules) validate(spec *networkingv1.IngressSpec) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("spec")
	if len(spec.Rules) == 0 && spec.DefaultBackend == nil {
		errs = append(errs, field.Invalid(path, spec.Rules, "either `defaultBackend` or `rules` must be specified"))
	}
	if spec.DefaultBackend != nil {
		errs = append(errs, r.validateBackend(spec.DefaultBackend, path.Child("defaultBackend"))...)
	}
	for i, rule := range spec.Rules {
		path := path.Child("rules").Index(i)
		if rule.Host != "" {
			if netutils.ParseIPSloppy(rule.Host) != nil {
				errs = append(errs, field.Invalid(path.Child("host"), rule.Host, "must be a DNS name, not an IP address"))
			}
			errs = append(errs, validateHost(rule.Host, path.Child("host"))...)
		}
		if rule.HTTP != nil && (!r.wildcardRules || !strings.Contains(rule.Host, "*")) {
			errs = append(errs, r.validateHTTP(rule.HTTP, path.Child("http"))...)
		}
	}
	for i, tls := range spec.TLS {
		path := path.Child("tls").Index(i)
		for j, host := range tls.Hosts {
			errs = append(errs, validateHost(host, path.Child("hosts").Index(j))...)
		}
		if !r.secretNames {
			errs = append(errs, fielderrors.Each(path.Child("secretName"), tls.SecretName, badSecretName(tls.SecretName))...)
		}
	}
	if spec.IngressClassName != nil {
		errs = append(errs, fielderrors.Each(path.Child("ingressClassName"), *spec.IngressClassName, apivalidation.NameIsDNSSubdomain(*spec.IngressClassName, false))...)
	}
	return errs
}

func validateHost(host string, path *field.Path) field.ErrorList {
	if strings.Contains(host, "*") {
		return fielderrors.Each(path, host, validation.IsWildcardDNS1123Subdomain(host))
	}
	return fielderrors.Each(path, host, validation.IsDNS1123Subdomain(host))
}

func badSecretName(name string) []string {
	if name == "" {
		return nil
	}
	return apivalidation.NameIsDNSSubdomain(name, false)
}

func (r ingressRules) validateHTTP(http *networkingv1.HTTPIngressRuleValue, path *field.Path) field.ErrorList {
	path = path.Child("paths")
	var errs field.ErrorList
	if len(http.Paths) == 0 {
		errs = append(errs, field.Required(path, ""))
	}
	for i := range http.Paths {
		errs = append(errs, r.validatePath(&http.Paths[i], path.Index(i))...)
	}
	return errs
}

func (r ingressRules) validatePath(p *networkingv1.HTTPIngressPath, path *field.Path) field.ErrorList {
	if p.PathType == nil {
		return field.ErrorList{field.Required(path.Child("pathType"), "pathType must be specified")}
	}
	errs := fielderrors.OneOf(path.Child("pathType"), *p.PathType, networkingv1.PathTypeExact, networkingv1.PathTypeImplementationSpecific, networkingv1.PathTypePrefix)
	known := len(errs) == 0
	invalid := func(format string, args ...any) {
		errs = append(errs, field.Invalid(path.Child("path"), p.Path, fmt.Sprintf(format, args...)))
	}
	strict := *p.PathType == networkingv1.PathTypeExact || *p.PathType == networkingv1.PathTypePrefix
	if known && !strings.HasPrefix(p.Path, "/") && (strict || p.Path != "") {
		invalid("must be an absolute path")
	}
	if strict && p.Path != "" {
		for _, part := range []string{"//", "/./", "/../", "%2f", "%2F"} {
			if strings.Contains(p.Path, part) {
				invalid("must not contain '%s'", part)
			}
		}
		for _, end := range []string{"/..", "/."} {
			if strings.HasSuffix(p.Path, end) {
				invalid("cannot end with '%s'", end)
			}
		}
	}
	return append(errs, r.validateBackend(&p.Backend, path.Child("backend"))...)
}

func (r ingressRules) validateBackend(backend *networkingv1.IngressBackend, path *field.Path) field.ErrorList {
	switch {
	case backend.Resource != nil && backend.Service != nil:
		return field.ErrorList{field.Invalid(path, "", "cannot set both resource and service backends")}
	case backend.Resource != nil:
		return validateObject(backend.Resource, path.Child("resource"))
	case backend.Service == nil:
		return field.ErrorList{field.Invalid(path, "", "resource or service backend is required")}
	}
	var errs field.ErrorList
	service, path := backend.Service, path
	if name := path.Child("service", "name"); service.Name == "" {
		errs = append(errs, field.Required(name, ""))
	} else if r.serviceNames {
		errs = append(errs, fielderrors.Each(name, service.Name, apivalidation.NameIsDNSLabel(service.Name, false))...)
	} else {
		errs = append(errs, fielderrors.Each(name, service.Name, apivalidation.NameIsDNS1035Label(service.Name, false))...)
	}
	port, portPath := service.Port, path.Child("service", "port")
	switch {
	case port.Name != "" && port.Number != 0:
		errs = append(errs, field.Invalid(path, "", "cannot set both port name & port number"))
	case port.Name != "":
		errs = append(errs, fielderrors.Each(portPath.Child("name"), port.Name, validation.IsValidPortName(port.Name))...)
	case port.Number != 0:
		errs = append(errs, fielderrors.Each(portPath.Child("number"), port.Number, validation.IsValidPortNum(int(port.Number)))...)
	default:
		errs = append(errs, field.Required(path, "port name or number is required"))
	}
	return errs
}

// validateObject judges a reference to an object of the same namespace.
func validateObject(ref *corev1.TypedLocalObjectReference, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if ref.APIGroup != nil {
		errs = fielderrors.Each(path.Child("apiGroup"), *ref.APIGroup, validation.IsDNS1123Subdomain(*ref.APIGroup))
	}
	for _, f := range []struct{ name, value string }{{"kind", ref.Kind}, {"name", ref.Name}} {
		if f.value == "" {
			errs = append(errs, field.Required(path.Child(f.name), ""))
			continue
		}
		errs = append(errs, fielderrors.Each(path.Child(f.name), f.value, content.IsPathSegmentName(f.value))...)
	}
	return errs
}

// ValidateIngressStatus judges a changed status.
func ValidateIngressStatus(obj, old *networkingv1.Ingress) field.ErrorList {
	var before []string
	for _, in := range old.Status.LoadBalancer.Ingress {
		if in.IP != "" {
			before = append(before, in.IP)
		}
	}
	var errs field.ErrorList
	for i, in := range obj.Status.LoadBalancer.Ingress {
		path := field.NewPath("status", "loadBalancer", "ingress").Index(i)
		if in.IP != "" {
			errs = append(errs, corevalidation.IsValidIPForLegacyField(path.Child("ip"), in.IP, before)...)
		}
		if in.Hostname != "" {
			errs = append(errs, corevalidation.ValidateHostname(in.Hostname, path.Child("hostname"))...)
		}
	}
	return errs
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/fielderrors"
	"github.com/stoa-project/stoa/apis/hubtext"
	"github.com/stoa-project/stoa/features"
)

const (
	// kubeletPort is where kubelets listen on every node.
	kubeletPort = 10250
	// maxAffinitySeconds is a day.
	maxAffinitySeconds = 86400
	onlyLoadBalancer   = "may only be used when `type` is 'LoadBalancer'"
	notOnceSet         = "may not change once set"
)

// ValidateServiceName judges the name of a service, which DNS serves.
func ValidateServiceName(name string, prefix bool) []string {
	if features.Enabled(features.RelaxedServiceNameValidation) {
		return apivalidation.NameIsDNSLabel(name, prefix)
	}
	return apivalidation.NameIsDNS1035Label(name, prefix)
}

// ValidateService judges a new service.
func ValidateService(obj *corev1.Service) field.ErrorList { return validateService(obj, nil) }

// ValidateServiceUpdate judges a changed service.
func ValidateServiceUpdate(obj, old *corev1.Service) field.ErrorList {
	errs := validateClusterIPsUpdate(obj, old)
	errs = append(errs, validateIPFamiliesUpdate(obj, old)...)
	errs = append(errs, validateLoadBalancerClass(obj, old)...)
	if NeedsHealthCheck(obj) && NeedsHealthCheck(old) && obj.Spec.HealthCheckNodePort != old.Spec.HealthCheckNodePort {
		errs = append(errs, field.Forbidden(field.NewPath("spec", "healthCheckNodePort"), "field is immutable"))
	}
	return append(errs, validateService(obj, old)...)
}

// NeedsHealthCheck says whether load balancers must ask nodes whether they have
// endpoints of the service.
func NeedsHealthCheck(obj *corev1.Service) bool {
	return obj.Spec.Type == corev1.ServiceTypeLoadBalancer && obj.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
}

// ExternallyAccessible says whether traffic from outside the cluster can reach the
// service.
func ExternallyAccessible(obj *corev1.Service) bool {
	switch obj.Spec.Type {
	case corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort:
		return true
	case corev1.ServiceTypeClusterIP:
		return len(obj.Spec.ExternalIPs) > 0
	}
	return false
}

func headless(obj *corev1.Service) bool {
	return len(obj.Spec.ClusterIPs) == 1 && obj.Spec.ClusterIPs[0] == corev1.ClusterIPNone
}

// validateService judges all of a service; old is nil on create.
func validateService(obj, old *corev1.Service) field.ErrorList {
	if old == nil {
		old = &corev1.Service{}
	}
	path, spec := field.NewPath("spec"), &obj.Spec
	errs := validateTopologyAnnotations(obj)
	errs = append(errs, validateServiceByType(obj)...)
	errs = append(errs, validateServicePorts(spec.Ports, path.Child("ports"))...)
	if spec.Selector != nil {
		errs = append(errs, metav1validation.ValidateLabels(spec.Selector, path.Child("selector"))...)
	}
	errs = append(errs, validateSessionAffinity(spec, path)...)
	errs = append(errs, ValidateServiceClusterIPs(obj, old)...)
	for i, ip := range spec.ExternalIPs {
		bad := IsValidIPForLegacyField(path.Child("externalIPs").Index(i), ip, old.Spec.ExternalIPs)
		if len(bad) == 0 {
			bad = ValidateEndpointIP(ip, path.Child("externalIPs").Index(i))
		}
		errs = append(errs, bad...)
	}
	errs = append(errs, fielderrors.RequireOneOf(path.Child("type"), spec.Type, corev1.ServiceTypeClusterIP,
		corev1.ServiceTypeExternalName, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort)...)
	errs = append(errs, validatePortsTogether(spec, path.Child("ports"))...)
	errs = append(errs, validateSourceRanges(obj, old)...)
	if spec.AllocateLoadBalancerNodePorts != nil && spec.Type != corev1.ServiceTypeLoadBalancer {
		errs = append(errs, field.Forbidden(path.Child("allocateLoadBalancerNodePorts"), onlyLoadBalancer))
	}
	if spec.AllocateLoadBalancerNodePorts == nil && spec.Type == corev1.ServiceTypeLoadBalancer {
		errs = append(errs, field.Required(field.NewPath("allocateLoadBalancerNodePorts"), "")) // the path is upstream's
	}
	errs = append(errs, validateLoadBalancerClass(obj, nil)...)
	return append(errs, validateTrafficPolicies(obj, path)...)
}

// validateTopologyAnnotations refuses two names of one setting with two values.
func validateTopologyAnnotations(obj *corev1.Service) field.ErrorList {
	hints, hasHints := obj.Annotations[corev1.DeprecatedAnnotationTopologyAwareHints]
	mode, hasMode := obj.Annotations[corev1.AnnotationTopologyMode]
	if !hasHints || !hasMode || hints == mode {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("metadata", "annotations").Key(corev1.AnnotationTopologyMode), mode,
		fmt.Sprintf("must match annotations[%s] when both are specified", corev1.DeprecatedAnnotationTopologyAwareHints))}
}

// validateServiceByType checks what a type demands or excludes.
func validateServiceByType(obj *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	path, spec := field.NewPath("spec"), &obj.Spec
	if len(spec.Ports) == 0 && !headless(obj) && spec.Type != corev1.ServiceTypeExternalName {
		errs = append(errs, field.Required(path.Child("ports"), ""))
	}
	switch spec.Type {
	case corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort:
		for i := range spec.Ports {
			if spec.Type == corev1.ServiceTypeLoadBalancer && spec.Ports[i].Port == kubeletPort {
				errs = append(errs, field.Invalid(path.Child("ports").Index(i), spec.Ports[i].Port,
					fmt.Sprintf("may not expose port %v externally since it is used by kubelet", kubeletPort)))
			}
		}
		if headless(obj) {
			errs = append(errs, field.Invalid(path.Child("clusterIPs").Index(0), spec.ClusterIPs[0],
				fmt.Sprintf("may not be set to 'None' for %s services", spec.Type)))
		}
	case corev1.ServiceTypeExternalName:
		for _, f := range []struct {
			name string
			set  bool
		}{
			{"clusterIPs", len(spec.ClusterIPs) > 0}, {"ipFamilies", len(spec.IPFamilies) > 0}, {"ipFamilyPolicy", spec.IPFamilyPolicy != nil},
		} {
			if f.set {
				errs = append(errs, field.Forbidden(path.Child(f.name), "may not be set for ExternalName services"))
			}
		}
		// A trailing dot says that the name is complete.
		if name := strings.TrimSuffix(spec.ExternalName, "."); name == "" {
			errs = append(errs, field.Required(path.Child("externalName"), ""))
		} else {
			errs = append(errs, dnsSubdomain(name, path.Child("externalName"))...)
		}
	}
	return errs
}

func validateServicePorts(ports []corev1.ServicePort, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	names := map[string]bool{}
	for i := range ports {
		p, path := &ports[i], path.Index(i)
		switch {
		case p.Name != "":
			errs = append(errs, dnsLabel(p.Name, path.Child("name"))...)
			if names[p.Name] {
				errs = append(errs, field.Duplicate(path.Child("name"), p.Name))
			}
			names[p.Name] = true
		case len(ports) > 1:
			errs = append(errs, field.Required(path.Child("name"), ""))
		}
		errs = append(errs, fielderrors.Each(path.Child("port"), p.Port, validation.IsValidPortNum(int(p.Port)))...)
		errs = append(errs, fielderrors.RequireOneOf(path.Child("protocol"), p.Protocol, corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP)...)
		errs = append(errs, ValidateTargetPort(p.TargetPort, path.Child("targetPort"))...)
		if p.AppProtocol != nil {
			errs = append(errs, qualifiedName(*p.AppProtocol, path.Child("appProtocol"))...)
		}
	}
	return errs
}

// ValidateTargetPort judges a port given by number or by name.
func ValidateTargetPort(port intstr.IntOrString, path *field.Path) field.ErrorList {
	switch port.Type {
	case intstr.Int:
		return fielderrors.Each(path, port.IntVal, validation.IsValidPortNum(int(port.IntVal)))
	case intstr.String:
		return fielderrors.Each(path, port.StrVal, validation.IsValidPortName(port.StrVal))
	}
	return field.ErrorList{field.InternalError(path, fmt.Errorf("unknown type: %v", port.Type))}
}

// validatePortsTogether looks for what two ports must not share.
func validatePortsTogether(spec *corev1.ServiceSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if spec.Type == corev1.ServiceTypeClusterIP {
		for i := range spec.Ports {
			if spec.Ports[i].NodePort != 0 {
				errs = append(errs, field.Forbidden(path.Index(i).Child("nodePort"), "may not be used when `type` is 'ClusterIP'"))
			}
		}
	}
	type key struct {
		protocol corev1.Protocol
		port     int32
	}
	nodePorts, ports := map[key]bool{}, map[key]bool{}
	for i, p := range spec.Ports {
		if p.NodePort == 0 {
			continue
		}
		k := key{p.Protocol, p.NodePort}
		if nodePorts[k] {
			errs = append(errs, field.Duplicate(path.Index(i).Child("nodePort"), p.NodePort))
		}
		nodePorts[k] = true
	}
	for i, p := range spec.Ports {
		k := key{p.Protocol, p.Port}
		if ports[k] {
			errs = append(errs, field.Duplicate(path.Index(i), hubtext.Of(corev1.ServicePort{Protocol: p.Protocol, Port: p.Port})))
		}
		ports[k] = true
	}
	return errs
}

func validateSessionAffinity(spec *corev1.ServiceSpec, path *field.Path) field.ErrorList {
	errs := fielderrors.RequireOneOf(path.Child("sessionAffinity"), spec.SessionAffinity, corev1.ServiceAffinityClientIP, corev1.ServiceAffinityNone)
	path = path.Child("sessionAffinityConfig")
	config := spec.SessionAffinityConfig
	needed := fmt.Sprintf("when session affinity type is %s", corev1.ServiceAffinityClientIP)
	switch spec.SessionAffinity {
	case corev1.ServiceAffinityNone:
		if config != nil {
			errs = append(errs, field.Forbidden(path, fmt.Sprintf("must not be set when session affinity is %s", corev1.ServiceAffinityNone)))
		}
	case corev1.ServiceAffinityClientIP:
		timeout := path.Child("clientIP", "timeoutSeconds")
		switch {
		case config == nil:
			errs = append(errs, field.Required(path, needed))
		case config.ClientIP == nil:
			errs = append(errs, field.Required(path.Child("clientIP"), needed))
		case config.ClientIP.TimeoutSeconds == nil:
			errs = append(errs, field.Required(timeout, needed))
		case *config.ClientIP.TimeoutSeconds <= 0 || *config.ClientIP.TimeoutSeconds > maxAffinitySeconds:
			errs = append(errs, field.Invalid(timeout, *config.ClientIP.TimeoutSeconds,
				fmt.Sprintf("must be greater than 0 and less than %d", maxAffinitySeconds)))
		}
	}
	return errs
}

// validateSourceRanges judges the field, or else the annotation that came before it.
// Both may have spaces around their values.
func validateSourceRanges(obj, old *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("spec", "LoadBalancerSourceRanges") // sic: the capital letter is upstream's
	at := path.Index
	ranges := obj.Spec.LoadBalancerSourceRanges
	if len(ranges) == 0 {
		text, set := obj.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]
		if !set {
			return nil
		}
		path = field.NewPath("metadata", "annotations").Key(corev1.AnnotationLoadBalancerSourceRangesKey)
		at = func(int) *field.Path { return path }
		ranges = splitRanges(text)
	}
	if obj.Spec.Type != corev1.ServiceTypeLoadBalancer {
		errs = append(errs, field.Forbidden(path, onlyLoadBalancer))
	}
	var before []string
	for _, r := range append(splitRanges(old.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]), old.Spec.LoadBalancerSourceRanges...) {
		before = append(before, strings.TrimSpace(r))
	}
	for i, r := range ranges {
		errs = append(errs, IsValidCIDRForLegacyField(at(i), strings.TrimSpace(r), before)...)
	}
	return errs
}

func splitRanges(annotation string) []string {
	if strings.TrimSpace(annotation) == "" {
		return nil
	}
	return strings.Split(annotation, ",")
}

// validateLoadBalancerClass checks the class; with old, that it stays what it is.
func validateLoadBalancerClass(obj, old *corev1.Service) field.ErrorList {
	var errs field.ErrorList
	path, class := field.NewPath("spec", "loadBalancerClass"), obj.Spec.LoadBalancerClass
	balanced := obj.Spec.Type == corev1.ServiceTypeLoadBalancer
	if old != nil && balanced && old.Spec.Type == corev1.ServiceTypeLoadBalancer && !ptr.Equal(class, old.Spec.LoadBalancerClass) {
		errs = append(errs, field.Invalid(path, class, notOnceSet))
	}
	switch {
	case class == nil:
	case balanced:
		errs = append(errs, qualifiedName(*class, path)...)
	default:
		errs = append(errs, field.Forbidden(path, onlyLoadBalancer))
	}
	return errs
}

func validateTrafficPolicies(obj *corev1.Service, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	spec := &obj.Spec
	external := path.Child("externalTrafficPolicy")
	switch {
	case ExternallyAccessible(obj):
		errs = append(errs, fielderrors.RequireOneOf(external, spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)...)
	case spec.ExternalTrafficPolicy != "":
		errs = append(errs, field.Invalid(external, spec.ExternalTrafficPolicy, "may only be set for externally-accessible services"))
	}
	health := path.Child("healthCheckNodePort")
	switch port := spec.HealthCheckNodePort; {
	case !NeedsHealthCheck(obj) && port != 0:
		errs = append(errs, field.Invalid(health, port, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"))
	case NeedsHealthCheck(obj) && port == 0:
		errs = append(errs, field.Required(health, ""))
	case NeedsHealthCheck(obj):
		errs = append(errs, fielderrors.Each(health, port, validation.IsValidPortNum(int(port)))...)
	}
	internal := path.Child("internalTrafficPolicy")
	if spec.InternalTrafficPolicy != nil {
		errs = append(errs, fielderrors.OneOf(internal, *spec.InternalTrafficPolicy, corev1.ServiceInternalTrafficPolicyCluster, corev1.ServiceInternalTrafficPolicyLocal)...)
	} else if t := spec.Type; t == corev1.ServiceTypeNodePort || t == corev1.ServiceTypeLoadBalancer || t == corev1.ServiceTypeClusterIP {
		errs = append(errs, field.Required(internal, ""))
	}
	if spec.TrafficDistribution != nil {
		errs = append(errs, fielderrors.OneOf(path.Child("trafficDistribution"), *spec.TrafficDistribution,
			corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode)...)
	}
	return errs
}

// ValidateServiceStatus judges a changed status.
func ValidateServiceStatus(obj, old *corev1.Service) field.ErrorList {
	path := field.NewPath("status", "loadBalancer", "ingress")
	ingress := obj.Status.LoadBalancer.Ingress
	if obj.Spec.Type != corev1.ServiceTypeLoadBalancer && len(ingress) > 0 {
		return field.ErrorList{field.Forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")}
	}
	var before []string
	for _, in := range old.Status.LoadBalancer.Ingress {
		if in.IP != "" {
			before = append(before, in.IP)
		}
	}
	var errs field.ErrorList
	for i, in := range ingress {
		path := path.Index(i)
		if in.IP != "" {
			errs = append(errs, IsValidIPForLegacyField(path.Child("ip"), in.IP, before)...)
		}
		switch {
		case in.IPMode == nil && in.IP != "":
			errs = append(errs, field.Required(path.Child("ipMode"), "must be specified when `ip` is set"))
		case in.IPMode != nil && in.IP == "":
			errs = append(errs, field.Forbidden(path.Child("ipMode"), "may not be specified when `ip` is not set"))
		case in.IPMode != nil:
			errs = append(errs, fielderrors.OneOf(path.Child("ipMode"), *in.IPMode, corev1.LoadBalancerIPModeProxy, corev1.LoadBalancerIPModeVIP)...)
		}
		if in.Hostname != "" {
			errs = append(errs, ValidateHostname(in.Hostname, path.Child("hostname"))...)
		}
	}
	return errs
}

// ValidateHostname judges the DNS name of a load balancer.
func ValidateHostname(name string, path *field.Path) field.ErrorList {
	errs := dnsSubdomain(name, path)
	if netutils.ParseIPSloppy(name) != nil {
		errs = append(errs, field.Invalid(path, name, "must be a DNS name, not an IP address"))
	}
	return errs
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"math"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidatePod judges a new pod.
func ValidatePod(pod *corev1.Pod) field.ErrorList {
	opts := PodSpecOptions(&pod.Spec, nil, &pod.ObjectMeta, nil)
	opts.IsPod = true
	errs := validatePodAndSpec(pod, opts)
	path := field.NewPath("spec")
	if len(pod.Spec.EphemeralContainers) > 0 {
		errs = append(errs, field.Forbidden(path.Child("ephemeralContainers"), "cannot be set on create"))
	}
	if pod.Spec.NodeName != "" && len(pod.Spec.SchedulingGates) > 0 {
		errs = append(errs, field.Forbidden(path.Child("nodeName"), "cannot be set until all schedulingGates have been cleared"))
	}
	errs = append(errs, validateSeccompAnnotations(pod, path)...)
	return append(errs, validateAppArmorAnnotations(pod, path)...)
}

// ValidatePodTemplate judges a pod template, new or changed.
func ValidatePodTemplate(obj, old *corev1.PodTemplate) field.ErrorList {
	var before *corev1.PodTemplateSpec
	if old != nil {
		before = &old.Template
	}
	return ValidatePodTemplateSpec(&obj.Template, field.NewPath("template"), PodTemplateOptions(&obj.Template, before))
}

// ValidatePodTemplateSpec judges the template of a workload.
func ValidatePodTemplateSpec(template *corev1.PodTemplateSpec, path *field.Path, opts PodOptions) field.ErrorList {
	errs := metav1validation.ValidateLabels(template.Labels, path.Child("labels"))
	errs = append(errs, apivalidation.ValidateAnnotations(template.Annotations, path.Child("annotations"))...)
	errs = append(errs, validatePodAnnotations(template.Annotations, &template.Spec, path.Child("annotations"), opts)...)
	errs = append(errs, ValidatePodSpec(&template.Spec, nil, path.Child("spec"), opts)...)
	errs = append(errs, validateSeccompAnnotations(&corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}, path.Child("spec"))...)
	if len(template.Spec.EphemeralContainers) > 0 {
		errs = append(errs, field.Forbidden(path.Child("spec", "ephemeralContainers"), "ephemeral containers not allowed in pod template"))
	}
	return errs
}

// validatePodAndSpec judges what a pod must satisfy whatever happens to it. What
// templates need not satisfy, for the sake of those that exist, is judged here and
// not in ValidatePodSpec.
func validatePodAndSpec(pod *corev1.Pod, opts PodOptions) field.ErrorList {
	path := field.NewPath("spec")
	errs := validatePodAnnotations(pod.Annotations, &pod.Spec, field.NewPath("metadata", "annotations"), opts)
	errs = append(errs, ValidatePodSpec(&pod.Spec, &pod.ObjectMeta, path, opts)...)
	if pod.Spec.ServiceAccountName == "" {
		for i := range pod.Spec.Volumes {
			if pod.Spec.Volumes[i].Projected == nil {
				continue
			}
			for j, source := range pod.Spec.Volumes[i].Projected.Sources {
				if source.ServiceAccountToken != nil {
					errs = append(errs, field.Forbidden(path.Child("volumes").Index(i).Child("projected", "sources").Index(j).Child("serviceAccountToken"),
						"must not be specified when serviceAccountName is not set"))
				}
			}
		}
	}
	for i := range pod.Spec.Containers {
		errs = append(errs, validateImagePadding(&pod.Spec.Containers[i], path.Child("containers").Index(i))...)
	}
	for i := range pod.Spec.InitContainers {
		errs = append(errs, validateImagePadding(&pod.Spec.InitContainers[i], path.Child("initContainers").Index(i))...)
	}
	return errs
}

// ValidatePodSpec judges the spec of a pod or template. meta is nil for a template.
func ValidatePodSpec(spec *corev1.PodSpec, meta *metav1.ObjectMeta, path *field.Path, opts PodOptions) field.ErrorList {
	var errs field.ErrorList
	if spec.TerminationGracePeriodSeconds == nil {
		errs = append(errs, field.Required(path.Child("terminationGracePeriodSeconds"), ""))
	}
	volumes, volumeErrs := ValidateVolumes(spec.Volumes, meta, path.Child("volumes"), opts)
	errs = append(errs, volumeErrs...)
	x := containerContext{opts: opts, spec: spec, volumes: volumes, claims: sets.Set[string]{}}
	for _, claim := range spec.ResourceClaims {
		if claim.Name != "" {
			x.claims.Insert(claim.Name)
		}
	}
	errs = append(errs, validatePodClaims(spec.ResourceClaims, path.Child("resourceClaims"))...)
	errs = append(errs, x.validateContainers(path.Child("containers"))...)
	errs = append(errs, x.validateInitContainers(path.Child("initContainers"))...)
	errs = append(errs, x.validateEphemeralContainers(path.Child("ephemeralContainers"))...)
	errs = append(errs, validatePodResources(spec, x.claims, path.Child("resources"), opts)...)
	errs = append(errs, validateHostNamespaces(spec, path, opts)...)
	errs = append(errs, validateScheduling(spec, path, opts)...)
	errs = append(errs, validatePodSecurity(spec, path.Child("securityContext"), opts)...)
	errs = append(errs, validateHostProcess(spec, path)...)
	errs = append(errs, validateNames(spec, path)...)
	errs = append(errs, validateDNS(spec, path)...)
	if s := spec.ActiveDeadlineSeconds; s != nil && (*s < 1 || *s > math.MaxInt32) {
		errs = append(errs, field.Invalid(path.Child("activeDeadlineSeconds"), *s, validation.InclusiveRangeError(1, math.MaxInt32)))
	}
	errs = append(errs, fielderrors.RequireOneOf(path.Child("restartPolicy"), spec.RestartPolicy,
		corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever)...)
	for i, gate := range spec.ReadinessGates {
		errs = append(errs, qualifiedName(string(gate.ConditionType), path.Child("readinessGates").Index(i).Child("conditionType"))...)
	}
	if spec.Overhead != nil {
		errs = append(errs, ValidateResourceRequirements(&corev1.ResourceRequirements{Limits: spec.Overhead}, path.Child("overhead"), opts)...)
	}
	return append(errs, validateOS(spec, path)...)
}

func validateScheduling(spec *corev1.PodSpec, path *field.Path, opts PodOptions) field.ErrorList {
	errs := metav1validation.ValidateLabels(spec.NodeSelector, path.Child("nodeSelector"))
	errs = append(errs, validateAffinity(spec.Affinity, opts, path.Child("affinity"))...)
	errs = append(errs, validateTopologySpread(spec.TopologySpreadConstraints, path.Child("topologySpreadConstraints"), opts)...)
	errs = append(errs, validateTolerations(spec.Tolerations, path.Child("tolerations"), opts)...)
	seen := sets.Set[string]{}
	for i, gate := range spec.SchedulingGates {
		path := path.Child("schedulingGates").Index(i)
		errs = append(errs, qualifiedName(gate.Name, path)...)
		if seen.Has(gate.Name) {
			errs = append(errs, field.Duplicate(path, gate.Name))
		}
		seen.Insert(gate.Name)
	}
	if spec.PreemptionPolicy != nil {
		errs = append(errs, ValidatePreemptionPolicy(*spec.PreemptionPolicy, path.Child("preemptionPolicy"))...)
	}
	return errs
}

// ValidatePreemptionPolicy judges the policy of a pod or priority class.
func ValidatePreemptionPolicy(policy corev1.PreemptionPolicy, path *field.Path) field.ErrorList {
	return fielderrors.RequireOneOf(path, policy, corev1.PreemptLowerPriority, corev1.PreemptNever)
}

// validateNames judges the names of other objects.
func validateNames(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, name := range []struct{ field, value string }{
		{"serviceAccountName", spec.ServiceAccountName}, {"nodeName", spec.NodeName},
		{"priorityClassName", spec.PriorityClassName},
	} {
		if name.value != "" {
			errs = append(errs, dnsSubdomain(name.value, path.Child(name.field))...)
		}
	}
	if spec.RuntimeClassName != nil {
		errs = append(errs, dnsSubdomain(*spec.RuntimeClassName, path.Child("runtimeClassName"))...)
	}
	return errs
}

func validatePodClaims(claims []corev1.PodResourceClaim, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := sets.Set[string]{}
	for i, claim := range claims {
		path := path.Index(i)
		switch {
		case claim.Name == "":
			errs = append(errs, field.Required(path.Child("name"), ""))
		case seen.Has(claim.Name):
			errs = append(errs, field.Duplicate(path.Child("name"), claim.Name))
		default:
			errs = append(errs, dnsLabel(claim.Name, path.Child("name"))...)
			seen.Insert(claim.Name)
		}
		switch {
		case claim.ResourceClaimName != nil && claim.ResourceClaimTemplateName != nil:
			errs = append(errs, field.Invalid(path, claim, "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"))
		case claim.ResourceClaimName == nil && claim.ResourceClaimTemplateName == nil:
			errs = append(errs, field.Invalid(path, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"))
		}
		if claim.ResourceClaimName != nil {
			errs = append(errs, dnsSubdomain(*claim.ResourceClaimName, path.Child("resourceClaimName"))...)
		}
		if claim.ResourceClaimTemplateName != nil {
			errs = append(errs, dnsSubdomain(*claim.ResourceClaimTemplateName, path.Child("resourceClaimTemplateName"))...)
		}
	}
	return errs
}

// validateHostNamespaces judges what a pod shares with its node.
func validateHostNamespaces(spec *corev1.PodSpec, path *field.Path, opts PodOptions) field.ErrorList {
	var errs field.ErrorList
	if spec.HostNetwork {
		for i := range spec.Containers {
			for j, port := range spec.Containers[i].Ports {
				// The default for a template's port comes with the pod.
				if (opts.IsPod || port.HostPort != 0) && port.HostPort != port.ContainerPort {
					errs = append(errs, field.Invalid(path.Child("containers").Index(i).Child("ports").Index(j).Child("hostPort"),
						port.HostPort, "must match `containerPort` when `hostNetwork` is true"))
				}
			}
		}
	}
	if spec.HostPID && ptr.Deref(spec.ShareProcessNamespace, false) {
		errs = append(errs, field.Invalid(path.Child("shareProcessNamespace"), true, "ShareProcessNamespace and HostPID cannot both be enabled"))
	}
	if hostUsers(spec) {
		return errs
	}
	for _, shared := range []setField{{"hostNetwork", spec.HostNetwork}, {"HostPID", spec.HostPID}, {"HostIPC", spec.HostIPC}} {
		if shared.set {
			errs = append(errs, field.Forbidden(path.Child(shared.name), "when `hostUsers` is false"))
		}
	}
	return errs
}

const (
	maxNameservers     = 3
	maxSearches        = 32
	maxSearchText      = 2048
	maxHostnameOfLinux = 64
)

func validateDNS(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	errs := fielderrors.RequireOneOf(path.Child("dnsPolicy"), spec.DNSPolicy,
		corev1.DNSClusterFirstWithHostNet, corev1.DNSClusterFirst, corev1.DNSDefault, corev1.DNSNone)
	errs = append(errs, validateDNSConfig(spec.DNSConfig, spec.DNSPolicy, path.Child("dnsConfig"))...)
	if spec.Hostname != "" {
		errs = append(errs, dnsLabel(spec.Hostname, path.Child("hostname"))...)
	}
	if spec.Subdomain != "" {
		errs = append(errs, dnsLabel(spec.Subdomain, path.Child("subdomain"))...)
	}
	errs = append(errs, validateHostnameOverride(spec, path)...)
	return append(errs, ValidateHostAliases(spec.HostAliases, path.Child("hostAliases"))...)
}

// validateHostnameOverride judges the name that the kernel gets in place of any other.
func validateHostnameOverride(spec *corev1.PodSpec, path *field.Path) field.ErrorList {
	name := spec.HostnameOverride
	if name == nil {
		return nil
	}
	path = path.Child("hostnameOverride")
	errs := dnsSubdomain(*name, path)
	if len(*name) > maxHostnameOfLinux {
		errs = append(errs, field.TooLong(path, *name, maxHostnameOfLinux))
	}
	if ptr.Deref(spec.SetHostnameAsFQDN, false) {
		errs = append(errs, field.Forbidden(path, "may not be specified when setHostnameAsFQDN is true"))
	}
	if spec.HostNetwork {
		errs = append(errs, field.Forbidden(path, "may not be specified when hostNetwork is true"))
	}
	return errs
}

func validateDNSConfig(config *corev1.PodDNSConfig, policy corev1.DNSPolicy, path *field.Path) field.ErrorList {
	if policy == corev1.DNSNone {
		if config == nil {
			return field.ErrorList{field.Required(path, fmt.Sprintf("must provide `dnsConfig` when `dnsPolicy` is %s", corev1.DNSNone))}
		}
		if len(config.Nameservers) == 0 {
			return field.ErrorList{field.Required(path.Child("nameservers"), fmt.Sprintf("must provide at least one DNS nameserver when `dnsPolicy` is %s", corev1.DNSNone))}
		}
	}
	if config == nil {
		return nil
	}
	var errs field.ErrorList
	servers, searches := path.Child("nameservers"), path.Child("searches")
	if len(config.Nameservers) > maxNameservers {
		errs = append(errs, field.Invalid(servers, config.Nameservers, fmt.Sprintf("must not have more than %v nameservers", maxNameservers)))
	}
	for i, server := range config.Nameservers {
		errs = append(errs, validation.IsValidIPForLegacyField(servers.Index(i), server, false, nil)...)
	}
	if len(config.Searches) > maxSearches {
		errs = append(errs, field.Invalid(searches, config.Searches, fmt.Sprintf("must not have more than %v search paths", maxSearches)))
	}
	if len(strings.Join(config.Searches, " ")) > maxSearchText {
		errs = append(errs, field.Invalid(searches, config.Searches, fmt.Sprintf("must not have more than %v characters (including spaces) in the search list", maxSearchText)))
	}
	for i, search := range config.Searches {
		if search != "." {
			search = strings.TrimSuffix(search, ".")
			errs = append(errs, fielderrors.Each(searches.Index(i), search, validation.IsDNS1123SubdomainWithUnderscore(search))...)
		}
	}
	for i, option := range config.Options {
		if option.Name == "" {
			errs = append(errs, field.Required(path.Child("options").Index(i), "must not be empty"))
		}
	}
	return errs
}

// ValidateHostAliases judges what is added to the hosts file of a pod.
func ValidateHostAliases(aliases []corev1.HostAlias, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, alias := range aliases {
		path := path.Index(i)
		errs = append(errs, validation.IsValidIPForLegacyField(path.Child("ip"), alias.IP, false, nil)...)
		for j, name := range alias.Hostnames {
			errs = append(errs, dnsSubdomain(name, path.Child("hostnames").Index(j))...)
		}
	}
	return errs
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidatePodStatusUpdate judges a changed status.
func ValidatePodStatusUpdate(pod, old *corev1.Pod) field.ErrorList {
	opts := podUpdateOptions(pod, old)
	path, status, before := field.NewPath("status"), &pod.Status, &old.Status
	errs := validateChangedAnnotations(pod, old, opts)
	for i, condition := range status.Conditions {
		switch condition.Type {
		case corev1.PodScheduled, corev1.PodReady, corev1.PodInitialized:
		default:
			errs = append(errs, qualifiedName(string(condition.Type), path.Child("conditions").Index(i).Child("Type"))...)
		}
	}
	if name := status.NominatedNodeName; name != "" && name != before.NominatedNodeName {
		errs = append(errs, dnsSubdomain(name, path.Child("nominatedNodeName"))...)
	}
	errs = append(errs, apivalidation.ValidateImmutableField(status.QOSClass, before.QOSClass, path.Child("qosClass"))...)
	for _, list := range []struct {
		name         string
		now, old     []corev1.ContainerStatus
		containers   []corev1.Container
		mayRestart   func(*corev1.ContainerStatus) bool
		hasResources bool
	}{
		{"initContainerStatuses", status.InitContainerStatuses, before.InitContainerStatuses, pod.Spec.InitContainers, func(s *corev1.ContainerStatus) bool { return mayRestartInit(&old.Spec, s) }, true},
		{"containerStatuses", status.ContainerStatuses, before.ContainerStatuses, pod.Spec.Containers, func(s *corev1.ContainerStatus) bool { return mayRestart(&old.Spec, old.Spec.Containers, s) }, true},
		// Nobody restarts these, whatever the pod says.
		{"ephemeralContainerStatuses", status.EphemeralContainerStatuses, before.EphemeralContainerStatuses, nil, func(*corev1.ContainerStatus) bool { return false }, false},
	} {
		path := path.Child(list.name)
		errs = append(errs, validateTransitions(list.now, list.old, list.mayRestart, path)...)
		errs = append(errs, validateStatusUsers(list.now, pod.Spec.OS, path)...)
		if list.hasResources {
			errs = append(errs, validateResourceHealth(list.now, list.containers, path)...)
			continue
		}
		for i := range list.now {
			if len(list.now[i].AllocatedResourcesStatus) > 0 {
				errs = append(errs, field.Forbidden(path.Index(i).Child("allocatedResourcesStatus"), "must not be specified in container status"))
			}
		}
	}
	errs = append(errs, validateClaimStatuses(status.ResourceClaimStatuses, pod.Spec.ResourceClaims, path.Child("resourceClaimStatuses"))...)
	errs = append(errs, validateExtendedClaim(&pod.Spec, status, before, path.Child("extendedResourceClaimStatus"))...)
	errs = append(errs, validateStatusIPs(podIPs(before), podIPs(status), path.Child("podIPs"))...)
	if len(status.HostIPs) > 0 {
		if status.HostIP != status.HostIPs[0].IP {
			errs = append(errs, field.Invalid(path.Child("hostIPs").Index(0).Child("ip"), status.HostIPs[0].IP, "must be equal to `hostIP`"))
		}
		errs = append(errs, validateStatusIPs(hostIPs(before), hostIPs(status), path.Child("hostIPs"))...)
	}
	return errs
}

// mayRestart says that a container which has ended may start again.
func mayRestart(spec *corev1.PodSpec, containers []corev1.Container, status *corev1.ContainerStatus) bool {
	policy := spec.RestartPolicy
	for i := range containers {
		c := &containers[i]
		if c.Name != status.Name {
			continue
		}
		if c.RestartPolicy != nil {
			policy = corev1.RestartPolicy(*c.RestartPolicy)
		}
		for _, rule := range c.RestartPolicyRules {
			if codes := rule.ExitCodes; codes != nil &&
				slices.Contains(codes.Values, status.State.Terminated.ExitCode) == (codes.Operator == corev1.ContainerRestartRuleOnExitCodesOpIn) {
				return true
			}
		}
	}
	return policy == corev1.RestartPolicyAlways || policy == corev1.RestartPolicyOnFailure && status.State.Terminated.ExitCode != 0 ||
		restartsAll(spec)
}

// restartsAll says that the end of one container may restart the others.
func restartsAll(spec *corev1.PodSpec) bool {
	found := false
	VisitContainers(spec, nil, func(c *corev1.Container, _ *field.Path) {
		for _, rule := range c.RestartPolicyRules {
			found = found || rule.Action == corev1.ContainerRestartRuleActionRestartAllContainers
		}
	})
	return found
}

func mayRestartInit(spec *corev1.PodSpec, status *corev1.ContainerStatus) bool {
	return mayRestart(spec, spec.InitContainers, status)
}

func validateTransitions(statuses, old []corev1.ContainerStatus, mayRestart func(*corev1.ContainerStatus) bool, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range old {
		if old[i].State.Terminated == nil || mayRestart(&old[i]) {
			continue
		}
		for j := range statuses {
			if statuses[j].Name == old[i].Name && statuses[j].State.Terminated == nil {
				errs = append(errs, field.Forbidden(path.Index(i).Child("state"), "may not be transitioned to non-terminated state"))
			}
		}
	}
	return errs
}

func validateClaimStatuses(statuses []corev1.PodResourceClaimStatus, claims []corev1.PodResourceClaim, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	seen := sets.Set[string]{}
	for i, status := range statuses {
		path := path.Index(i).Child("name")
		if !slices.ContainsFunc(claims, func(c corev1.PodResourceClaim) bool { return c.Name == status.Name }) {
			errs = append(errs, field.Invalid(path, status.Name, "must match the name of an entry in `spec.resourceClaims`"))
		}
		if seen.Has(status.Name) {
			errs = append(errs, field.Duplicate(path, status.Name))
		}
		seen.Insert(status.Name)
		if status.ResourceClaimName != nil {
			errs = append(errs, fielderrors.Each(path, status.ResourceClaimName, validation.IsDNS1123Subdomain(*status.ResourceClaimName))...)
		}
	}
	return errs
}

func podIPs(s *corev1.PodStatus) []string {
	var out []string
	for _, ip := range s.PodIPs {
		out = append(out, ip.IP)
	}
	return out
}

func hostIPs(s *corev1.PodStatus) []string {
	var out []string
	for _, ip := range s.HostIPs {
		out = append(out, ip.IP)
	}
	return out
}

// validateStatusIPs demands at most one address of each family. Those that were there
// before stay valid.
func validateStatusIPs(old, ips []string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, ip := range ips {
		errs = append(errs, validation.IsValidIPForLegacyField(path.Index(i), ip, false, old)...)
	}
	if len(ips) < 2 {
		return errs
	}
	dual, err := netutils.IsDualStackIPStrings(ips)
	if err != nil {
		errs = append(errs, field.InternalError(path, fmt.Errorf("failed to check for dual stack with error:%w", err)))
	}
	if !dual || len(ips) > 2 {
		var value []corev1.PodIP
		for _, ip := range ips {
			value = append(value, corev1.PodIP{IP: ip})
		}
		errs = append(errs, field.Invalid(path, value, "may specify no more than one IP for each IP family"))
	}
	return errs
}

func validateStatusUsers(statuses []corev1.ContainerStatus, os *corev1.PodOS, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	windows := os != nil && os.Name == corev1.Windows
	for i := range statuses {
		if statuses[i].User == nil || statuses[i].User.Linux == nil {
			continue
		}
		path, user := path.Index(i).Child("linux"), statuses[i].User.Linux
		if windows {
			errs = append(errs, field.Forbidden(path, "cannot be set for a windows pod"))
			continue
		}
		errs = append(errs, validateID(&user.UID, validation.IsValidUserID, path.Child("uid"))...)
		errs = append(errs, validateID(&user.GID, validation.IsValidGroupID, path.Child("gid"))...)
		for j := range user.SupplementalGroups {
			errs = append(errs, validateID(&user.SupplementalGroups[j], validation.IsValidGroupID, path.Child("supplementalGroups").Index(j))...)
		}
	}
	return errs
}

// validateResourceHealth judges the health of what was given to containers: each must
// have asked for it, by name or by claim.
func validateResourceHealth(statuses []corev1.ContainerStatus, containers []corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range statuses {
		for j, allocated := range statuses[i].AllocatedResourcesStatus {
			path := path.Index(i).Child("allocatedResourcesStatus").Index(j)
			c := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == statuses[i].Name })
			if c >= 0 {
				errs = append(errs, validateAllocated(allocated.Name, &containers[c], path.Child("name"))...)
			}
			seen := sets.Set[corev1.ResourceID]{}
			for k, r := range allocated.Resources {
				path := path.Child("resources").Index(k)
				errs = append(errs, fielderrors.OneOf(path.Child("health"), r.Health,
					corev1.ResourceHealthStatusHealthy, corev1.ResourceHealthStatusUnhealthy, corev1.ResourceHealthStatusUnknown)...)
				if seen.Has(r.ResourceID) {
					errs = append(errs, field.Duplicate(path.Child("resourceID"), r.ResourceID))
				}
				seen.Insert(r.ResourceID)
			}
		}
	}
	return errs
}

func validateAllocated(name corev1.ResourceName, c *corev1.Container, path *field.Path) field.ErrorList {
	if !strings.HasPrefix(string(name), "claim:") {
		if _, ok := c.Resources.Requests[name]; ok {
			return nil
		}
		return field.ErrorList{field.Invalid(path, name, "must match one of the container's resource requests")}
	}
	for _, claim := range c.Resources.Claims {
		own := "claim:" + claim.Name
		if claim.Request != "" {
			own += "/" + claim.Request
		}
		if own == string(name) {
			return nil
		}
	}
	return field.ErrorList{field.Invalid(path, name, "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty")}
}

// validateExtendedClaim judges the claim that stands for extended resources.
func validateExtendedClaim(spec *corev1.PodSpec, status, before *corev1.PodStatus, path *field.Path) field.ErrorList {
	claim := status.ExtendedResourceClaimStatus
	if claim == nil {
		return nil
	}
	if old := before.ExtendedResourceClaimStatus; old != nil && old.ResourceClaimName != claim.ResourceClaimName {
		return apivalidation.ValidateImmutableField(claim.ResourceClaimName, old.ResourceClaimName, path.Child("resourceClaimName"))
	}
	errs := dnsSubdomain(claim.ResourceClaimName, path.Child("resourceClaimName"))
	asked := map[string]sets.Set[string]{}
	VisitContainers(spec, nil, func(c *corev1.Container, _ *field.Path) {
		asked[c.Name] = sets.Set[string]{}
		for name := range c.Resources.Requests {
			asked[c.Name].Insert(string(name))
		}
	})
	seen := sets.Set[string]{}
	for i, mapping := range claim.RequestMappings {
		path := path.Child("requestMappings").Index(i)
		resources, found := asked[mapping.ContainerName]
		switch {
		case !found:
			errs = append(errs, field.Invalid(path.Child("containerName"), mapping.ContainerName,
				fmt.Sprintf("must match the name of an entry in `spec.initContainers.name` or `spec.containers.name`: %v", slices.Sorted(maps.Keys(asked)))))
		case !resources.Has(mapping.ResourceName):
			errs = append(errs, field.Invalid(path.Child("resourceName"), mapping.ResourceName, "must match the extended resource"))
		}
		if key := mapping.ContainerName + "/" + mapping.ResourceName; seen.Has(key) {
			errs = append(errs, field.Duplicate(path, key))
		} else {
			seen.Insert(key)
		}
		errs = append(errs, dnsLabel(mapping.RequestName, path.Child("requestName"))...)
	}
	return errs
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// PodSecurityPolicy says what the pods may ask for whose user, or service account,
// has the verb "use" for it. Kubernetes removed the kind in 1.25.
type PodSecurityPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`
	// What pods may and must do.
	// +optional
	Spec PodSecurityPolicySpec `json:"spec,omitempty"`
}

// APILifecycleDeprecated has clients warned. There is no APILifecycleRemoved, because
// the server would not serve a kind that was removed in an older version.
func (*PodSecurityPolicy) APILifecycleDeprecated() (major, minor int) { return 1, 21 }

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// PodSecurityPolicyList is a list of policies.
type PodSecurityPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	// The policies.
	Items []PodSecurityPolicy `json:"items"`
}

// PodSecurityPolicySpec is what a policy demands, allows and sets.
type PodSecurityPolicySpec struct {
	// Whether containers may be privileged.
	// +optional
	Privileged bool `json:"privileged,omitempty"`
	// Capabilities that containers get unless they drop them. They need not be allowed.
	// +optional
	DefaultAddCapabilities []corev1.Capability `json:"defaultAddCapabilities,omitempty"`
	// Capabilities that containers must drop. They are dropped for them.
	// +optional
	RequiredDropCapabilities []corev1.Capability `json:"requiredDropCapabilities,omitempty"`
	// Capabilities that containers may ask for. "*" means all.
	// +optional
	AllowedCapabilities []corev1.Capability `json:"allowedCapabilities,omitempty"`
	// Kinds of volumes that pods may have, by the name of their field. "*" means all; empty
	// means none.
	// +optional
	Volumes []FSType `json:"volumes,omitempty"`
	// Whether pods may use the network of the node.
	// +optional
	HostNetwork bool `json:"hostNetwork,omitempty"`
	// Ports of the node that containers may use.
	// +optional
	HostPorts []HostPortRange `json:"hostPorts,omitempty"`
	// Whether pods may see the processes of the node.
	// +optional
	HostPID bool `json:"hostPID,omitempty"`
	// Whether pods may use the IPC of the node.
	// +optional
	HostIPC bool `json:"hostIPC,omitempty"`
	// Labels of SELinux that containers have.
	SELinux SELinuxStrategyOptions `json:"seLinux"`
	// Users that containers run as.
	RunAsUser RunAsUserStrategyOptions `json:"runAsUser"`
	// Groups that containers run as. Unset: any.
	// +optional
	RunAsGroup *RunAsGroupStrategyOptions `json:"runAsGroup,omitempty"`
	// Further groups of pods.
	SupplementalGroups SupplementalGroupsStrategyOptions `json:"supplementalGroups"`
	// Groups that own the volumes of pods.
	FSGroup FSGroupStrategyOptions `json:"fsGroup"`
	// Whether the root file system of containers must be read-only. It is made so where
	// a container does not say.
	// +optional
	ReadOnlyRootFilesystem bool `json:"readOnlyRootFilesystem,omitempty"`
	// Whether processes get more privileges than their parent where a container does not say.
	// +optional
	DefaultAllowPrivilegeEscalation *bool `json:"defaultAllowPrivilegeEscalation,omitempty"`
	// Whether containers may let processes get more privileges than their parent. Unset: true.
	// +optional
	AllowPrivilegeEscalation *bool `json:"allowPrivilegeEscalation,omitempty"`
	// Paths of the node that pods may mount, if volumes allow hostPath. Empty: all.
	// +optional
	AllowedHostPaths []AllowedHostPath `json:"allowedHostPaths,omitempty"`
	// Flexvolumes that pods may mount, if volumes allow flexVolume. Empty: all.
	// +optional
	AllowedFlexVolumes []AllowedFlexVolume `json:"allowedFlexVolumes,omitempty"`
	// CSI drivers whose inline volumes pods may mount, if volumes allow csi. Empty: all.
	// +optional
	AllowedCSIDrivers []AllowedCSIDriver `json:"allowedCSIDrivers,omitempty"`
	// Unsafe sysctls that pods may set. One that ends in * is a prefix; "*" means all.
	// +optional
	AllowedUnsafeSysctls []string `json:"allowedUnsafeSysctls,omitempty"`
	// Sysctls that pods may not set. One that ends in * is a prefix; "*" means all.
	// +optional
	ForbiddenSysctls []string `json:"forbiddenSysctls,omitempty"`
	// How containers may see /proc. Empty: Default alone.
	// +optional
	AllowedProcMountTypes []corev1.ProcMountType `json:"allowedProcMountTypes,omitempty"`
	// Runtime classes that pods may have. Unset: all.
	// +optional
	RuntimeClass *RuntimeClassStrategyOptions `json:"runtimeClass,omitempty"`
}

// FSType is a kind of volume.
type FSType string

// Kinds of volumes that have rules of their own.
const (
	CSI        FSType = "csi"
	FlexVolume FSType = "flexVolume"
	HostPath   FSType = "hostPath"
	Projected  FSType = "projected"
	Secret     FSType = "secret"
)

// All stands for every volume, capability, runtime class or seccomp profile.
const All = "*"

// Annotations of a policy with a profile, or with several that commas separate.
const (
	SeccompDefaultProfile   = "seccomp.security.alpha.kubernetes.io/defaultProfileName"
	SeccompAllowedProfiles  = "seccomp.security.alpha.kubernetes.io/allowedProfileNames"
	AppArmorDefaultProfile  = "apparmor.security.beta.kubernetes.io/defaultProfileName"
	AppArmorAllowedProfiles = "apparmor.security.beta.kubernetes.io/allowedProfileNames"
)

// Rule says whether values are free.
type Rule string

// Rules of the strategies. Not every strategy has all.
const (
	// RunAsAny leaves values free.
	RunAsAny Rule = "RunAsAny"
	// MustRunAs demands a value of those that are named, and sets the first.
	MustRunAs Rule = "MustRunAs"
	// MayRunAs allows the values that are named, and none.
	MayRunAs Rule = "MayRunAs"
	// MustRunAsNonRoot allows all users but root.
	MustRunAsNonRoot Rule = "MustRunAsNonRoot"
)

// AllowedHostPath is a path of the node that pods may mount.
type AllowedHostPath struct {
	// The beginning of the path, up to a slash or its end. It has no "*".
	// +optional
	PathPrefix string `json:"pathPrefix,omitempty"`
	// Whether it must be mounted read-only.
	// +optional
	ReadOnly bool `json:"readOnly,omitempty"`
}

// AllowedFlexVolume is a Flexvolume that pods may mount.
type AllowedFlexVolume struct {
	// Name of the driver.
	Driver string `json:"driver"`
}

// AllowedCSIDriver is a CSI driver whose inline volumes pods may mount.
type AllowedCSIDriver struct {
	// Name of the driver.
	Name string `json:"name"`
}

// HostPortRange is a range of ports of the node.
type HostPortRange struct {
	// The first port.
	Min int32 `json:"min"`
	// The last port.
	Max int32 `json:"max"`
}

// IDRange is a range of users or groups.
type IDRange struct {
	// The first one.
	Min int64 `json:"min"`
	// The last one.
	Max int64 `json:"max"`
}

// SELinuxStrategyOptions say which labels of SELinux containers have.
type SELinuxStrategyOptions struct {
	// MustRunAs or RunAsAny.
	Rule Rule `json:"rule"`
	// The labels of MustRunAs.
	// +optional
	SELinuxOptions *corev1.SELinuxOptions `json:"seLinuxOptions,omitempty"`
}

// RunAsUserStrategyOptions say which users containers run as.
type RunAsUserStrategyOptions struct {
	// MustRunAs, MustRunAsNonRoot or RunAsAny.
	Rule Rule `json:"rule"`
	// The users of MustRunAs.
	// +optional
	Ranges []IDRange `json:"ranges,omitempty"`
}

// RunAsGroupStrategyOptions say which groups containers run as.
type RunAsGroupStrategyOptions struct {
	// MustRunAs, MayRunAs or RunAsAny.
	Rule Rule `json:"rule"`
	// The groups of MustRunAs and MayRunAs.
	// +optional
	Ranges []IDRange `json:"ranges,omitempty"`
}

// FSGroupStrategyOptions say which groups own volumes.
type FSGroupStrategyOptions struct {
	// MustRunAs, MayRunAs or RunAsAny.
	// +optional
	Rule Rule `json:"rule,omitempty"`
	// The groups of MustRunAs and MayRunAs.
	// +optional
	Ranges []IDRange `json:"ranges,omitempty"`
}

// SupplementalGroupsStrategyOptions say which further groups pods have.
type SupplementalGroupsStrategyOptions struct {
	// MustRunAs, MayRunAs or RunAsAny.
	// +optional
	Rule Rule `json:"rule,omitempty"`
	// The groups of MustRunAs and MayRunAs.
	// +optional
	Ranges []IDRange `json:"ranges,omitempty"`
}

// RuntimeClassStrategyOptions say which runtime classes pods have.
type RuntimeClassStrategyOptions struct {
	// Names of the classes. "*" means all; empty means none.
	AllowedRuntimeClassNames []string `json:"allowedRuntimeClassNames"`
	// The class of pods that name none. It must be allowed.
	// +optional
	DefaultRuntimeClassName *string `json:"defaultRuntimeClassName,omitempty"`
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// DropDisabledTemplateFields clears the fields of features that are switched off,
// unless old, which is nil on create, has them. Workload kinds call it in Prepare.
func DropDisabledTemplateFields(obj, old *corev1.PodTemplateSpec) {
	if obj == nil {
		return
	}
	var oldSpec *corev1.PodSpec
	if old != nil {
		oldSpec = &old.Spec
	}
	DropDisabledPodFields(&obj.Spec, oldSpec)
}

// DropDisabledPodFields does what DropDisabledTemplateFields does for a spec.
func DropDisabledPodFields(obj, old *corev1.PodSpec) {
	for _, visit := range disabledPodFields {
		used := false
		if old != nil {
			visit(old, func(set bool, _ func()) { used = used || set })
		}
		if !used {
			visit(obj, func(set bool, drop func()) {
				if set {
					drop()
				}
			})
		}
	}
}

// disabledPodFields are the fields of features that are alpha in Kubernetes 1.37 and
// that there is no gate for here: one function for each feature, which reports
// where its fields are, whether they are set and how to clear them.
//
//nolint:gochecknoglobals // constant
var disabledPodFields = []func(spec *corev1.PodSpec, field func(set bool, drop func())){
	func(spec *corev1.PodSpec, field func(bool, func())) {
		field(spec.SchedulingGroup != nil, func() { spec.SchedulingGroup = nil })
	},
	func(spec *corev1.PodSpec, field func(bool, func())) {
		field(spec.EvictionResponders != nil, func() { spec.EvictionResponders = nil })
	},
	func(spec *corev1.PodSpec, each func(bool, func())) { // stop signals
		VisitContainers(spec, nil, func(c *corev1.Container, _ *field.Path) {
			if c.Lifecycle == nil {
				return
			}
			each(c.Lifecycle.StopSignal != nil, func() {
				c.Lifecycle.StopSignal = nil
				if *c.Lifecycle == (corev1.Lifecycle{}) {
					c.Lifecycle = nil
				}
			})
		})
	},
	func(spec *corev1.PodSpec, each func(bool, func())) { // HTTP/2 without encryption
		visitActions(spec, func(get *corev1.HTTPGetAction, _ *corev1.GRPCAction) {
			if get != nil {
				each(get.Protocol != nil, func() { get.Protocol = nil })
			}
		})
	},
	func(spec *corev1.PodSpec, each func(bool, func())) { // gRPC with TLS
		visitActions(spec, func(_ *corev1.HTTPGetAction, grpc *corev1.GRPCAction) {
			if grpc != nil {
				each(grpc.Mode != nil, func() { grpc.Mode = nil })
			}
		})
	},
	func(spec *corev1.PodSpec, each func(bool, func())) { // options of bind mounts
		VisitContainers(spec, nil, func(c *corev1.Container, _ *field.Path) {
			for i := range c.VolumeMounts {
				each(c.VolumeMounts[i].BindMountOptions != nil, func() { c.VolumeMounts[i].BindMountOptions = nil })
			}
		})
	},
	func(spec *corev1.PodSpec, each func(bool, func())) { // the mode of an empty folder
		for i := range spec.Volumes {
			if dir := spec.Volumes[i].EmptyDir; dir != nil {
				each(dir.Mode != nil, func() { dir.Mode = nil })
			}
		}
	},
	visitFileOwners,
}

// visitActions calls each for what the probes and hooks of all containers ask.
func visitActions(spec *corev1.PodSpec, each func(*corev1.HTTPGetAction, *corev1.GRPCAction)) {
	VisitContainers(spec, nil, func(c *corev1.Container, _ *field.Path) {
		for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe, c.StartupProbe} {
			if probe != nil {
				each(probe.HTTPGet, probe.GRPC)
			}
		}
		if c.Lifecycle == nil {
			return
		}
		for _, hook := range []*corev1.LifecycleHandler{c.Lifecycle.PostStart, c.Lifecycle.PreStop} {
			if hook != nil {
				each(hook.HTTPGet, nil)
			}
		}
	})
}

// visitFileOwners reports the users that files of volumes are to belong to.
func visitFileOwners(spec *corev1.PodSpec, each func(bool, func())) {
	owner := func(user **int64) { each(*user != nil, func() { *user = nil }) }
	keys := func(items []corev1.KeyToPath) {
		for i := range items {
			owner(&items[i].User)
		}
	}
	files := func(items []corev1.DownwardAPIVolumeFile) {
		for i := range items {
			owner(&items[i].User)
		}
	}
	for i := range spec.Volumes {
		v := &spec.Volumes[i]
		if s := v.Secret; s != nil {
			owner(&s.DefaultUser)
			keys(s.Items)
		}
		if s := v.ConfigMap; s != nil {
			owner(&s.DefaultUser)
			keys(s.Items)
		}
		if s := v.DownwardAPI; s != nil {
			owner(&s.DefaultUser)
			files(s.Items)
		}
		if v.Projected == nil {
			continue
		}
		owner(&v.Projected.DefaultUser)
		for j := range v.Projected.Sources {
			visitProjectionOwners(&v.Projected.Sources[j], owner, keys, files)
		}
	}
}

func visitProjectionOwners(p *corev1.VolumeProjection, owner func(**int64), keys func([]corev1.KeyToPath), files func([]corev1.DownwardAPIVolumeFile)) {
	if p.Secret != nil {
		keys(p.Secret.Items)
	}
	if p.ConfigMap != nil {
		keys(p.ConfigMap.Items)
	}
	if p.DownwardAPI != nil {
		files(p.DownwardAPI.Items)
	}
	if p.ServiceAccountToken != nil {
		owner(&p.ServiceAccountToken.User)
	}
	if p.ClusterTrustBundle != nil {
		owner(&p.ClusterTrustBundle.User)
	}
	if p.PodCertificate != nil {
		owner(&p.PodCertificate.User)
	}
}

// DropDisabledPodStatus does for a status what DropDisabledPodFields does for a spec.
func DropDisabledPodStatus(obj, old *corev1.PodStatus) {
	if old.VolumeHealth == nil {
		obj.VolumeHealth = nil
	}
	if old.NodeAllocatableResourceClaimStatuses == nil {
		obj.NodeAllocatableResourceClaimStatuses = nil
	}
	statuses := func(s *corev1.PodStatus) [][]corev1.ContainerStatus {
		return [][]corev1.ContainerStatus{s.InitContainerStatuses, s.ContainerStatuses, s.EphemeralContainerStatuses}
	}
	digests := false
	for _, list := range statuses(old) {
		for i := range list {
			for _, mount := range list[i].VolumeMounts {
				digests = digests || mount.VolumeStatus != nil
			}
		}
	}
	for _, list := range statuses(obj) {
		for i := range list {
			for j := range list[i].VolumeMounts {
				if !digests {
					list[i].VolumeMounts[j].VolumeStatus = nil
				}
			}
		}
	}
}

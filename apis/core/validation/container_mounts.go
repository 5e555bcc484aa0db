// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// validateMounts judges where a container sees volumes as folders. Many of the paths
// lack the index upstream.
func validateMounts(c *corev1.Container, volumes map[string]corev1.VolumeSource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	devices := map[string]string{}
	for _, device := range c.VolumeDevices {
		devices[device.Name] = device.DevicePath
	}
	points := sets.Set[string]{}
	for i := range c.VolumeMounts {
		mount, at := &c.VolumeMounts[i], path.Index(i)
		if mount.Name == "" {
			errs = append(errs, field.Required(at.Child("name"), ""))
		}
		if _, ok := volumes[mount.Name]; !ok {
			errs = append(errs, field.NotFound(at.Child("name"), mount.Name))
		}
		if mount.MountPath == "" {
			errs = append(errs, field.Required(at.Child("mountPath"), ""))
		}
		if points.Has(mount.MountPath) {
			errs = append(errs, field.Invalid(at.Child("mountPath"), mount.MountPath, "must be unique"))
		}
		points.Insert(mount.MountPath)
		errs = append(errs, notTaken(mount.Name, mount.MountPath, devices, "volumeDevices", at.Child("name"), at.Child("mountPath"))...)
		if mount.SubPath != "" {
			errs = append(errs, validateLocalPath(mount.SubPath, path.Child("subPath"))...)
		}
		if mount.SubPathExpr != "" {
			if mount.SubPath != "" {
				errs = append(errs, field.Invalid(at.Child("subPathExpr"), mount.SubPathExpr, "subPathExpr and subPath are mutually exclusive"))
			}
			errs = append(errs, validateLocalPath(mount.SubPathExpr, path.Child("subPathExpr"))...)
		}
		errs = append(errs, validatePropagation(mount.MountPropagation, c, path.Child("mountPropagation"))...)
		errs = append(errs, validateRecursiveReadOnly(mount, path.Child("recursiveReadOnly"))...)
	}
	return errs
}

// notTaken demands that neither the volume nor the path is used in the other way too.
func notTaken(name, point string, taken map[string]string, by string, namePath, pointPath *field.Path) field.ErrorList {
	var errs field.ErrorList
	if _, ok := taken[name]; ok {
		errs = append(errs, field.Invalid(namePath, name, "must not already exist in "+by))
	}
	for _, other := range taken {
		if other == point {
			return append(errs, field.Invalid(pointPath, point, "must not already exist as a path in "+by))
		}
	}
	return errs
}

func validatePropagation(mode *corev1.MountPropagationMode, c *corev1.Container, path *field.Path) field.ErrorList {
	if mode == nil {
		return nil
	}
	errs := fielderrors.OneOf(path, *mode, corev1.MountPropagationBidirectional, corev1.MountPropagationHostToContainer, corev1.MountPropagationNone)
	privileged := c.SecurityContext != nil && ptr.Deref(c.SecurityContext.Privileged, false)
	if *mode == corev1.MountPropagationBidirectional && !privileged {
		errs = append(errs, field.Forbidden(path, "Bidirectional mount propagation is available only to privileged containers"))
	}
	return errs
}

func validateRecursiveReadOnly(mount *corev1.VolumeMount, path *field.Path) field.ErrorList {
	mode := mount.RecursiveReadOnly
	if mode == nil {
		return nil
	}
	var errs field.ErrorList
	if !mount.ReadOnly && *mode != corev1.RecursiveReadOnlyDisabled {
		errs = append(errs, field.Forbidden(path, "may only be specified when readOnly is true"))
	}
	switch *mode {
	case corev1.RecursiveReadOnlyDisabled:
	case corev1.RecursiveReadOnlyEnabled, corev1.RecursiveReadOnlyIfPossible:
		if ptr.Deref(mount.MountPropagation, corev1.MountPropagationNone) != corev1.MountPropagationNone {
			errs = append(errs, field.Forbidden(path, "may only be specified when mountPropagation is None or not specified"))
		}
	default:
		errs = append(errs, field.NotSupported(path, *mode, []corev1.RecursiveReadOnlyMode{
			corev1.RecursiveReadOnlyDisabled, corev1.RecursiveReadOnlyEnabled, corev1.RecursiveReadOnlyIfPossible,
		}))
	}
	return errs
}

// validateDevices judges where a container sees volumes as raw blocks.
func validateDevices(c *corev1.Container, volumes map[string]corev1.VolumeSource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	mounts := map[string]string{}
	for _, mount := range c.VolumeMounts {
		mounts[mount.Name] = mount.MountPath
	}
	names, points := sets.Set[string]{}, sets.Set[string]{}
	for i, device := range c.VolumeDevices {
		name, point := path.Index(i).Child("name"), path.Index(i).Child("devicePath")
		volume, found := volumes[device.Name]
		if device.Name == "" {
			errs = append(errs, field.Required(name, ""))
		}
		if names.Has(device.Name) {
			errs = append(errs, field.Invalid(name, device.Name, "must be unique"))
		}
		if found && volume.PersistentVolumeClaim == nil && volume.Ephemeral == nil {
			errs = append(errs, field.Invalid(name, device.Name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"))
		}
		if !found {
			errs = append(errs, field.NotFound(name, device.Name))
		}
		if device.DevicePath == "" {
			errs = append(errs, field.Required(point, ""))
		}
		if points.Has(device.DevicePath) {
			errs = append(errs, field.Invalid(point, device.DevicePath, "must be unique"))
		}
		if len(validateNoBacksteps(device.DevicePath, point)) > 0 {
			errs = append(errs, field.Invalid(point, device.DevicePath, "can not contain backsteps ('..')"))
		} else {
			points.Insert(device.DevicePath)
		}
		errs = append(errs, notTaken(device.Name, device.DevicePath, mounts, "volumeMounts", name, point)...)
		if device.Name != "" {
			names.Insert(device.Name)
		}
	}
	return errs
}

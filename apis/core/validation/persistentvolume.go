// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"maps"
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
	"github.com/stoa-project/stoa/apis/hubtext"
	"github.com/stoa-project/stoa/features"
)

// VolumeOptions loosens rules that older versions did not have, as ClaimOptions do.
type VolumeOptions struct {
	// AllowInvalidLabelValues lets the node affinity have values no label can have.
	AllowInvalidLabelValues bool
}

// ValidatePersistentVolume judges a new volume.
func ValidatePersistentVolume(obj *corev1.PersistentVolume) field.ErrorList {
	return ValidatePersistentVolumeSpec(&obj.Spec, obj.Name, field.NewPath("spec"), VolumeOptions{})
}

// ValidatePersistentVolumeSpec judges the spec of a volume.
func ValidatePersistentVolumeSpec(spec *corev1.PersistentVolumeSpec, name string, at *field.Path, opts VolumeOptions) field.ErrorList {
	var errs field.ErrorList
	if len(spec.AccessModes) == 0 {
		errs = append(errs, field.Required(at.Child("accessModes"), ""))
	}
	errs = append(errs, validateAccessModes(spec.AccessModes, at.Child("accessModes"))...)
	errs = append(errs, validateVolumeCapacity(spec.Capacity, at.Child("capacity"))...)
	if policy := spec.PersistentVolumeReclaimPolicy; policy != "" {
		errs = append(errs, fielderrors.OneOf(at.Child("persistentVolumeReclaimPolicy"), policy,
			corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRecycle, corev1.PersistentVolumeReclaimRetain)...)
	}
	errs = append(errs, validateVolumeAffinity(spec.NodeAffinity, opts, at.Child("nodeAffinity"))...)
	errs = append(errs, validateOneSource(persistentSources(spec, name, at), at)...)
	if spec.HostPath != nil && path.Clean(spec.HostPath.Path) == "/" && spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRecycle {
		errs = append(errs, field.Forbidden(at.Child("persistentVolumeReclaimPolicy"), "may not be 'recycle' for a hostPath mount of '/'"))
	}
	if spec.StorageClassName != "" {
		errs = append(errs, validateClassName(spec.StorageClassName, at.Child("storageClassName"))...)
	}
	if spec.VolumeMode != nil {
		errs = append(errs, validateVolumeMode(*spec.VolumeMode, at.Child("volumeMode"))...)
	}
	return append(errs, validateAttributesClass(spec, at)...)
}

func validateAttributesClass(spec *corev1.PersistentVolumeSpec, at *field.Path) field.ErrorList {
	class := spec.VolumeAttributesClassName
	if class == nil {
		return nil
	}
	var errs field.ErrorList
	if *class == "" {
		errs = append(errs, field.Required(at.Child("volumeAttributesClassName"), "an empty string is disallowed"))
	} else {
		errs = append(errs, validateClassName(*class, at.Child("volumeAttributesClassName"))...)
	}
	if spec.CSI == nil {
		errs = append(errs, field.Required(at.Child("csi"), "has to be specified when using volumeAttributesClassName"))
	}
	return errs
}

func validateVolumeCapacity(capacity corev1.ResourceList, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(capacity) == 0 {
		errs = append(errs, field.Required(at, ""))
	}
	if _, ok := capacity[corev1.ResourceStorage]; !ok || len(capacity) > 1 {
		errs = append(errs, field.NotSupported(at, capacity, []corev1.ResourceName{corev1.ResourceStorage}))
	}
	for _, name := range slices.Sorted(maps.Keys(capacity)) {
		key := at.Key(string(name))
		errs = append(errs, validateBasicQuantity(capacity[name], key)...)
		errs = append(errs, validatePositiveQuantity(capacity[name], key)...)
	}
	return errs
}

func validateVolumeAffinity(affinity *corev1.VolumeNodeAffinity, opts VolumeOptions, at *field.Path) field.ErrorList {
	switch {
	case affinity == nil:
		return nil
	case affinity.Required == nil:
		return field.ErrorList{field.Required(at.Child("required"), "must specify required node constraints")}
	}
	return ValidateNodeSelector(affinity.Required, opts.AllowInvalidLabelValues, at.Child("required"))
}

// persistentSources are the sources of a persistent volume, in the order in which
// they are looked at.
func persistentSources(spec *corev1.PersistentVolumeSpec, name string, at *field.Path) []source {
	s := &spec.PersistentVolumeSource
	flex := sourceOf("flexVolume", s.FlexVolume, func(s *corev1.FlexPersistentVolumeSource, at *field.Path) field.ErrorList {
		return validateFlexVolume(s.Driver, s.Options, at)
	})
	flex.uncounted = true // upstream does not look whether it comes second
	return []source{
		sourceOf("hostPath", s.HostPath, validateHostPath),
		sourceOf("persistentDisk", s.GCEPersistentDisk, validateGCEDisk).as("gcePersistentDisk"),
		sourceOf("awsElasticBlockStore", s.AWSElasticBlockStore, validateAWSDisk),
		sourceOf("glusterfs", s.Glusterfs, validatePersistentGlusterfs),
		sourceOf("flocker", s.Flocker, validateFlocker),
		sourceOf("nfs", s.NFS, validateNFS),
		sourceOf("rbd", s.RBD, func(s *corev1.RBDPersistentVolumeSource, at *field.Path) field.ErrorList {
			return validateRBD(s.CephMonitors, s.RBDImage, at)
		}),
		sourceOf("quobyte", s.Quobyte, validateQuobyte),
		sourceOf("cephfs", s.CephFS, func(s *corev1.CephFSPersistentVolumeSource, at *field.Path) field.ErrorList {
			return requireList(at, "monitors", s.Monitors)
		}).as("cephFS"),
		sourceOf("iscsi", s.ISCSI, func(s *corev1.ISCSIPersistentVolumeSource, at *field.Path) field.ErrorList {
			return validatePersistentISCSI(s, name, at)
		}),
		sourceOf("cinder", s.Cinder, func(s *corev1.CinderPersistentVolumeSource, at *field.Path) field.ErrorList {
			errs := requireFields(at, "volumeID", s.VolumeID)
			if s.SecretRef != nil {
				errs = append(errs, requireFields(at.Child("secretRef"), "name", s.SecretRef.Name, "namespace", s.SecretRef.Namespace)...)
			}
			return errs
		}),
		sourceOf("fc", s.FC, validateFC),
		flex,
		sourceOf("azureFile", s.AzureFile, func(s *corev1.AzureFilePersistentVolumeSource, at *field.Path) field.ErrorList {
			errs := requireFields(at, "secretName", s.SecretName, "shareName", s.ShareName)
			if s.SecretNamespace != nil {
				errs = append(errs, requireFields(at, "secretNamespace", *s.SecretNamespace)...)
			}
			return errs
		}),
		sourceOf("vsphereVolume", s.VsphereVolume, validateVsphere),
		sourceOf("photonPersistentDisk", s.PhotonPersistentDisk, validatePhotonDisk),
		sourceOf("portworxVolume", s.PortworxVolume, validatePortworx),
		sourceOf("azureDisk", s.AzureDisk, validateAzureDisk),
		sourceOf("scaleIO", s.ScaleIO, func(s *corev1.ScaleIOPersistentVolumeSource, at *field.Path) field.ErrorList {
			return requireFields(at, "gateway", s.Gateway, "system", s.System, "volumeName", s.VolumeName)
		}),
		sourceOf("local", s.Local, func(s *corev1.LocalVolumeSource, here *field.Path) field.ErrorList {
			errs := requireFields(here, "path", s.Path)
			if s.Path != "" {
				errs = append(errs, validateNoBacksteps(s.Path, here.Child("path"))...)
			}
			if spec.NodeAffinity == nil {
				errs = append(errs, field.Required(at.Child("nodeAffinity"), "Local volume requires node affinity"))
			}
			return errs
		}),
		sourceOf("storageos", s.StorageOS, func(s *corev1.StorageOSPersistentVolumeSource, at *field.Path) field.ErrorList {
			errs := validateStorageOS(s.VolumeName, s.VolumeNamespace, at)
			if s.SecretRef != nil {
				errs = append(errs, requireFields(at.Child("secretRef"), "name", s.SecretRef.Name, "namespace", s.SecretRef.Namespace)...)
			}
			return errs
		}),
		sourceOf("csi", s.CSI, validatePersistentCSI),
	}
}

func validatePersistentGlusterfs(s *corev1.GlusterfsPersistentVolumeSource, at *field.Path) field.ErrorList {
	errs := requireFields(at, "endpoints", s.EndpointsName, "path", s.Path)
	switch namespace := s.EndpointsNamespace; {
	case namespace == nil:
	case *namespace == "":
		errs = append(errs, field.Invalid(at.Child("endpointsNamespace"), "", "if the endpointnamespace is set, it must be a valid namespace name"))
	default:
		errs = append(errs, fielderrors.Each(at.Child("endpointsNamespace"), *namespace, apivalidation.ValidateNamespaceName(*namespace, false))...)
	}
	return errs
}

func validatePersistentISCSI(s *corev1.ISCSIPersistentVolumeSource, name string, at *field.Path) field.ErrorList {
	errs := iscsi{
		portal: s.TargetPortal, iqn: s.IQN, lun: s.Lun, auth: s.DiscoveryCHAPAuth || s.SessionCHAPAuth,
		secret: s.SecretRef != nil, initiator: s.InitiatorName, form: "must be valid format",
	}.validate(at)
	if s.InitiatorName != nil && len(name+":"+s.TargetPortal) > 64 {
		errs = append(errs, field.Invalid(at.Child("targetportal"), s.TargetPortal, iscsiTooLong))
	}
	if s.SecretRef != nil {
		errs = append(errs, requireFields(at.Child("secretRef"), "name", s.SecretRef.Name)...)
	}
	return errs
}

// validatePersistentCSI looks at all secrets but that of staging, as upstream does.
func validatePersistentCSI(s *corev1.CSIPersistentVolumeSource, at *field.Path) field.ErrorList {
	errs := ValidateCSIDriverName(s.Driver, at.Child("driver"))
	errs = append(errs, requireFields(at, "volumeHandle", s.VolumeHandle)...)
	for _, secret := range []struct {
		name string
		ref  *corev1.SecretReference
	}{
		{"controllerPublishSecretRef", s.ControllerPublishSecretRef}, {"controllerExpandSecretRef", s.ControllerExpandSecretRef},
		{"nodePublishSecretRef", s.NodePublishSecretRef}, {"nodeExpandSecretRef", s.NodeExpandSecretRef},
	} {
		if secret.ref == nil {
			continue
		}
		here, name, namespace := at.Child(secret.name), secret.ref.Name, secret.ref.Namespace
		errs = append(errs, requireFields(here, "name", name, "namespace", namespace)...)
		if name != "" {
			errs = append(errs, fielderrors.Each(here.Child("name"), name, validation.IsDNS1123Subdomain(name))...)
		}
		if namespace != "" {
			errs = append(errs, fielderrors.Each(here.Child("namespace"), namespace, validation.IsDNS1123Label(namespace))...)
		}
	}
	return errs
}

// ValidatePersistentVolumeUpdate judges a changed volume, whose source and node
// affinity stay.
func ValidatePersistentVolumeUpdate(obj, old *corev1.PersistentVolume) field.ErrorList {
	spec, before := &obj.Spec, &old.Spec
	opts := VolumeOptions{AllowInvalidLabelValues: before.NodeAffinity != nil && hasInvalidLabelValues(before.NodeAffinity.Required)}
	errs := ValidatePersistentVolumeSpec(spec, obj.Name, field.NewPath("spec"), opts)

	src := spec.PersistentVolumeSource
	if src.CSI != nil && before.CSI != nil && before.CSI.ControllerExpandSecretRef == nil {
		csi := *src.CSI // whose secret may be given later
		csi.ControllerExpandSecretRef = nil
		src.CSI = &csi
	}
	if !apiequality.Semantic.DeepEqual(src, before.PersistentVolumeSource) {
		errs = append(errs, field.Forbidden(field.NewPath("spec", "persistentvolumesource"),
			fmt.Sprintf("spec.persistentvolumesource is immutable after creation\n%v", hubtext.Diff(before.PersistentVolumeSource, src))))
	}
	errs = append(errs, apivalidation.ValidateImmutableField(spec.VolumeMode, before.VolumeMode, field.NewPath("volumeMode"))...)
	if before.NodeAffinity != nil && !features.Enabled(features.MutablePVNodeAffinity) &&
		!apiequality.Semantic.DeepEqual(spec.NodeAffinity, renameLabels(before.NodeAffinity, spec.NodeAffinity)) {
		errs = append(errs, field.Invalid(field.NewPath("nodeAffinity"), spec.NodeAffinity, "field is immutable, except for updating from beta label to GA"))
	}
	if before.VolumeAttributesClassName != nil && spec.VolumeAttributesClassName == nil {
		errs = append(errs, field.Forbidden(field.NewPath("spec", "volumeAttributesClassName"), "update from non-nil value to nil is forbidden"))
	}
	return errs
}

// renameLabels is old with the newer names of labels where obj has them. As upstream
// it also takes a missing name, which another rule refuses.
func renameLabels(old, obj *corev1.VolumeNodeAffinity) *corev1.VolumeNodeAffinity {
	out := old.DeepCopy()
	if out.Required == nil || obj == nil || obj.Required == nil || len(out.Required.NodeSelectorTerms) != len(obj.Required.NodeSelectorTerms) {
		return out
	}
	newer := map[string]string{
		corev1.LabelFailureDomainBetaZone:   corev1.LabelTopologyZone,
		corev1.LabelFailureDomainBetaRegion: corev1.LabelTopologyRegion,
		corev1.LabelInstanceType:            corev1.LabelInstanceTypeStable,
		"beta.kubernetes.io/os":             corev1.LabelOSStable,
		"beta.kubernetes.io/arch":           corev1.LabelArchStable,
	}
	rename := func(was, is []corev1.NodeSelectorRequirement) {
		for i := range min(len(was), len(is)) {
			if is[i].Key == newer[was[i].Key] {
				was[i].Key = is[i].Key
			}
		}
	}
	for i, is := range obj.Required.NodeSelectorTerms {
		was := &out.Required.NodeSelectorTerms[i]
		rename(was.MatchExpressions, is.MatchExpressions)
		rename(was.MatchFields, is.MatchFields)
	}
	return out
}

func hasInvalidLabelValues(sel *corev1.NodeSelector) bool {
	if sel == nil {
		return false
	}
	for _, term := range sel.NodeSelectorTerms {
		for _, expr := range term.MatchExpressions {
			if slices.ContainsFunc(expr.Values, func(v string) bool { return len(validation.IsValidLabelValue(v)) > 0 }) {
				return true
			}
		}
	}
	return false
}

// ValidatePersistentVolumeStatus judges a changed status.
func ValidatePersistentVolumeStatus(obj *corev1.PersistentVolume) field.ErrorList {
	if obj.ResourceVersion == "" {
		return field.ErrorList{field.Required(field.NewPath("resourceVersion"), "")}
	}
	return nil
}

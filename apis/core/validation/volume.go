// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// ValidateVolumes judges the volumes of a pod, or of a template if podMeta is nil.
// It returns the sources of those without errors by the names of the volumes, for
// the mounts and devices to be compared with.
func ValidateVolumes(vols []corev1.Volume, podMeta *metav1.ObjectMeta, path *field.Path, opts PodOptions) (map[string]corev1.VolumeSource, field.ErrorList) {
	// The claims of ephemeral volumes have names that begin with that of the pod.
	podName := ""
	if podMeta != nil {
		podName = podMeta.Name
	}
	created := sets.New[string]()
	for i := range vols {
		if podName != "" && vols[i].Ephemeral != nil {
			created.Insert(podName + "-" + vols[i].Name)
		}
	}
	good := map[string]corev1.VolumeSource{}
	var all field.ErrorList
	for i := range vols {
		vol, at := &vols[i], path.Index(i)
		errs := validateOneSource(volumeSources(vol, podName, at, opts), at)
		if vol.Name == "" {
			errs = append(errs, field.Required(at.Child("name"), ""))
		} else {
			errs = append(errs, fielderrors.Each(at.Child("name"), vol.Name, validation.IsDNS1123Label(vol.Name))...)
		}
		if _, ok := good[vol.Name]; ok {
			errs = append(errs, field.Duplicate(at.Child("name"), vol.Name))
		}
		if len(errs) == 0 {
			good[vol.Name] = vol.VolumeSource
		}
		if claim := vol.PersistentVolumeClaim; claim != nil && created.Has(claim.ClaimName) {
			errs = append(errs, field.Invalid(at.Child("persistentVolumeClaim", "claimName"), claim.ClaimName,
				"must not reference a PVC that gets created for an ephemeral volume"))
		}
		all = append(all, errs...)
	}
	return good, all
}

// source is one of the kinds of storage that a volume may have.
type source struct {
	// name is where its fields are reported; surplus is where it is reported
	// itself, if there is another. Neither is always the name in JSON: some are
	// misspelt upstream, and clients read them so.
	name, surplus string
	// set says that the volume has it.
	set bool
	// uncounted lets it come second.
	uncounted bool
	check     func(*field.Path) field.ErrorList
}

// sourceOf is a source that check judges.
func sourceOf[S any](name string, value *S, check func(*S, *field.Path) field.ErrorList) source {
	return source{name: name, surplus: name, set: value != nil,
		check: func(path *field.Path) field.ErrorList { return check(value, path) }}
}

func (s source) as(surplus string) source {
	s.surplus = surplus
	return s
}

// validateOneSource wants exactly one of the sources to be set; only the first is
// looked into.
func validateOneSource(sources []source, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	found := false
	for _, s := range sources {
		switch {
		case !s.set:
		case found && !s.uncounted:
			errs = append(errs, field.Forbidden(path.Child(s.surplus), "may not specify more than 1 volume type"))
		default:
			found = true
			errs = append(errs, s.check(path.Child(s.name))...)
		}
	}
	if !found {
		errs = append(errs, field.Required(path, "must specify a volume type"))
	}
	return errs
}

// volumeSources are the sources of a volume of a pod, in the order in which they
// are looked at; at is the path of the volume.
func volumeSources(vol *corev1.Volume, podName string, at *field.Path, opts PodOptions) []source {
	v := &vol.VolumeSource
	return []source{
		sourceOf("emptyDir", v.EmptyDir, validateEmptyDir),
		sourceOf("hostPath", v.HostPath, validateHostPath),
		sourceOf("gitRepo", v.GitRepo, validateGitRepo),
		sourceOf("persistentDisk", v.GCEPersistentDisk, validateGCEDisk).as("gcePersistentDisk"),
		sourceOf("awsElasticBlockStore", v.AWSElasticBlockStore, validateAWSDisk),
		sourceOf("secret", v.Secret, validateSecretVolume),
		sourceOf("nfs", v.NFS, validateNFS),
		sourceOf("iscsi", v.ISCSI, func(s *corev1.ISCSIVolumeSource, path *field.Path) field.ErrorList {
			return validateVolumeISCSI(s, vol.Name, at.Child("name"), path)
		}),
		sourceOf("glusterfs", v.Glusterfs, func(s *corev1.GlusterfsVolumeSource, path *field.Path) field.ErrorList {
			return requireFields(path, "endpoints", s.EndpointsName, "path", s.Path)
		}),
		sourceOf("flocker", v.Flocker, validateFlocker),
		sourceOf("persistentVolumeClaim", v.PersistentVolumeClaim, func(s *corev1.PersistentVolumeClaimVolumeSource, path *field.Path) field.ErrorList {
			return requireFields(path, "claimName", s.ClaimName)
		}),
		sourceOf("rbd", v.RBD, func(s *corev1.RBDVolumeSource, path *field.Path) field.ErrorList {
			return validateRBD(s.CephMonitors, s.RBDImage, path)
		}),
		sourceOf("cinder", v.Cinder, func(s *corev1.CinderVolumeSource, path *field.Path) field.ErrorList {
			return append(requireFields(path, "volumeID", s.VolumeID), validateLocalSecret(s.SecretRef, path)...)
		}),
		sourceOf("cephfs", v.CephFS, func(s *corev1.CephFSVolumeSource, path *field.Path) field.ErrorList {
			return requireList(path, "monitors", s.Monitors)
		}).as("cephFS"),
		sourceOf("quobyte", v.Quobyte, validateQuobyte),
		sourceOf("downwardAPI", v.DownwardAPI, validateDownwardAPIVolume).as("downwarAPI"),
		sourceOf("fc", v.FC, validateFC),
		sourceOf("flexVolume", v.FlexVolume, func(s *corev1.FlexVolumeSource, path *field.Path) field.ErrorList {
			return validateFlexVolume(s.Driver, s.Options, path)
		}),
		sourceOf("configMap", v.ConfigMap, validateConfigMapVolume),
		sourceOf("azureFile", v.AzureFile, func(s *corev1.AzureFileVolumeSource, path *field.Path) field.ErrorList {
			return requireFields(path, "secretName", s.SecretName, "shareName", s.ShareName)
		}),
		sourceOf("vsphereVolume", v.VsphereVolume, validateVsphere),
		sourceOf("photonPersistentDisk", v.PhotonPersistentDisk, validatePhotonDisk),
		sourceOf("portworxVolume", v.PortworxVolume, validatePortworx),
		sourceOf("azureDisk", v.AzureDisk, validateAzureDisk),
		sourceOf("storageos", v.StorageOS, func(s *corev1.StorageOSVolumeSource, path *field.Path) field.ErrorList {
			return append(validateStorageOS(s.VolumeName, s.VolumeNamespace, path), validateLocalSecret(s.SecretRef, path)...)
		}),
		sourceOf("projected", v.Projected, func(s *corev1.ProjectedVolumeSource, path *field.Path) field.ErrorList {
			return validateProjected(s, path, opts)
		}),
		sourceOf("scaleIO", v.ScaleIO, func(s *corev1.ScaleIOVolumeSource, path *field.Path) field.ErrorList {
			return requireFields(path, "gateway", s.Gateway, "system", s.System, "volumeName", s.VolumeName)
		}),
		sourceOf("csi", v.CSI, validateCSIVolume),
		sourceOf("ephemeral", v.Ephemeral, func(s *corev1.EphemeralVolumeSource, path *field.Path) field.ErrorList {
			return validateEphemeral(s, vol.Name, podName, at.Child("name"), path)
		}),
		sourceOf("image", v.Image, func(s *corev1.ImageVolumeSource, path *field.Path) field.ErrorList {
			return validateImageVolume(s, path, opts)
		}),
	}
}

func validateEmptyDir(s *corev1.EmptyDirVolumeSource, path *field.Path) field.ErrorList {
	if s.SizeLimit != nil && s.SizeLimit.Cmp(resource.Quantity{}) < 0 {
		return field.ErrorList{field.Forbidden(path.Child("sizeLimit"), "SizeLimit field must be a valid resource quantity")}
	}
	return nil
}

// validateEphemeral also looks at the name of the claim, unless a part of it is
// missing, which is reported elsewhere.
func validateEphemeral(s *corev1.EphemeralVolumeSource, volume, pod string, namePath, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.VolumeClaimTemplate == nil {
		errs = append(errs, field.Required(path.Child("volumeClaimTemplate"), ""))
	} else {
		errs = append(errs, ValidatePersistentVolumeClaimTemplate(s.VolumeClaimTemplate, path.Child("volumeClaimTemplate"))...)
	}
	if pod == "" || volume == "" {
		return errs
	}
	name := pod + "-" + volume
	for _, msg := range apivalidation.NameIsDNSSubdomain(name, false) {
		errs = append(errs, field.Invalid(namePath, volume, fmt.Sprintf("PVC name %q: %v", name, msg)))
	}
	return errs
}

// validateImageVolume lets a template name no image, as something else may do so.
func validateImageVolume(s *corev1.ImageVolumeSource, path *field.Path, opts PodOptions) field.ErrorList {
	var errs field.ErrorList
	if opts.IsPod {
		errs = requireFields(path, "reference", s.Reference)
	}
	return append(errs, fielderrors.RequireOneOf(path.Child("pullPolicy"), s.PullPolicy, corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)...)
}

// validateTemplateMetadata lets a template give its objects labels and annotations
// and nothing else.
func validateTemplateMetadata(meta *metav1.ObjectMeta, path *field.Path) field.ErrorList {
	errs := apivalidation.ValidateAnnotations(meta.Annotations, path.Child("annotations"))
	errs = append(errs, metav1validation.ValidateLabels(meta.Labels, path.Child("labels"))...)
	v := reflect.ValueOf(*meta)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "Annotations" || name == "Labels" || v.Field(i).IsZero() {
			continue
		}
		errs = append(errs, field.Forbidden(path.Child(strings.ToLower(name[:1])+name[1:]), "cannot be set"))
	}
	return errs
}

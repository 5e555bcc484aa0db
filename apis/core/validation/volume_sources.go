// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/stoa-project/stoa/apis/fielderrors"
)

// requireFields reports those of the fields, given as names and values in turn,
// that are empty.
func requireFields(path *field.Path, namesAndValues ...string) field.ErrorList {
	var errs field.ErrorList
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		if namesAndValues[i+1] == "" {
			errs = append(errs, field.Required(path.Child(namesAndValues[i]), ""))
		}
	}
	return errs
}

func requireList(path *field.Path, name string, list []string) field.ErrorList {
	if len(list) == 0 {
		return field.ErrorList{field.Required(path.Child(name), "")}
	}
	return nil
}

func validateHostPath(s *corev1.HostPathVolumeSource, path *field.Path) field.ErrorList {
	if s.Path == "" {
		return requireFields(path, "path", "")
	}
	errs := validateNoBacksteps(s.Path, path.Child("path"))
	if s.Type != nil {
		errs = append(errs, fielderrors.OneOf(path.Child("type"), *s.Type,
			corev1.HostPathUnset, corev1.HostPathBlockDev, corev1.HostPathCharDev, corev1.HostPathDirectory,
			corev1.HostPathDirectoryOrCreate, corev1.HostPathFile, corev1.HostPathFileOrCreate, corev1.HostPathSocket)...)
	}
	return errs
}

func validateGitRepo(s *corev1.GitRepoVolumeSource, path *field.Path) field.ErrorList {
	return append(requireFields(path, "repository", s.Repository), validateLocalPath(s.Directory, path.Child("directory"))...)
}

func validateGCEDisk(s *corev1.GCEPersistentDiskVolumeSource, path *field.Path) field.ErrorList {
	return append(requireFields(path, "pdName", s.PDName), validatePartition(s.Partition, path)...)
}

func validateAWSDisk(s *corev1.AWSElasticBlockStoreVolumeSource, path *field.Path) field.ErrorList {
	return append(requireFields(path, "volumeID", s.VolumeID), validatePartition(s.Partition, path)...)
}

// validatePartition takes 0 too, which is no partition, but does not say so.
func validatePartition(partition int32, path *field.Path) field.ErrorList {
	if partition < 0 || partition > 255 {
		return field.ErrorList{field.Invalid(path.Child("partition"), partition, validation.InclusiveRangeError(1, 255))}
	}
	return nil
}

func validateNFS(s *corev1.NFSVolumeSource, path *field.Path) field.ErrorList {
	errs := requireFields(path, "server", s.Server, "path", s.Path)
	if !strings.HasPrefix(s.Path, "/") {
		errs = append(errs, field.Invalid(path.Child("path"), s.Path, "must be an absolute path"))
	}
	return errs
}

func validateVsphere(s *corev1.VsphereVirtualDiskVolumeSource, path *field.Path) field.ErrorList {
	return requireFields(path, "volumePath", s.VolumePath)
}

func validatePhotonDisk(s *corev1.PhotonPersistentDiskVolumeSource, path *field.Path) field.ErrorList {
	return requireFields(path, "pdID", s.PdID)
}

func validatePortworx(s *corev1.PortworxVolumeSource, path *field.Path) field.ErrorList {
	return requireFields(path, "volumeID", s.VolumeID)
}

func validateFlocker(s *corev1.FlockerVolumeSource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch {
	case s.DatasetName == "" && s.DatasetUUID == "":
		errs = append(errs, field.Required(path, "one of datasetName and datasetUUID is required"))
	case s.DatasetName != "" && s.DatasetUUID != "":
		errs = append(errs, field.Invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"))
	}
	if strings.Contains(s.DatasetName, "/") {
		errs = append(errs, field.Invalid(path.Child("datasetName"), s.DatasetName, "must not contain '/'"))
	}
	return errs
}

func validateRBD(monitors []string, image string, path *field.Path) field.ErrorList {
	return append(requireList(path, "monitors", monitors), requireFields(path, "image", image)...)
}

func validateQuobyte(s *corev1.QuobyteVolumeSource, path *field.Path) field.ErrorList {
	const hosts = "must be a host:port pair or multiple pairs separated by commas"
	var errs field.ErrorList
	switch {
	case s.Registry == "":
		errs = append(errs, field.Required(path.Child("registry"), hosts))
	case len(s.Tenant) >= 65:
		errs = append(errs, field.Required(path.Child("tenant"), "must be a UUID and may not exceed a length of 64 characters"))
	default:
		for pair := range strings.SplitSeq(s.Registry, ",") {
			if _, _, err := net.SplitHostPort(pair); err != nil {
				errs = append(errs, field.Invalid(path.Child("registry"), s.Registry, hosts))
			}
		}
	}
	return append(errs, requireFields(path, "volume", s.Volume)...)
}

func validateFC(s *corev1.FCVolumeSource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	targets := path.Child("targetWWNs")
	switch {
	case len(s.TargetWWNs) == 0 && len(s.WWIDs) == 0:
		errs = append(errs, field.Required(targets, "must specify either targetWWNs or wwids, but not both"))
	case len(s.TargetWWNs) != 0 && len(s.WWIDs) != 0:
		errs = append(errs, field.Invalid(targets, s.TargetWWNs, "targetWWNs and wwids can not be specified simultaneously"))
	}
	switch {
	case len(s.TargetWWNs) == 0:
	case s.Lun == nil:
		errs = append(errs, field.Required(path.Child("lun"), "lun is required if targetWWNs is specified"))
	default:
		errs = append(errs, validateLun(*s.Lun, path)...)
	}
	return errs
}

func validateLun(lun int32, path *field.Path) field.ErrorList {
	if lun < 0 || lun > 255 {
		return field.ErrorList{field.Invalid(path.Child("lun"), lun, validation.InclusiveRangeError(0, 255))}
	}
	return nil
}

func validateFlexVolume(driver string, options map[string]string, path *field.Path) field.ErrorList {
	errs := requireFields(path, "driver", driver)
	for _, key := range slices.Sorted(maps.Keys(options)) {
		namespace, _, _ := strings.Cut(key, "/")
		namespace = "." + strings.ToLower(namespace)
		if strings.HasSuffix(namespace, ".kubernetes.io") || strings.HasSuffix(namespace, ".k8s.io") {
			errs = append(errs, field.Invalid(path.Child("options").Key(key), key, "kubernetes.io and k8s.io namespaces are reserved"))
		}
	}
	return errs
}

func validateAzureDisk(s *corev1.AzureDiskVolumeSource, path *field.Path) field.ErrorList {
	errs := requireFields(path, "diskName", s.DiskName, "diskURI", s.DataDiskURI)
	if s.CachingMode != nil {
		errs = append(errs, fielderrors.OneOf(path.Child("cachingMode"), *s.CachingMode,
			corev1.AzureDataDiskCachingNone, corev1.AzureDataDiskCachingReadOnly, corev1.AzureDataDiskCachingReadWrite)...)
	}
	if s.Kind == nil {
		return errs
	}
	errs = append(errs, fielderrors.OneOf(path.Child("kind"), *s.Kind,
		corev1.AzureDedicatedBlobDisk, corev1.AzureManagedDisk, corev1.AzureSharedBlobDisk)...)
	prefix, form := "https://", "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
	if *s.Kind == corev1.AzureManagedDisk {
		prefix, form = "/subscriptions/", "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
	}
	if !strings.HasPrefix(s.DataDiskURI, prefix) {
		errs = append(errs, field.NotSupported(path.Child("diskURI"), s.DataDiskURI, []string{form}))
	}
	return errs
}

func validateStorageOS(name, namespace string, path *field.Path) field.ErrorList {
	errs := requireFields(path, "volumeName", name)
	if name != "" {
		errs = append(errs, fielderrors.Each(path.Child("volumeName"), name, validation.IsDNS1123Label(name))...)
	}
	if namespace != "" {
		errs = append(errs, fielderrors.Each(path.Child("volumeNamespace"), namespace, validation.IsDNS1123Label(namespace))...)
	}
	return errs
}

func validateLocalSecret(ref *corev1.LocalObjectReference, path *field.Path) field.ErrorList {
	if ref == nil {
		return nil
	}
	return requireFields(path.Child("secretRef"), "name", ref.Name)
}

// iscsi is what the sources of volumes and of persistent volumes have in common.
type iscsi struct {
	portal, iqn string
	lun         int32
	// auth says that sessions or discovery need a secret.
	auth      bool
	secret    bool
	initiator *string
	// form is what is said of a name of an unknown kind.
	form string
}

func (s iscsi) validate(path *field.Path) field.ErrorList {
	errs := requireFields(path, "targetPortal", s.portal, "iqn", s.iqn)
	if s.iqn != "" {
		errs = append(errs, s.validateName(s.iqn, path.Child("iqn"))...)
	}
	errs = append(errs, validateLun(s.lun, path)...)
	if s.auth && !s.secret {
		errs = append(errs, field.Required(path.Child("secretRef"), ""))
	}
	if s.initiator != nil {
		errs = append(errs, s.validateName(*s.initiator, path.Child("initiatorname"))...)
	}
	return errs
}

// iscsiNames are the forms of names by their first letters (RFC 3720).
//
//nolint:gochecknoglobals // constant
var iscsiNames = map[string]*regexp.Regexp{
	"iqn": regexp.MustCompile(`iqn\.\d{4}-\d{2}\.([[:alnum:]-.]+)(:[^,;*&$|\s]+)$`),
	"eui": regexp.MustCompile(`^eui.[[:alnum:]]{16}$`),
	"naa": regexp.MustCompile(`^naa.[[:alnum:]]{32}$`),
}

func (s iscsi) validateName(name string, path *field.Path) field.ErrorList {
	for prefix, form := range iscsiNames {
		switch {
		case !strings.HasPrefix(name, prefix):
		case form.MatchString(name):
			return nil
		default:
			return field.ErrorList{field.Invalid(path, name, "must be valid format")}
		}
	}
	return field.ErrorList{field.Invalid(path, name, s.form)}
}

// iscsiTooLong is about the names that nodes give to the interfaces of volumes.
const iscsiTooLong = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified."

func validateVolumeISCSI(s *corev1.ISCSIVolumeSource, name string, namePath, path *field.Path) field.ErrorList {
	errs := iscsi{
		portal: s.TargetPortal, iqn: s.IQN, lun: s.Lun, auth: s.DiscoveryCHAPAuth || s.SessionCHAPAuth,
		secret: s.SecretRef != nil, initiator: s.InitiatorName, form: "must be valid format starting with iqn, eui, or naa",
	}.validate(path)
	if s.InitiatorName != nil && len(name+":"+s.TargetPortal) > 64 {
		errs = append(errs, field.Invalid(namePath, name, iscsiTooLong))
	}
	return errs
}

// ValidateCSIDriverName judges the name of a driver, which may have capitals.
func ValidateCSIDriverName(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	var errs field.ErrorList
	if len(name) > 63 {
		errs = append(errs, field.TooLong(path, "" /* not printed */, 63).WithOrigin("maxLength"))
	}
	return append(errs, fielderrors.Each(path, name, validation.IsDNS1123Subdomain(strings.ToLower(name))).WithOrigin("format=k8s-long-name-caseless")...)
}

func validateCSIVolume(s *corev1.CSIVolumeSource, path *field.Path) field.ErrorList {
	errs := ValidateCSIDriverName(s.Driver, path.Child("driver"))
	switch ref := s.NodePublishSecretRef; {
	case ref == nil:
	case ref.Name == "":
		errs = append(errs, field.Required(path.Child("nodePublishSecretRef", "name"), ""))
	default: // upstream reports it beside the reference
		errs = append(errs, fielderrors.Each(path.Child("name"), ref.Name, apivalidation.NameIsDNSSubdomain(ref.Name, false))...)
	}
	return errs
}

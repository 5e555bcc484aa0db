// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// addVolumes warns of kinds of volumes that are gone or going, and of files of a
// volume that lie in each other's way.
func (w *warnings) addVolumes(path *field.Path, volumes []corev1.Volume) {
	for i := range volumes {
		v, path := &volumes[i], path.Index(i)
		for _, old := range []struct {
			name, text string
			set        bool
		}{
			{"photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+", v.PhotonPersistentDisk != nil},
			{"gitRepo", "deprecated in v1.11, and disabled by default in v1.33+", v.GitRepo != nil},
			{"scaleIO", "deprecated in v1.16, non-functional in v1.22+", v.ScaleIO != nil},
			{"flocker", "deprecated in v1.22, non-functional in v1.25+", v.Flocker != nil},
			{"storageOS", "deprecated in v1.22, non-functional in v1.25+", v.StorageOS != nil},
			{"quobyte", "deprecated in v1.22, non-functional in v1.25+", v.Quobyte != nil},
			{"glusterfs", "deprecated in v1.25, non-functional in v1.26+", v.Glusterfs != nil},
			{"cephfs", "deprecated in v1.28, non-functional in v1.31+", v.CephFS != nil},
			{"rbd", "deprecated in v1.28, non-functional in v1.31+", v.RBD != nil},
		} {
			if old.set {
				w.addf(path.Child(old.name), "%s", old.text)
			}
		}
		if v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil {
			path, resources := path.Child("ephemeral", "volumeClaimTemplate", "spec", "resources"), &v.Ephemeral.VolumeClaimTemplate.Spec.Resources
			w.addFractions(path.Child("requests"), resources.Requests)
			w.addFractions(path.Child("limits"), resources.Limits)
		}
	}
	for i := range volumes {
		w.addOverlaps(&volumes[i])
	}
}

func (w *warnings) addOverlaps(v *corev1.Volume) {
	volume := fmt.Sprintf("volume %q", v.Name)
	if s := v.ConfigMap; s != nil {
		w.overlap(fmt.Sprintf("%s (ConfigMap %q)", volume, s.Name), keyPaths(s.Items))
	}
	if s := v.Secret; s != nil {
		w.overlap(fmt.Sprintf("%s (Secret %q)", volume, s.SecretName), keyPaths(s.Items))
	}
	if s := v.DownwardAPI; s != nil {
		w.overlap(volume+" (DownwardAPI)", filePaths(s.Items))
	}
	if v.Projected == nil {
		return
	}
	all := sets.Set[string]{}
	var own []string
	var what string
	for i := range v.Projected.Sources {
		s := &v.Projected.Sources[i]
		switch {
		case *s == corev1.VolumeProjection{}:
			*w = append(*w, volume+" (Projected) has no sources provided")
			continue
		case s.ConfigMap != nil && s.ConfigMap.Items != nil:
			own, what = keyPaths(s.ConfigMap.Items), fmt.Sprintf("ConfigMap %q", s.ConfigMap.Name)
		case s.Secret != nil && s.Secret.Items != nil:
			own, what = keyPaths(s.Secret.Items), fmt.Sprintf("Secret %q", s.Secret.Name)
		case s.DownwardAPI != nil && s.DownwardAPI.Items != nil:
			own, what = filePaths(s.DownwardAPI.Items), "DownwardAPI"
		case s.ServiceAccountToken != nil:
			own, what = []string{s.ServiceAccountToken.Path}, "ServiceAccountToken"
		case s.ClusterTrustBundle != nil:
			own, what = []string{s.ClusterTrustBundle.Path}, fmt.Sprintf("ClusterTrustBundle %q",
				ptr.Deref(s.ClusterTrustBundle.Name, ptr.Deref(s.ClusterTrustBundle.SignerName, "")))
		case s.PodCertificate != nil:
			own, what = certificatePaths(s.PodCertificate), fmt.Sprintf("PodCertificate %q", s.PodCertificate.SignerName)
		}
		if len(own) == 0 {
			continue
		}
		what := fmt.Sprintf("%s (Projected %s)", volume, what)
		w.overlap(what, own)
		unique := sets.New(own...)
		merged := append(unique.UnsortedList(), all.UnsortedList()...)
		slices.Sort(merged)
		w.overlap(what, merged)
		all = all.Union(unique)
	}
}

func keyPaths(items []corev1.KeyToPath) []string {
	var out []string
	for _, item := range items {
		out = append(out, item.Path)
	}
	return out
}

func filePaths(items []corev1.DownwardAPIVolumeFile) []string {
	var out []string
	for _, item := range items {
		out = append(out, item.Path)
	}
	return out
}

func certificatePaths(p *corev1.PodCertificateProjection) []string {
	return slices.DeleteFunc([]string{p.CredentialBundlePath, p.KeyPath, p.CertificateChainPath}, func(s string) bool { return s == "" })
}

// overlap warns of paths that are the same as, or below, one before them.
func (w *warnings) overlap(what string, paths []string) {
	var seen []string
	for _, path := range paths {
		path = strings.TrimRight(path, "/")
		for _, other := range seen {
			if path != "" && other != "" && (strings.HasPrefix(other+"/", path) || strings.HasPrefix(path+"/", other)) {
				*w = append(*w, fmt.Sprintf("%s: overlapping paths: %q with %q", what, path, other))
				break
			}
		}
		if !slices.Contains(seen, path) {
			seen = append(seen, path)
		}
	}
}

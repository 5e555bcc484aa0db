// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package noderestriction

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/stoa-project/stoa/apis/authentication"
	"github.com/stoa-project/stoa/apis/core/references"
)

// admitToken admits a token for a pod of the node, and for who the pod says.
func (p *plugin) admitToken(ctx context.Context, r *request) error {
	if r.GetOperation() != admission.Create || r.GetSubresource() != "token" {
		return nil
	}
	token, err := as[*authentication.TokenRequest](r, r.GetObject())
	if err != nil {
		return err
	}
	to := token.Spec.BoundObjectRef
	if to == nil || to.APIVersion != "v1" || to.Kind != "Pod" || to.Name == "" {
		return r.refuse("node requested token not bound to a pod")
	}
	if to.UID == "" {
		return r.refuse("node requested token with a pod binding without a uid")
	}
	pod, err := p.client.CoreV1().Pods(r.GetNamespace()).Get(ctx, to.Name, metav1.GetOptions{})
	if err != nil {
		return r.passOn(err)
	}
	if to.UID != pod.UID {
		return r.refuse("the UID in the bound object reference (%s) does not match the UID in record. The object might have been deleted and then recreated", to.UID)
	}
	if pod.Spec.NodeName != r.node {
		return r.refuse("node requested token bound to a pod scheduled on a different node")
	}
	if !p.audiences {
		return nil
	}
	if err := p.checkAudience(ctx, r, token.Spec.Audiences, pod); err != nil {
		return admission.NewForbidden(r, err)
	}
	return nil
}

// checkAudience wants an audience that a volume of the pod is for, or the right to ask
// for others.
func (p *plugin) checkAudience(ctx context.Context, r *request, audiences []string, pod *corev1.Pod) error {
	if len(audiences) > 1 {
		return errors.New("node may only request 0 or 1 audiences")
	}
	audience := ""
	if len(audiences) == 1 {
		audience = audiences[0]
	}
	used, err := p.usesAudience(ctx, pod, audience)
	if err != nil {
		return fmt.Errorf("error validating audience %q: %w", audience, err)
	}
	if used {
		return nil
	}
	user := r.GetUserInfo()
	decision, _, err := p.authz.Authorize(ctx, authorizer.AttributesRecord{
		User: user, Verb: "request-serviceaccounts-token-audience", APIVersion: "v1", Resource: audience,
		Namespace: r.GetNamespace(), Name: r.GetName(), ResourceRequest: true,
	})
	switch {
	case decision == authorizer.DecisionAllow: // a right may hold although others cannot be read
		return nil
	case err != nil:
		return fmt.Errorf("audience %q not found in pod spec volume, error authorizing %s to request tokens for this audience: %w", audience, user.GetName(), err)
	}
	return fmt.Errorf("audience %q not found in pod spec volume, %s is not authorized to request tokens for this audience", audience, user.GetName())
}

// usesAudience says whether a volume of a pod has a token for an audience, or has a
// driver that wants one. An error says that this is not known.
func (p *plugin) usesAudience(ctx context.Context, pod *corev1.Pod, audience string) (bool, error) {
	var errs []error
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if v.Projected != nil && slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool {
			return s.ServiceAccountToken != nil && s.ServiceAccountToken.Audience == audience
		}) {
			return true, nil
		}
		name, err := p.driverOf(ctx, pod, v)
		if err == nil && name != "" {
			var driver *storagev1.CSIDriver
			driver, err = p.client.StorageV1().CSIDrivers().Get(ctx, name, metav1.GetOptions{})
			if err == nil && slices.ContainsFunc(driver.Spec.TokenRequests, func(t storagev1.TokenRequest) bool { return t.Audience == audience }) {
				return true, nil
			}
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return false, utilerrors.NewAggregate(errs)
}

// driverOf returns the CSI driver of a volume, empty if it has none.
func (p *plugin) driverOf(ctx context.Context, pod *corev1.Pod, v *corev1.Volume) (string, error) {
	if v.CSI != nil {
		return v.CSI.Driver, nil
	}
	name := references.Claim(pod.Name, v)
	if name == "" {
		return migrated(inTree{
			v.AWSElasticBlockStore != nil, v.AzureDisk != nil, v.AzureFile != nil, v.Cinder != nil,
			v.GCEPersistentDisk != nil, v.PortworxVolume != nil, v.VsphereVolume != nil,
		}), nil
	}
	claim, err := p.client.CoreV1().PersistentVolumeClaims(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	volume, err := p.client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	spec := &volume.Spec
	if spec.CSI != nil {
		return spec.CSI.Driver, nil
	}
	return migrated(inTree{
		spec.AWSElasticBlockStore != nil, spec.AzureDisk != nil, spec.AzureFile != nil, spec.Cinder != nil,
		spec.GCEPersistentDisk != nil, spec.PortworxVolume != nil, spec.VsphereVolume != nil,
	}), nil
}

// inTree says which kind a volume is of those that Kubernetes gives to CSI drivers.
type inTree struct{ aws, azureDisk, azureFile, cinder, gce, portworx, vsphere bool }

// migrated returns the driver that a volume is given to, empty if it stays as it is.
func migrated(v inTree) string {
	switch {
	case v.aws:
		return "ebs.csi.aws.com"
	case v.azureDisk:
		return "disk.csi.azure.com"
	case v.azureFile:
		return "file.csi.azure.com"
	case v.cinder:
		return "cinder.csi.openstack.org"
	case v.gce:
		return "pd.csi.storage.gke.io"
	case v.portworx:
		return "pxd.portworx.com"
	case v.vsphere:
		return "csi.vsphere.vmware.com"
	}
	return ""
}

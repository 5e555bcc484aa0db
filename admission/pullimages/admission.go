// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package pullimages is the admission plugin AlwaysPullImages: nodes pull images for
// each pod anew, so that nobody runs one that he could not pull himself.
package pullimages

import (
	"context"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/apis/core"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "AlwaysPullImages"

type plugin struct{ *admission.Handler }

var (
	_ admission.MutationInterface   = (*plugin)(nil)
	_ admission.ValidationInterface = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{admission.NewHandler(admission.Create, admission.Update)}, nil
	})
}

// Admit implements admission.MutationInterface.
func (*plugin) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	pod, err := podOf(a)
	if err != nil || pod == nil {
		return err
	}
	images(&pod.Spec, func(_ string, policy *corev1.PullPolicy, _ *field.Path) { *policy = corev1.PullAlways })
	return nil
}

// Validate implements admission.ValidationInterface.
func (*plugin) Validate(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	pod, err := podOf(a)
	if err != nil || pod == nil {
		return err
	}
	var errs []error
	images(&pod.Spec, func(_ string, policy *corev1.PullPolicy, path *field.Path) {
		if *policy != corev1.PullAlways {
			errs = append(errs, admission.NewForbidden(a, field.NotSupported(path, *policy, []corev1.PullPolicy{corev1.PullAlways})))
		}
	})
	return utilerrors.NewAggregate(errs)
}

// podOf returns the pod of a request that may bring images, or nil.
func podOf(a admission.Attributes) (*core.Pod, error) {
	if a.GetResource().GroupResource() != core.Resource("pods") || a.GetSubresource() != "" {
		return nil, nil
	}
	pod, ok := a.GetObject().(*core.Pod)
	if !ok {
		return nil, apierrors.NewBadRequest("Resource was marked with kind Pod but was unable to be converted")
	}
	if old, ok := a.GetOldObject().(*core.Pod); ok && a.GetOperation() == admission.Update {
		if containerImages(&old.Spec).IsSuperset(containerImages(&pod.Spec)) {
			return nil, nil
		}
	}
	return pod, nil
}

// containerImages are the images that containers run.
func containerImages(spec *corev1.PodSpec) sets.Set[string] {
	out := sets.New[string]()
	containers(spec, func(image string, _ *corev1.PullPolicy, _ *field.Path) { out.Insert(image) })
	return out
}

type visitor func(image string, policy *corev1.PullPolicy, path *field.Path)

// images calls visit with all images of a pod.
func images(spec *corev1.PodSpec, visit visitor) {
	containers(spec, visit)
	for i := range spec.Volumes {
		if image := spec.Volumes[i].Image; image != nil {
			visit(image.Reference, &image.PullPolicy, field.NewPath("spec", "volumes").Index(i).Child("image", "pullPolicy"))
		}
	}
}

func containers(spec *corev1.PodSpec, visit visitor) {
	each := func(list []corev1.Container, name string) {
		for i := range list {
			visit(list[i].Image, &list[i].ImagePullPolicy, field.NewPath("spec", name).Index(i).Child("imagePullPolicy"))
		}
	}
	each(spec.InitContainers, "initContainers")
	each(spec.Containers, "containers")
	for i := range spec.EphemeralContainers {
		c := &spec.EphemeralContainers[i]
		visit(c.Image, &c.ImagePullPolicy, field.NewPath("spec", "ephemeralContainers").Index(i).Child("imagePullPolicy"))
	}
}

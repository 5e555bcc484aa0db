// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package pullimages_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/admission"

	"github.com/stoa-project/stoa/admission/admissiontest"
	"github.com/stoa-project/stoa/admission/pullimages"
	"github.com/stoa-project/stoa/apis/core"
)

func pod(image string) *core.Pod {
	return &core.Pod{Spec: corev1.PodSpec{
		InitContainers:      []corev1.Container{{Image: "init"}},
		Containers:          []corev1.Container{{Image: image, ImagePullPolicy: corev1.PullNever}},
		EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Image: "debug"}}},
		Volumes:             []corev1.Volume{{Name: "none"}, {VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "data"}}}},
	}}
}

func policies(p *core.Pod) [4]corev1.PullPolicy {
	return [4]corev1.PullPolicy{
		p.Spec.InitContainers[0].ImagePullPolicy, p.Spec.Containers[0].ImagePullPolicy,
		p.Spec.EphemeralContainers[0].ImagePullPolicy, p.Spec.Volumes[1].Image.PullPolicy,
	}
}

func TestPlugin(t *testing.T) {
	t.Parallel()
	pods := corev1.SchemeGroupVersion.WithResource("pods")
	p := admissiontest.Start(t, pullimages.Register, admissiontest.Plugin{})
	always, asWas := [4]corev1.PullPolicy{"Always", "Always", "Always", "Always"}, policies(pod("a"))
	for name, tc := range map[string]struct {
		request admissiontest.Request
		want    [4]corev1.PullPolicy
	}{
		"create":           {admissiontest.Request{Resource: pods}, always},
		"same images":      {admissiontest.Request{Old: pod("a"), Resource: pods}, asWas},
		"another image":    {admissiontest.Request{Old: pod("b"), Resource: pods}, always},
		"status":           {admissiontest.Request{Old: pod("b"), Resource: pods, Subresource: "status"}, asWas},
		"another resource": {admissiontest.Request{Resource: corev1.SchemeGroupVersion.WithResource("podtemplates")}, asWas},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			obj := pod("a")
			tc.request.Obj = obj
			admissiontest.Check(t, p.Do(t.Context(), tc.request), "")
			if got := policies(obj); got != tc.want {
				t.Errorf("policies %v, want %v", got, tc.want)
			}
		})
	}
	if err := p.Do(t.Context(), admissiontest.Request{Obj: &core.Node{}, Resource: pods}); !apierrors.IsBadRequest(err) ||
		err.Error() != "Resource was marked with kind Pod but was unable to be converted" {
		t.Errorf("error %v", err)
	}
}

// A plugin that comes later may not undo it.
func TestValidate(t *testing.T) {
	t.Parallel()
	plugins := admission.NewPlugins()
	pullimages.Register(plugins)
	made, err := plugins.InitPlugin("AlwaysPullImages", nil, admission.PluginInitializers{})
	if err != nil {
		t.Fatal(err)
	}
	obj := pod("a")
	obj.Spec.InitContainers, obj.Spec.EphemeralContainers = nil, nil
	a := admission.NewAttributesRecord(obj, nil, core.SchemeGroupVersion.WithKind("Pod"), "n", "x", corev1.SchemeGroupVersion.WithResource("pods"), "", admission.Create, nil, false, nil)
	err = made.(admission.ValidationInterface).Validate(t.Context(), a, nil)
	const want = `[pods "x" is forbidden: spec.containers[0].imagePullPolicy: Unsupported value: "Never": supported values: "Always", ` +
		`pods "x" is forbidden: spec.volumes[1].image.pullPolicy: Unsupported value: "": supported values: "Always"]`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package serviceaccount

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/stoa-project/stoa/apis/core"
)

// withAccounts returns a plugin whose informer has the accounts.
func withAccounts(t *testing.T, client *fake.Clientset, accounts ...*corev1.ServiceAccount) *plugin {
	t.Helper()
	factory := informers.NewSharedInformerFactory(client, 0)
	p := &plugin{
		Handler: admission.NewHandler(admission.Create, admission.Update),
		backoff: wait.Backoff{Duration: time.Millisecond, Steps: 3},
	}
	p.SetExternalKubeClientSet(client)
	p.SetExternalKubeInformerFactory(factory)
	if err := p.ValidateInitialization(); err != nil {
		t.Fatal(err)
	}
	for _, a := range accounts {
		if err := factory.Core().V1().ServiceAccounts().Informer().GetStore().Add(a); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func account(name string, change ...func(*corev1.ServiceAccount)) *corev1.ServiceAccount {
	out := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name}}
	for _, do := range change {
		do(out)
	}
	return out
}

func request(pod *core.Pod, operation admission.Operation, subresource string) admission.Attributes {
	return admission.NewAttributesRecord(pod, nil, corev1.SchemeGroupVersion.WithKind("Pod"), "n", pod.Name,
		corev1.SchemeGroupVersion.WithResource("pods"), subresource, operation, nil, false, nil)
}

func pod(spec corev1.PodSpec) *core.Pod {
	return &core.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p"}, Spec: spec}
}

// check compares what a plugin said with the end of a message; none wants no error.
func check(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error %v", err)
	case want != "" && (!apierrors.IsForbidden(err) || !strings.HasSuffix(err.Error(), want)):
		t.Errorf("error %v, want forbidden: %s", err, want)
	}
}

// A pod gets account, token and pull secrets, each unless it says something else.
func TestAdmit(t *testing.T) {
	t.Parallel()
	off := false
	own := corev1.VolumeMount{Name: "own", MountPath: mountPath}
	pull := []corev1.LocalObjectReference{{Name: "pull"}}
	quiet := account("quiet", func(a *corev1.ServiceAccount) { a.AutomountServiceAccountToken = &off; a.ImagePullSecrets = pull })
	for name, tc := range map[string]struct {
		spec corev1.PodSpec
		// mounts are what is mounted by container, those of init containers first; X
		// stands for what the plugin made.
		account string
		mounts  string
		volumes string
		pulls   []corev1.LocalObjectReference
	}{
		"nothing said": {
			spec:    corev1.PodSpec{InitContainers: make([]corev1.Container, 1), Containers: make([]corev1.Container, 1)},
			account: "default", mounts: "X X", volumes: "X",
		},
		"something is there already": {
			spec:    corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: []corev1.VolumeMount{own}}, {}}},
			account: "default", mounts: "own X", volumes: "X",
		},
		"everywhere": {
			spec:    corev1.PodSpec{Containers: []corev1.Container{{VolumeMounts: []corev1.VolumeMount{own}}}},
			account: "default", mounts: "own",
		},
		"a volume is there already": {
			spec:    corev1.PodSpec{Containers: make([]corev1.Container, 1), Volumes: []corev1.Volume{{Name: "kube-api-access-mine"}}},
			account: "default", mounts: "kube-api-access-mine", volumes: "kube-api-access-mine",
		},
		"the pod wants none": {
			spec:    corev1.PodSpec{Containers: make([]corev1.Container, 1), AutomountServiceAccountToken: &off},
			account: "default", mounts: "",
		},
		"the account wants none": {
			spec:    corev1.PodSpec{ServiceAccountName: "quiet", Containers: make([]corev1.Container, 1)},
			account: "quiet", pulls: pull,
		},
		"the pod decides": {
			spec: corev1.PodSpec{ServiceAccountName: "quiet", Containers: make([]corev1.Container, 1),
				AutomountServiceAccountToken: new(true), ImagePullSecrets: []corev1.LocalObjectReference{{Name: "other"}}},
			account: "quiet", mounts: "X", volumes: "X", pulls: []corev1.LocalObjectReference{{Name: "other"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, obj := withAccounts(t, fake.NewClientset(), account("default"), quiet), pod(tc.spec)
			check(t, p.Admit(t.Context(), request(obj, admission.Create, ""), nil), "")
			made := "X"
			if n := len(obj.Spec.Volumes); n > 0 && tc.volumes == "X" {
				made = obj.Spec.Volumes[n-1].Name
				if diff := cmp.Diff(tokenVolume(), obj.Spec.Volumes[n-1].Projected); diff != "" || len(made) != len(volumePrefix)+5 {
					t.Errorf("volume %q (-want +got):\n%s", made, diff)
				}
			}
			var mounts, volumes []string
			for _, c := range append(obj.Spec.InitContainers, obj.Spec.Containers...) {
				for _, m := range c.VolumeMounts {
					mounts = append(mounts, m.Name)
					if m.MountPath != mountPath || m.ReadOnly != (m.Name != "own") {
						t.Errorf("mount %+v", m)
					}
				}
			}
			for _, v := range obj.Spec.Volumes {
				volumes = append(volumes, v.Name)
			}
			got := []string{obj.Spec.ServiceAccountName, obj.Spec.DeprecatedServiceAccount, strings.Join(mounts, " "), strings.Join(volumes, " ")}
			want := []string{tc.account, tc.account, strings.ReplaceAll(tc.mounts, "X", made), strings.ReplaceAll(tc.volumes, "X", made)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("account, mounts, volumes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.pulls, obj.Spec.ImagePullSecrets); diff != "" {
				t.Errorf("pull secrets (-want +got):\n%s", diff)
			}
		})
	}
}

// An account that the informer has not got is asked for, the default one repeatedly.
func TestMissingAccount(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		account string
		stored  []runtime.Object
		after   int   // how many answers say that there is none
		fail    error // any other answer
		want    string
	}{
		"informer is late":   {account: "a", stored: []runtime.Object{account("a")}},
		"none":               {account: "a", want: `error looking up service account n/a: serviceaccount "a" not found`},
		"asked once":         {account: "a", stored: []runtime.Object{account("a")}, after: 1, want: `serviceaccount "a" not found`},
		"controller is late": {stored: []runtime.Object{account("default")}, after: 2},
		"never made":         {want: `error looking up service account n/default: serviceaccount "default" not found`},
		"failure":            {fail: errors.New("broken"), want: "error looking up service account n/default: broken"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := fake.NewClientset(tc.stored...)
			asked := 0
			client.PrependReactor("get", "serviceaccounts", func(clienttesting.Action) (bool, runtime.Object, error) {
				if tc.fail != nil {
					return true, nil, tc.fail
				}
				asked++
				return asked <= tc.after, nil, apierrors.NewNotFound(corev1.Resource("serviceaccounts"), "x")
			})
			obj := pod(corev1.PodSpec{ServiceAccountName: tc.account})
			check(t, withAccounts(t, client).Admit(t.Context(), request(obj, admission.Create, ""), nil), tc.want)
		})
	}
}

func secretVolume(name string) corev1.Volume {
	return corev1.Volume{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}}
}

func container(name, envSecret, fromSecret string) corev1.Container {
	ref := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	return corev1.Container{
		Name:    name,
		Env:     []corev1.EnvVar{{Name: "E", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref(envSecret)}}}, {Name: "F"}},
		EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref(fromSecret)}}, {}},
	}
}

// An account with the annotation lets pods have the secrets that it lists.
func TestMountableSecrets(t *testing.T) {
	t.Parallel()
	p := withAccounts(t, fake.NewClientset(), account("loose"), account("strict", func(a *corev1.ServiceAccount) {
		a.Annotations = map[string]string{enforceAnnotation: "true"}
		a.Secrets = []corev1.ObjectReference{{Name: "mine"}}
		a.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "pull"}}
	}))
	late := func(c corev1.Container) corev1.PodSpec {
		return corev1.PodSpec{EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon(c)}}}
	}
	const notAllowed = " is not allowed because service account strict does not reference that secret"
	for name, tc := range map[string]struct {
		spec   corev1.PodSpec
		update bool
		want   string
	}{
		"what the account has": {spec: corev1.PodSpec{
			Volumes: []corev1.Volume{secretVolume("mine"), {}}, Containers: []corev1.Container{container("c", "mine", "mine")},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}},
		}},
		"volume":              {spec: corev1.PodSpec{Volumes: []corev1.Volume{secretVolume("s")}}, want: `volume with secret.secretName="s"` + notAllowed},
		"init container":      {spec: corev1.PodSpec{InitContainers: []corev1.Container{container("i", "s", "s")}}, want: `init container i with envVar E referencing secret.secretName="s"` + notAllowed},
		"container":           {spec: corev1.PodSpec{Containers: []corev1.Container{container("c", "mine", "s")}}, want: `: container c with envFrom referencing secret.secretName="s"` + notAllowed},
		"pull secret":         {spec: corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{{Name: "s"}}}, want: `imagePullSecrets[0].name="s" is not allowed because service account strict does not reference that imagePullSecret`},
		"ephemeral container": {spec: late(container("e", "mine", "s")), update: true, want: `ephemeral container e with envFrom referencing secret.secretName="s"` + notAllowed},
		"only those of it": {update: true, spec: func() corev1.PodSpec {
			spec := late(container("e", "mine", "mine"))
			spec.Volumes = []corev1.Volume{secretVolume("s")}
			return spec
		}()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for account, want := range map[string]string{"strict": tc.want, "loose": ""} {
				obj := pod(tc.spec)
				obj.Spec.ServiceAccountName = account
				a := request(obj, admission.Create, "")
				if tc.update {
					a = request(obj, admission.Update, "ephemeralcontainers")
				}
				check(t, p.Validate(t.Context(), a, nil), want)
			}
		})
	}
}

// A mirror pod stays as its file says, and may have nothing of the API server.
func TestMirrorPod(t *testing.T) {
	t.Parallel()
	ref := &corev1.LocalObjectReference{Name: "s"}
	volume := func(source corev1.VolumeSource) corev1.PodSpec {
		return corev1.PodSpec{Volumes: []corev1.Volume{{VolumeSource: source}}}
	}
	projected := func(p corev1.VolumeProjection) corev1.PodSpec {
		return volume(corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{p}}})
	}
	const secrets = "a mirror pod may not reference secrets"
	for name, tc := range map[string]struct {
		spec corev1.PodSpec
		want string
	}{
		"nothing":     {spec: corev1.PodSpec{Containers: make([]corev1.Container, 1)}},
		"account":     {corev1.PodSpec{ServiceAccountName: "a"}, "a mirror pod may not reference service accounts"},
		"pull secret": {corev1.PodSpec{ImagePullSecrets: []corev1.LocalObjectReference{*ref}}, secrets},
		"environment": {corev1.PodSpec{Containers: []corev1.Container{container("c", "s", "")}}, secrets},
		"no name":     {spec: corev1.PodSpec{Containers: []corev1.Container{container("c", "", "")}}},
		"volume":      {volume(corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{NodePublishSecretRef: ref}}), secrets},
		"projection":  {projected(corev1.VolumeProjection{Secret: &corev1.SecretProjection{LocalObjectReference: *ref}}), secrets},
		"token":       {projected(corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{}}), "a mirror pod may not use ServiceAccountToken volume projections"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			obj := pod(tc.spec)
			obj.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
			before := obj.DeepCopy()
			check(t, withAccounts(t, fake.NewClientset()).Admit(t.Context(), request(obj, admission.Create, ""), nil), tc.want)
			if diff := cmp.Diff(before, obj); diff != "" {
				t.Errorf("changed (-before +after):\n%s", diff)
			}
		})
	}
}

// Other requests are not looked at, and a pod that lost its account is refused.
func TestOthers(t *testing.T) {
	t.Parallel()
	p := withAccounts(t, fake.NewClientset())
	for _, tc := range []struct {
		a    admission.Attributes
		do   func(context.Context, admission.Attributes, admission.ObjectInterfaces) error
		want string
	}{
		{a: request(pod(corev1.PodSpec{}), admission.Update, ""), do: p.Admit},
		{a: request(pod(corev1.PodSpec{}), admission.Update, "status"), do: p.Validate},
		{a: request(pod(corev1.PodSpec{}), admission.Create, "binding"), do: p.Admit},
		{a: request(pod(corev1.PodSpec{}), admission.Update, "ephemeralcontainers"), do: p.Validate, want: "no service account specified for pod n/p"},
	} {
		check(t, tc.do(t.Context(), tc.a, nil), tc.want)
	}
}

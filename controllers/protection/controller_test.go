// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package protection_test

import (
	"context"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/stoatest"
)

// eventually waits until something is true. Only a failing test waits long.
func eventually(t *testing.T, what string, is func(ctx context.Context) (bool, error)) {
	t.Helper()
	if err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, time.Minute, true, is); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func claim(name string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}}
}

func volume(name string) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeSpec{
		Capacity:                      corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
		AccessModes:                   []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
		PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/" + name}},
	}}
}

// pod has a volume v, on a node if one is named.
func pod(name, node string, v corev1.VolumeSource) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{
		NodeName: node, Containers: []corev1.Container{{Name: "c", Image: "i"}}, Volumes: []corev1.Volume{{Name: "v", VolumeSource: v}},
	}}
}

func ofClaim(name string) corev1.VolumeSource {
	return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}
}

func ephemeral() corev1.VolumeSource {
	return corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{Spec: claim("").Spec}}}
}

// world has a client, and what most tests do with it.
type world struct {
	*testing.T

	client kubernetes.Interface
}

func newWorld(t *testing.T, flags ...string) world {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a server")
	}
	return world{t, kubernetes.NewForConfigOrDie(stoatest.Start(t, stoatest.WithFlags(flags...)).Config())}
}

func (w world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w world) makeClaim(c *corev1.PersistentVolumeClaim) {
	w.Helper()
	_, err := w.client.CoreV1().PersistentVolumeClaims("default").Create(w.Context(), c, metav1.CreateOptions{})
	w.must(err)
}

func (w world) makePod(p *corev1.Pod) *corev1.Pod {
	w.Helper()
	made, err := w.client.CoreV1().Pods("default").Create(w.Context(), p, metav1.CreateOptions{})
	w.must(err)
	return made
}

func (w world) killPod(name string) {
	w.Helper()
	w.must(w.client.CoreV1().Pods("default").Delete(w.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}))
}

func (w world) deleteClaim(name string) {
	w.Helper()
	w.must(w.client.CoreV1().PersistentVolumeClaims("default").Delete(w.Context(), name, metav1.DeleteOptions{}))
}

func (w world) claimGoes(name string) {
	w.Helper()
	eventually(w.T, "claim "+name+" goes", func(ctx context.Context) (bool, error) {
		_, err := w.client.CoreV1().PersistentVolumeClaims("default").Get(ctx, name, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}

// claimStays has the controller look at a claim, and then at another one, which goes.
func (w world) claimStays(name string) {
	w.Helper()
	w.makeClaim(claim(name + "-after"))
	w.deleteClaim(name + "-after")
	w.claimGoes(name + "-after")
	got, err := w.client.CoreV1().PersistentVolumeClaims("default").Get(w.Context(), name, metav1.GetOptions{})
	w.must(err)
	if want := []string{"kubernetes.io/pvc-protection"}; got.DeletionTimestamp == nil || !slices.Equal(got.Finalizers, want) {
		w.Errorf("claim %s: %+v", name, got.ObjectMeta)
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	w := newWorld(t)

	w.makeClaim(claim("free"))
	w.deleteClaim("free")
	w.claimGoes("free")

	w.makeClaim(claim("waiting"))
	w.makePod(pod("nowhere", "", ofClaim("waiting")))
	w.deleteClaim("waiting")
	w.claimGoes("waiting")

	w.makeClaim(claim("used"))
	w.makePod(pod("one", "n", ofClaim("used")))
	w.makePod(pod("two", "n", ofClaim("used")))
	w.deleteClaim("used")
	w.claimStays("used")
	w.killPod("one")
	w.claimStays("used")
	w.killPod("two")
	w.claimGoes("used")

	owner := w.makePod(pod("owner", "n", ephemeral()))
	foreign, own := claim("other-v"), claim("owner-v")
	own.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("Pod"))}
	w.makeClaim(foreign)
	w.makePod(pod("other", "n", ephemeral()))
	w.deleteClaim("other-v") // of the name that the volume wants, but not its own
	w.claimGoes("other-v")
	w.makeClaim(own)
	w.deleteClaim("owner-v")
	w.claimStays("owner-v")
	// A pod that only waits for somebody's finalizer is done with its volumes.
	owner.Finalizers = []string{"example.com/wait"}
	_, err := w.client.CoreV1().Pods("default").Update(t.Context(), owner, metav1.UpdateOptions{})
	w.must(err)
	w.killPod("owner")
	w.claimGoes("owner-v")
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	volumes := w.client.CoreV1().PersistentVolumes()
	goes := func(name string) {
		eventually(t, "volume "+name+" goes", func(ctx context.Context) (bool, error) {
			_, err := volumes.Get(ctx, name, metav1.GetOptions{})
			return apierrors.IsNotFound(err), nil
		})
	}
	setPhase := func(name string, phase corev1.PersistentVolumePhase) {
		got, err := volumes.Get(t.Context(), name, metav1.GetOptions{})
		w.must(err)
		got.Status.Phase = phase
		_, err = volumes.UpdateStatus(t.Context(), got, metav1.UpdateOptions{})
		w.must(err)
	}
	for _, name := range []string{"bound", "free"} {
		_, err := volumes.Create(t.Context(), volume(name), metav1.CreateOptions{})
		w.must(err)
	}
	setPhase("bound", corev1.VolumeBound)
	for _, name := range []string{"bound", "free"} {
		w.must(volumes.Delete(t.Context(), name, metav1.DeleteOptions{}))
	}
	goes("free")
	_, err := volumes.Get(t.Context(), "bound", metav1.GetOptions{})
	w.must(err)
	setPhase("bound", corev1.VolumeReleased)
	goes("bound")
}

func TestClasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	classes := w.client.StorageV1().VolumeAttributesClasses()
	goes := func(name string) {
		t.Helper()
		eventually(t, "class "+name+" goes", func(ctx context.Context) (bool, error) {
			_, err := classes.Get(ctx, name, metav1.GetOptions{})
			return apierrors.IsNotFound(err), nil
		})
	}
	for _, name := range []string{"gold", "silver", "free", "later"} {
		class := &storagev1.VolumeAttributesClass{ObjectMeta: metav1.ObjectMeta{Name: name}, DriverName: "csi.example.com", Parameters: map[string]string{"iops": "1"}}
		_, err := classes.Create(t.Context(), class, metav1.CreateOptions{})
		w.must(err)
	}
	ofClass := claim("c")
	ofClass.Spec.VolumeAttributesClassName = new("gold")
	w.makeClaim(ofClass)
	ofVolume := volume("v")
	ofVolume.Spec.PersistentVolumeSource = corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "csi.example.com", VolumeHandle: "1"}}
	ofVolume.Spec.VolumeAttributesClassName = new("silver")
	_, err := w.client.CoreV1().PersistentVolumes().Create(t.Context(), ofVolume, metav1.CreateOptions{})
	w.must(err)
	stays := func(name, after string) {
		t.Helper()
		w.must(classes.Delete(t.Context(), after, metav1.DeleteOptions{}))
		goes(after)
		_, err := classes.Get(t.Context(), name, metav1.GetOptions{})
		w.must(err)
	}
	w.must(classes.Delete(t.Context(), "gold", metav1.DeleteOptions{}))
	stays("gold", "free")
	w.deleteClaim("c")
	goes("gold")
	w.must(classes.Delete(t.Context(), "silver", metav1.DeleteOptions{}))
	stays("silver", "later")
	w.must(w.client.CoreV1().PersistentVolumes().Delete(t.Context(), "v", metav1.DeleteOptions{}))
	goes("silver")
}

// What was made without the admission plugin gets the finalizers, and a namespace with
// claims goes.
func TestFinalizers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "--disable-admission-plugins=StorageObjectInUseProtection")
	w.makeClaim(claim("c"))
	_, err := w.client.CoreV1().PersistentVolumes().Create(t.Context(), volume("v"), metav1.CreateOptions{})
	w.must(err)
	eventually(t, "the claim gets its finalizer", func(ctx context.Context) (bool, error) {
		got, err := w.client.CoreV1().PersistentVolumeClaims("default").Get(ctx, "c", metav1.GetOptions{})
		return err == nil && slices.Equal(got.Finalizers, []string{"kubernetes.io/pvc-protection"}), err
	})
	eventually(t, "the volume gets its finalizer", func(ctx context.Context) (bool, error) {
		got, err := w.client.CoreV1().PersistentVolumes().Get(ctx, "v", metav1.GetOptions{})
		return err == nil && slices.Equal(got.Finalizers, []string{"kubernetes.io/pv-protection"}), err
	})

	_, err = w.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, metav1.CreateOptions{})
	w.must(err)
	_, err = w.client.CoreV1().PersistentVolumeClaims("shop").Create(t.Context(), claim("c"), metav1.CreateOptions{})
	w.must(err)
	w.must(w.client.CoreV1().Namespaces().Delete(t.Context(), "shop", metav1.DeleteOptions{}))
	eventually(t, "the namespace goes", func(ctx context.Context) (bool, error) {
		_, err := w.client.CoreV1().Namespaces().Get(ctx, "shop", metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package serviceaccount is the admission plugin ServiceAccount: it gives a new pod
// the account that it runs as, the token of that account and the secrets with which
// its images are pulled, and keeps it from the secrets that the account may not have.
package serviceaccount

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/storage/names"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/stoa-project/stoa/apis/core"
)

const (
	// PluginName is what --enable-admission-plugins calls it.
	PluginName = "ServiceAccount"
	// Default is the account of a pod that names none.
	Default = "default"
	// enforceAnnotation on an account forbids its pods all secrets but its own.
	enforceAnnotation = "kubernetes.io/enforce-mountable-secrets"
)

const (
	volumePrefix = "kube-api-access-"
	mountPath    = "/var/run/secrets/kubernetes.io/serviceaccount"
)

type plugin struct {
	*admission.Handler
	client   kubernetes.Interface
	accounts corelisters.ServiceAccountLister
	// backoff is how the default account of a new namespace is waited for.
	backoff wait.Backoff
}

var (
	_ admission.MutationInterface                                  = (*plugin)(nil)
	_ admission.ValidationInterface                                = (*plugin)(nil)
	_ admission.InitializationValidator                            = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeClientSet       = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeInformerFactory = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{
			Handler: admission.NewHandler(admission.Create, admission.Update),
			// Somewhat more than a second in all: the controller is quick.
			backoff: wait.Backoff{Duration: 10 * time.Millisecond, Factor: 1.6, Jitter: 0.2, Steps: 10},
		}, nil
	})
}

// SetExternalKubeClientSet implements WantsExternalKubeClientSet.
func (p *plugin) SetExternalKubeClientSet(client kubernetes.Interface) { p.client = client }

// SetExternalKubeInformerFactory implements WantsExternalKubeInformerFactory.
func (p *plugin) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	informer := factory.Core().V1().ServiceAccounts()
	p.accounts = informer.Lister()
	p.SetReadyFunc(informer.Informer().HasSynced)
}

// ValidateInitialization implements admission.InitializationValidator.
func (p *plugin) ValidateInitialization() error {
	if p.client == nil || p.accounts == nil {
		return errors.New(PluginName + " plugin needs a client and a lister of service accounts")
	}
	return nil
}

// podOf returns the pod of a request that matters, or nil.
func podOf(a admission.Attributes) *core.Pod {
	if a.GetResource().GroupResource() != core.Resource("pods") {
		return nil
	}
	pod, _ := a.GetObject().(*core.Pod)
	switch {
	case a.GetOperation() == admission.Create && a.GetSubresource() == "",
		a.GetOperation() == admission.Update && a.GetSubresource() == "ephemeralcontainers":
		return pod
	}
	return nil
}

// Admit implements admission.MutationInterface.
func (p *plugin) Admit(ctx context.Context, a admission.Attributes, o admission.ObjectInterfaces) error {
	pod := podOf(a)
	if pod == nil || a.GetOperation() != admission.Create {
		return nil
	}
	// The kubelet compares a mirror pod with its file, and deletes one that differs.
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return p.Validate(ctx, a, o)
	}
	if pod.Spec.ServiceAccountName == "" {
		pod.Spec.ServiceAccountName = Default
	}
	pod.Spec.DeprecatedServiceAccount = pod.Spec.ServiceAccountName
	account, err := p.accountOf(ctx, pod, a)
	if err != nil {
		return err
	}
	if automount(account, pod) {
		mountToken(&pod.Spec)
	}
	if len(pod.Spec.ImagePullSecrets) == 0 {
		pod.Spec.ImagePullSecrets = slices.Clone(account.ImagePullSecrets)
	}
	return p.Validate(ctx, a, o)
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	pod := podOf(a)
	if pod == nil {
		return nil
	}
	create := a.GetOperation() == admission.Create
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror && create {
		return forbidden(a, validateMirror(&pod.Spec))
	}
	if pod.Spec.ServiceAccountName == "" {
		return forbidden(a, fmt.Errorf("no service account specified for pod %s/%s", a.GetNamespace(), pod.Name))
	}
	account, err := p.accountOf(ctx, pod, a)
	if err != nil {
		return err
	}
	if enforce, _ := strconv.ParseBool(account.Annotations[enforceAnnotation]); !enforce {
		return nil
	}
	if create {
		return forbidden(a, limitSecrets(account, &pod.Spec))
	}
	return forbidden(a, limitEphemeral(account, &pod.Spec))
}

// forbidden refuses a request for a reason, if there is one.
func forbidden(a admission.Attributes, reason error) error {
	if reason == nil {
		return nil
	}
	return admission.NewForbidden(a, reason)
}

func (p *plugin) accountOf(ctx context.Context, pod *core.Pod, a admission.Attributes) (*corev1.ServiceAccount, error) {
	account, err := p.account(ctx, a.GetNamespace(), pod.Spec.ServiceAccountName)
	if err != nil {
		return nil, admission.NewForbidden(a, fmt.Errorf("error looking up service account %s/%s: %w", a.GetNamespace(), pod.Spec.ServiceAccountName, err))
	}
	return account, nil
}

// account finds an account that the informer may not have yet, and waits a little for
// the default one, which a controller makes in new namespaces.
func (p *plugin) account(ctx context.Context, namespace, name string) (*corev1.ServiceAccount, error) {
	account, err := p.accounts.ServiceAccounts(namespace).Get(name)
	if !apierrors.IsNotFound(err) {
		return account, err
	}
	backoff := p.backoff
	if name != Default {
		backoff.Steps = 1
	}
	err = wait.ExponentialBackoffWithContext(ctx, backoff, func(ctx context.Context) (bool, error) {
		var err error
		account, err = p.client.CoreV1().ServiceAccounts(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
	if wait.Interrupted(err) {
		err = apierrors.NewNotFound(core.Resource("serviceaccount"), name)
	}
	return account, err
}

// automount says whether a pod gets the token: the pod decides, else its account.
func automount(account *corev1.ServiceAccount, pod *core.Pod) bool {
	for _, choice := range []*bool{pod.Spec.AutomountServiceAccountToken, account.AutomountServiceAccountToken} {
		if choice != nil {
			return *choice
		}
	}
	return true
}

// mountToken mounts the token where nothing else is mounted.
func mountToken(spec *corev1.PodSpec) {
	i := slices.IndexFunc(spec.Volumes, func(v corev1.Volume) bool { return strings.HasPrefix(v.Name, volumePrefix) })
	mount := corev1.VolumeMount{ReadOnly: true, MountPath: mountPath}
	if i >= 0 {
		mount.Name = spec.Volumes[i].Name
	} else {
		mount.Name = names.SimpleNameGenerator.GenerateName(volumePrefix)
	}
	used := false
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for j := range list {
			taken := func(m corev1.VolumeMount) bool { return m.MountPath == mountPath }
			if !slices.ContainsFunc(list[j].VolumeMounts, taken) {
				list[j].VolumeMounts = append(list[j].VolumeMounts, mount)
				used = true
			}
		}
	}
	if used && i < 0 {
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: mount.Name, VolumeSource: corev1.VolumeSource{Projected: tokenVolume()}})
	}
}

// tokenVolume holds what a client in a pod needs: token, authority and namespace.
func tokenVolume() *corev1.ProjectedVolumeSource {
	return &corev1.ProjectedVolumeSource{
		DefaultMode: new(corev1.ProjectedVolumeSourceDefaultMode),
		Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: new(int64(core.PodTokenSeconds))}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
				Items:                []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
			}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
				Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.namespace"},
			}}}},
		},
	}
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package core

import (
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage"
	storeerr "k8s.io/apiserver/pkg/storage/errors"
	"k8s.io/apiserver/pkg/util/dryrun"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/core/validation"
	"github.com/stoa-project/stoa/registry/kind"
)

// bindingREST serves create on pods/binding, by which the scheduler says where a pod
// is to run.
type bindingREST struct{ pods *kind.REST }

// namelessBindingREST serves the same at /bindings, where the name is in the object.
type namelessBindingREST struct{ *bindingREST }

var (
	_ rest.NamedCreater         = (*bindingREST)(nil)
	_ rest.Creater              = namelessBindingREST{}
	_ rest.Scoper               = (*bindingREST)(nil)
	_ rest.SingularNameProvider = (*bindingREST)(nil)
)

func (r *bindingREST) New() runtime.Object { return &core.Binding{} }

// Destroy does nothing: the main endpoint destroys the store.
func (r *bindingREST) Destroy() {}

func (r *bindingREST) NamespaceScoped() bool { return true }

func (r *bindingREST) GetSingularName() string { return "binding" }

// Create serves bindings whose path does not name the pod.
func (r namelessBindingREST) Create(ctx context.Context, obj runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	return r.bindingREST.Create(ctx, obj.(*core.Binding).Name, obj, validate, options)
}

// Create implements rest.NamedCreater.
func (r *bindingREST) Create(ctx context.Context, name string, obj runtime.Object, validate rest.ValidateObjectFunc, options *metav1.CreateOptions) (runtime.Object, error) {
	binding := obj.(*core.Binding)
	if name != binding.Name {
		return nil, apierrors.NewBadRequest("name in URL does not match name in Binding object")
	}
	// Upstream returns these as they are, and clients get an internal error.
	if errs := validation.ValidatePodBinding((*corev1.Binding)(binding)); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	if validate != nil {
		if err := validate(ctx, binding.DeepCopyObject()); err != nil {
			return nil, err
		}
	}
	if err := r.bind(ctx, binding, dryrun.IsDryRun(options.DryRun)); err != nil {
		return nil, err
	}
	return &metav1.Status{Status: metav1.StatusSuccess}, nil
}

func (r *bindingREST) bind(ctx context.Context, binding *core.Binding, dryRun bool) error {
	key, err := r.pods.KeyFunc(ctx, binding.Name)
	if err != nil {
		return err
	}
	var preconditions *storage.Preconditions
	if binding.UID != "" || binding.ResourceVersion != "" {
		preconditions = &storage.Preconditions{}
		if binding.UID != "" {
			preconditions.UID = &binding.UID
		}
		if binding.ResourceVersion != "" {
			preconditions.ResourceVersion = &binding.ResourceVersion
		}
	}
	update := storage.SimpleUpdate(func(obj runtime.Object) (runtime.Object, error) {
		pod := obj.(*core.Pod)
		return pod, bindTo(pod, binding)
	})
	err = r.pods.Storage.GuaranteedUpdate(ctx, key, &core.Pod{}, false, preconditions, update, dryRun, nil)
	if err == nil {
		return nil
	}
	err = storeerr.InterpretGetError(err, core.Resource("pods"), binding.Name)
	err = storeerr.InterpretUpdateError(err, core.Resource("pods"), binding.Name)
	if status := (*apierrors.StatusError)(nil); !errors.As(err, &status) {
		err = apierrors.NewConflict(core.Resource("pods/binding"), binding.Name, err)
	}
	return err
}

// bindTo gives a pod its node and the labels and annotations of the binding.
func bindTo(pod *core.Pod, binding *core.Binding) error {
	switch {
	case pod.DeletionTimestamp != nil:
		return fmt.Errorf("pod %s is being deleted, cannot be assigned to a host", pod.Name)
	case pod.Spec.NodeName != "":
		return fmt.Errorf("pod %v is already assigned to node %q", pod.Name, pod.Spec.NodeName)
	case len(pod.Spec.SchedulingGates) > 0:
		return fmt.Errorf("pod %v has non-empty .spec.schedulingGates", pod.Name)
	}
	pod.Spec.NodeName = binding.Target.Name
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	maps.Copy(pod.Annotations, binding.Annotations)
	if len(binding.Labels) > 0 && pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	maps.Copy(pod.Labels, binding.Labels)
	setPodCondition(&pod.Status, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue})
	pod.Status.NominatedNodeName = "" // it has one by now
	return nil
}

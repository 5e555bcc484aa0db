// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package priority is the admission plugin Priority: it turns the class that a pod
// names into a number and a preemption policy, and keeps the default class unique.
package priority

import (
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/client-go/informers"
	schedulinglisters "k8s.io/client-go/listers/scheduling/v1"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/scheduling"
)

// PluginName is what --enable-admission-plugins calls it.
const PluginName = "Priority"

type plugin struct {
	*admission.Handler
	classes schedulinglisters.PriorityClassLister
}

var (
	_ admission.MutationInterface                                  = (*plugin)(nil)
	_ admission.ValidationInterface                                = (*plugin)(nil)
	_ admission.InitializationValidator                            = (*plugin)(nil)
	_ genericadmissioninitializer.WantsExternalKubeInformerFactory = (*plugin)(nil)
)

// Register adds the plugin to those that can be enabled.
func Register(plugins *admission.Plugins) {
	plugins.Register(PluginName, func(io.Reader) (admission.Interface, error) {
		return &plugin{Handler: admission.NewHandler(admission.Create, admission.Update)}, nil
	})
}

// SetExternalKubeInformerFactory implements WantsExternalKubeInformerFactory.
func (p *plugin) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	informer := factory.Scheduling().V1().PriorityClasses()
	p.classes = informer.Lister()
	p.SetReadyFunc(informer.Informer().HasSynced)
}

// ValidateInitialization implements admission.InitializationValidator.
func (p *plugin) ValidateInitialization() error {
	if p.classes == nil {
		return errors.New("no lister of priority classes")
	}
	return nil
}

// Admit implements admission.MutationInterface.
func (p *plugin) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetResource().GroupResource() != core.Resource("pods") || a.GetSubresource() != "" {
		return nil
	}
	if !p.WaitForReady() {
		return admission.NewForbidden(a, errors.New("not yet ready to handle request"))
	}
	pod, ok := a.GetObject().(*core.Pod)
	if !ok {
		return apierrors.NewBadRequest("resource was marked with kind Pod but was unable to be converted")
	}
	if a.GetOperation() == admission.Update {
		return keep(pod, a)
	}
	return p.resolve(pod, a)
}

// keep gives an update the priority of the pod if it leaves it out. Validation
// refuses another one.
func keep(pod *core.Pod, a admission.Attributes) error {
	old, ok := a.GetOldObject().(*core.Pod)
	if !ok {
		return apierrors.NewBadRequest("resource was marked with kind Pod but was unable to be converted")
	}
	if pod.Spec.Priority == nil {
		pod.Spec.Priority = old.Spec.Priority
	}
	if pod.Spec.PreemptionPolicy == nil {
		pod.Spec.PreemptionPolicy = old.Spec.PreemptionPolicy
	}
	return nil
}

// resolve sets what the class of a new pod says.
func (p *plugin) resolve(pod *core.Pod, a admission.Attributes) error {
	class, err := p.classOf(pod, a)
	if err != nil {
		return err
	}
	value, policy := int32(0), corev1.PreemptLowerPriority
	if class != nil {
		pod.Spec.PriorityClassName, value = class.Name, class.Value
		if class.PreemptionPolicy != nil {
			policy = *class.PreemptionPolicy
		}
	}
	if given := pod.Spec.Priority; given != nil && *given != value {
		return admission.NewForbidden(a, fmt.Errorf("the integer value of priority (%d) must not be provided in pod spec; priority admission controller computed %d from the given PriorityClass name", *given, value))
	}
	if given := pod.Spec.PreemptionPolicy; given != nil && *given != policy {
		return admission.NewForbidden(a, fmt.Errorf("the string value of PreemptionPolicy (%s) must not be provided in pod spec; priority admission controller computed %s from the given PriorityClass name", *given, policy))
	}
	pod.Spec.Priority, pod.Spec.PreemptionPolicy = &value, &policy
	return nil
}

// classOf returns the class that a pod names, or the default one; nil if there is
// none.
func (p *plugin) classOf(pod *core.Pod, a admission.Attributes) (*schedulingv1.PriorityClass, error) {
	if pod.Spec.PriorityClassName == "" {
		return p.defaultClass()
	}
	class, err := p.classes.Get(pod.Spec.PriorityClassName)
	switch {
	case apierrors.IsNotFound(err):
		return nil, admission.NewForbidden(a, fmt.Errorf("no PriorityClass with name %v was found", pod.Spec.PriorityClassName))
	case err != nil:
		return nil, fmt.Errorf("failed to get PriorityClass with name %s: %w", pod.Spec.PriorityClassName, err)
	}
	return class, nil
}

// defaultClass returns the lowest of the default classes: there can be two after a
// race.
func (p *plugin) defaultClass() (*schedulingv1.PriorityClass, error) {
	all, err := p.classes.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	var out *schedulingv1.PriorityClass
	for _, class := range all {
		if class.GlobalDefault && (out == nil || class.Value < out.Value) {
			out = class
		}
	}
	return out, nil
}

// Validate implements admission.ValidationInterface.
func (p *plugin) Validate(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	if a.GetResource().GroupResource() != scheduling.Resource("priorityclasses") || a.GetSubresource() != "" {
		return nil
	}
	if !p.WaitForReady() {
		return admission.NewForbidden(a, errors.New("not yet ready to handle request"))
	}
	class, ok := a.GetObject().(*scheduling.PriorityClass)
	if !ok {
		return apierrors.NewBadRequest("resource was marked with kind PriorityClass but was unable to be converted")
	}
	if !class.GlobalDefault {
		return nil
	}
	present, err := p.defaultClass()
	if err != nil {
		return fmt.Errorf("failed to get default priority class: %w", err)
	}
	if present != nil && (a.GetOperation() == admission.Create || present.Name != class.Name) {
		return admission.NewForbidden(a, fmt.Errorf("PriorityClass %v is already marked as default. Only one default can exist", present.Name))
	}
	return nil
}

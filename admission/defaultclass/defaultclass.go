// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package defaultclass is what the admission plugins have in common that give an object
// the default class of its kind.
package defaultclass

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// Plugin gives new objects the newest of the default classes. C is what the informer of
// classes has.
type Plugin[C metav1.Object] struct {
	*admission.Handler
	// Informer returns the informer of classes.
	Informer func(informers.SharedInformerFactory) cache.SharedIndexInformer
	// Lacks returns what sets the class of the object of a request; nil if the request
	// does not matter or the object has one.
	Lacks func(admission.Attributes) (set func(class string), err error)
	// Marked says whether a class is a default one.
	Marked func(C) bool

	classes cache.Indexer
}

var (
	_ admission.MutationInterface                                  = (*Plugin[metav1.Object])(nil)
	_ admission.InitializationValidator                            = (*Plugin[metav1.Object])(nil)
	_ genericadmissioninitializer.WantsExternalKubeInformerFactory = (*Plugin[metav1.Object])(nil)
)

// SetExternalKubeInformerFactory implements WantsExternalKubeInformerFactory.
func (p *Plugin[C]) SetExternalKubeInformerFactory(factory informers.SharedInformerFactory) {
	informer := p.Informer(factory)
	p.classes = informer.GetIndexer()
	p.SetReadyFunc(informer.HasSynced)
}

// ValidateInitialization implements admission.InitializationValidator.
func (p *Plugin[C]) ValidateInitialization() error {
	if p.classes == nil {
		return errors.New("missing lister")
	}
	return nil
}

// Admit implements admission.MutationInterface.
func (p *Plugin[C]) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	set, err := p.Lacks(a)
	if err != nil || set == nil {
		return err
	}
	if !p.WaitForReady() {
		return admission.NewForbidden(a, errors.New("not yet ready to handle request"))
	}
	var newest metav1.Object
	err = cache.ListAll(p.classes, labels.Everything(), func(obj any) {
		if class, ok := obj.(C); ok && p.Marked(class) && (newest == nil || newer(class, newest)) {
			newest = class
		}
	})
	if err != nil {
		return admission.NewForbidden(a, err)
	}
	if newest != nil {
		set(newest.GetName())
	}
	return nil
}

// newer says which of two default classes holds: the newer one, so that one can be
// replaced without a time in which there is none.
func newer(class, than metav1.Object) bool {
	made, before := class.GetCreationTimestamp(), than.GetCreationTimestamp()
	return before.Before(&made) || before.Equal(&made) && class.GetName() < than.GetName()
}

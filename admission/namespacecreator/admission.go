// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package namespacecreator is the admission plugin NamespaceCreator, which only Stoa has:
// an annotation of each new namespace says who created it, and another one whether that was
// as a project, and nobody can change them.
//
// The first says the name of the user and no more. Rules of RBAC know users by their names, few
// users have a UID, and groups would be those of one moment.
package namespacecreator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/warning"

	"github.com/stoa-project/stoa/apis/core"
	"github.com/stoa-project/stoa/apis/tenancy"
)

const (
	// PluginName is what --enable-admission-plugins calls it.
	PluginName = "NamespaceCreator"
	// Annotation of a namespace is the name of the user who created it.
	Annotation = "tenancy.stoa.dev/creator"
)

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

// annotation is one that the plugin writes.
type annotation struct{ key, says string }

func annotations() [2]annotation {
	return [2]annotation{{Annotation, "who created the namespace"}, {tenancy.ProjectAnnotation, "whether the namespace was created as a project"}}
}

// Admit implements admission.MutationInterface. What a new namespace says of its creation
// does not count, so that a copy of another namespace can be created. Later, who leaves
// an annotation out, as a manifest does, keeps it.
func (p *plugin) Admit(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	namespace, all, err := examine(a)
	if namespace == nil || err != nil {
		return err
	}
	given, update := marksOf(namespace), a.GetOperation() == admission.Update
	for i, of := range annotations() {
		want := all[i]
		if given[i] == want || update && given[i].there {
			continue // Validate refuses what changes it
		}
		if update || given[i].there {
			warning.AddWarning(ctx, "", "metadata.annotations["+of.key+"]: set by the server, which says there "+of.says)
		}
		if !want.there {
			delete(namespace.Annotations, of.key)
			continue
		}
		if namespace.Annotations == nil {
			namespace.Annotations = map[string]string{}
		}
		namespace.Annotations[of.key] = want.value
	}
	return nil
}

// Validate implements admission.ValidationInterface. It also sees what other plugins have
// changed.
func (p *plugin) Validate(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	namespace, all, err := examine(a)
	if namespace == nil || err != nil {
		return err
	}
	given := marksOf(namespace)
	for i, of := range annotations() {
		if given[i] != all[i] {
			return admission.NewForbidden(a, errors.New("metadata.annotations["+of.key+"] says "+of.says+" and may not be changed"))
		}
	}
	return nil
}

// mark is what an annotation says, if it is there, and marks are those of a namespace.
type (
	mark struct {
		value string
		there bool
	}
	marks [2]mark
)

func marksOf(namespace *core.Namespace) (out marks) {
	for i, of := range annotations() {
		out[i].value, out[i].there = namespace.Annotations[of.key]
	}
	return out
}

// examine returns the namespace that a request writes, at whichever endpoint, and how it
// must be marked.
func examine(a admission.Attributes) (*core.Namespace, marks, error) {
	if a.GetResource().GroupResource() != core.Resource("namespaces") {
		return nil, marks{}, nil
	}
	namespace, err := namespaceOf(a.GetObject())
	if err != nil {
		return nil, marks{}, err
	}
	if a.GetOperation() == admission.Update {
		old, err := namespaceOf(a.GetOldObject())
		if err != nil {
			return nil, marks{}, err
		}
		return namespace, marksOf(old), nil
	}
	switch namespace.Name {
	case metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease:
		return namespace, marks{}, nil // the server's own
	}
	out := marks{{a.GetUserInfo().GetName(), true}}
	if slices.Contains(a.GetUserInfo().GetGroups(), tenancy.ProjectWriters) {
		out[1] = mark{"true", true}
	}
	return namespace, out, nil
}

func namespaceOf(obj runtime.Object) (*core.Namespace, error) {
	namespace, ok := obj.(*core.Namespace)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("expected *core.Namespace but got %T", obj))
	}
	return namespace, nil
}

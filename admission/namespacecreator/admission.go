// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package namespacecreator is the admission plugin NamespaceCreator, which only Stoa has:
// an annotation of each new namespace says who created it, and nobody can change that.
//
// It says the name of the user and no more. Rules of RBAC know users by their names, few
// users have a UID, and groups would be those of one moment.
package namespacecreator

import (
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/warning"

	"github.com/stoa-project/stoa/apis/core"
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

// Admit implements admission.MutationInterface. What a new namespace says of its creator
// does not count, so that a copy of another namespace can be created. Later, who leaves
// the annotation out, as a manifest does, keeps it.
func (p *plugin) Admit(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	namespace, want, err := examine(a)
	if namespace == nil || err != nil {
		return err
	}
	given := markOf(namespace)
	update := a.GetOperation() == admission.Update
	if given == want || update && given.there {
		return nil // Validate refuses what changes it
	}
	if update || given.there {
		warning.AddWarning(ctx, "", "metadata.annotations["+Annotation+"]: set by the server, which says there who created the namespace")
	}
	if !want.there {
		delete(namespace.Annotations, Annotation)
		return nil
	}
	if namespace.Annotations == nil {
		namespace.Annotations = map[string]string{}
	}
	namespace.Annotations[Annotation] = want.name
	return nil
}

// Validate implements admission.ValidationInterface. It also sees what other plugins have
// changed.
func (p *plugin) Validate(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	namespace, want, err := examine(a)
	if namespace == nil || err != nil {
		return err
	}
	if markOf(namespace) != want {
		return admission.NewForbidden(a, errors.New("metadata.annotations["+Annotation+"] says who created the namespace and may not be changed"))
	}
	return nil
}

// mark is what the annotation says, if it is there.
type mark struct {
	name  string
	there bool
}

func markOf(namespace *core.Namespace) mark {
	name, there := namespace.Annotations[Annotation]
	return mark{name, there}
}

// examine returns the namespace that a request writes, at whichever endpoint, and how it
// must be marked.
func examine(a admission.Attributes) (*core.Namespace, mark, error) {
	if a.GetResource().GroupResource() != core.Resource("namespaces") {
		return nil, mark{}, nil
	}
	namespace, err := namespaceOf(a.GetObject())
	if err != nil {
		return nil, mark{}, err
	}
	if a.GetOperation() == admission.Update {
		old, err := namespaceOf(a.GetOldObject())
		if err != nil {
			return nil, mark{}, err
		}
		return namespace, markOf(old), nil
	}
	switch namespace.Name {
	case metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease:
		return namespace, mark{}, nil // the server's own
	}
	return namespace, mark{a.GetUserInfo().GetName(), true}, nil
}

func namespaceOf(obj runtime.Object) (*core.Namespace, error) {
	namespace, ok := obj.(*core.Namespace)
	if !ok {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("expected *core.Namespace but got %T", obj))
	}
	return namespace, nil
}

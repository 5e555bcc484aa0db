// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	genericadmissioninitializer "k8s.io/apiserver/pkg/admission/initializer"
	genericfeatures "k8s.io/apiserver/pkg/features"

	"github.com/stoa-project/stoa/admission/manifests"
	"github.com/stoa-project/stoa/features"
)

// unseen are the resources that no webhook and no policy sees. They are questions about
// users and rights: who stops them from being answered locks everybody out, himself
// too.
func unseen() []schema.GroupResource {
	authentication, authorization := "authentication.k8s.io", "authorization.k8s.io"
	return []schema.GroupResource{
		{Group: authentication, Resource: "selfsubjectreviews"},
		{Group: authentication, Resource: "tokenreviews"},
		{Group: authorization, Resource: "localsubjectaccessreviews"},
		{Group: authorization, Resource: "selfsubjectaccessreviews"},
		{Group: authorization, Resource: "selfsubjectrulesreviews"},
		{Group: authorization, Resource: "subjectaccessreviews"},
	}
}

// dynamicAdmission gives the plugins for webhooks and policies what is not theirs to
// decide: what they never see, and how files are read.
type dynamicAdmission struct {
	loaders *genericadmissioninitializer.ManifestLoaders
}

var _ admission.PluginInitializer = dynamicAdmission{}

func newDynamicAdmission() dynamicAdmission {
	if !features.Enabled(genericfeatures.ManifestBasedAdmissionControlConfig) {
		return dynamicAdmission{loaders: &genericadmissioninitializer.ManifestLoaders{}}
	}
	return dynamicAdmission{loaders: manifests.Loaders()}
}

// Initialize implements admission.PluginInitializer.
func (d dynamicAdmission) Initialize(plugin admission.Interface) {
	if wants, ok := plugin.(genericadmissioninitializer.WantsExcludedAdmissionResources); ok {
		wants.SetExcludedAdmissionResources(unseen())
	}
	if wants, ok := plugin.(genericadmissioninitializer.WantsManifestLoaders); ok {
		wants.SetManifestLoaders(d.loaders)
	}
}

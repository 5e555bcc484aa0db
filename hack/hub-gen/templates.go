// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

const hubTemplate = `
// GroupName is the name of the API group.
const GroupName = {{.Group}}

// SchemeGroupVersion is the hub version of the group.
var SchemeGroupVersion = schema.GroupVersion{Group: GroupName, Version: runtime.APIVersionInternal}

// Kind returns the group-qualified name of a kind.
func Kind(kind string) schema.GroupKind {
	return SchemeGroupVersion.WithKind(kind).GroupKind()
}

// Resource returns the group-qualified name of a resource.
func Resource(resource string) schema.GroupResource {
	return SchemeGroupVersion.WithResource(resource).GroupResource()
}

var (
	// SchemeBuilder collects what registers the hub types.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)
	// AddToScheme registers the hub types.
	AddToScheme = SchemeBuilder.AddToScheme
)

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(SchemeGroupVersion,
		{{- range .Kinds}}
		&{{.Name}}{},
		{{- if .List}}
		&{{.Name}}List{},
		{{- end}}
		{{- end}}
	)
	return nil
}
{{range .Kinds}}
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// {{.Name}} is the hub of {{.From}}.{{.Name}}.
type {{.Name}} {{.From}}.{{.Name}}
{{if .List}}
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// {{.Name}}List is the hub of {{.From}}.{{.Name}}List.
type {{.Name}}List struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []{{.Name}}
}
{{end}}{{end}}`

const servedTemplate = `
// SchemeGroupVersion is the version that this package serves.
var SchemeGroupVersion = {{.External}}.SchemeGroupVersion

var (
	// SchemeBuilder collects what registers the version and its hub. It starts from
	// the builder of k8s.io/api instead of adding to it: that one is shared with
	// every other user of the module in the process.
	SchemeBuilder      = runtime.NewSchemeBuilder({{.External}}.AddToScheme, hub.AddToScheme)
	localSchemeBuilder = &SchemeBuilder
	// AddToScheme registers types, conversions, defaults and validations, of the hub too.
	AddToScheme = localSchemeBuilder.AddToScheme
)
{{if .Defaults}}
// Conversions and validations are registered by their generated files.
func init() {
	localSchemeBuilder.Register(RegisterDefaults)
}
{{end}}`

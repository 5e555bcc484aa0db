// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Command openapi-schema prints the generated OpenAPI definitions as a Swagger
// document. applyconfiguration-gen reads it to learn how lists merge;
// hack/update-codegen.sh runs it.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"

	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"github.com/stoa-project/stoa/generated/openapi"
)

// Names of our definitions begin with modelPrefix, as the tag
// +k8s:openapi-model-package says; packagePrefix is what they would begin with
// without the tag.
const (
	modelPrefix   = "dev.stoa."
	packagePrefix = "com.github.stoa-project.stoa.apis."
)

func main() {
	definitions := spec.Definitions{}
	for name, definition := range openapi.GetOpenAPIDefinitions(reference) {
		schema := definition.Schema
		// A type that cannot be said in Swagger 2 brings a second schema.
		if v2, ok := schema.Extensions[common.ExtensionV2Schema].(spec.Schema); ok {
			schema = v2
		}
		definitions[name] = schema
		// The generator looks for our types by their Go package.
		if local, ok := strings.CutPrefix(name, modelPrefix); ok {
			definitions[packagePrefix+local] = spec.Schema{SchemaProps: spec.SchemaProps{Ref: reference(name)}}
		}
	}
	document := spec.Swagger{SwaggerProps: spec.SwaggerProps{
		Swagger:     "2.0",
		Info:        &spec.Info{InfoProps: spec.InfoProps{Title: "Stoa", Version: "unversioned"}},
		Definitions: definitions,
	}}
	if err := json.NewEncoder(os.Stdout).Encode(&document); err != nil {
		log.Fatal(err)
	}
}

func reference(name string) spec.Ref {
	return spec.MustCreateRef("#/definitions/" + name)
}

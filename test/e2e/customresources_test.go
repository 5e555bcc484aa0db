// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import "testing"

const ships = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ships.port.example.com}
spec:
  group: port.example.com
  scope: Namespaced
  names: {plural: ships, singular: ship, kind: Ship, shortNames: [sh], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns:
    - {name: Masts, type: integer, jsonPath: .spec.masts}
    - {name: Home, type: string, jsonPath: .spec.home, priority: 1}
    subresources: {scale: {specReplicasPath: .spec.masts, statusReplicasPath: .status.masts}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              masts: {type: integer, minimum: 1, description: How many there are, x-kubernetes-validations: [{rule: self < 5, message: no ship has five}]}
              home: {type: string, default: Piraeus}
`

const argo = `{"apiVersion":"port.example.com/v1","kind":"Ship","metadata":{"name":"argo"},"spec":{"masts":1}}`

// TestKubectlCustomResource uses a definition as its users do.
func TestKubectlCustomResource(t *testing.T) {
	t.Parallel()
	integration(t)
	dir := folder(t)
	s := start(t, dir)
	for _, c := range []step{
		{args: "apply -f -", stdin: ships, want: "customresourcedefinition.apiextensions.k8s.io/ships.port.example.com created\n"},
		{args: "wait crd/ships.port.example.com --for=condition=Established --timeout=30s", want: "customresourcedefinition.apiextensions.k8s.io/ships.port.example.com condition met\n"},
		{args: "apply -f -", stdin: argo, want: "ship.port.example.com/argo created\n"},
		{args: "get ships", want: "NAME   MASTS\nargo   1\n"},
		{args: "get sh -o wide", want: "NAME   MASTS   HOME\nargo   1       Piraeus\n"},
		{args: "explain ship.spec.masts", want: "^GROUP: +port.example.com\n.*How many there are"},
		{args: "scale ship argo --replicas=5", code: 1, stderr: "no ship has five"},
		{args: "scale ship argo --replicas=3", want: "ship.port.example.com/argo scaled\n"},
		{args: "get ship argo -o jsonpath={.spec}", want: `{"home":"Piraeus","masts":3}`},
		{args: "get apiservice v1.port.example.com --no-headers", want: `^v1.port.example.com +Local +True +\d+s\n$`},
		{args: "get crd --no-headers", want: `^ships.port.example.com +Namespaced +v1\(storage\) +20`},
	} {
		c.run(t, s)
	}
}

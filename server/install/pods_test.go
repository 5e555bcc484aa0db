// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package install_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/stoa-project/stoa/server/install"
)

// A cluster lets the group of a pod write to the root of a volume. The server refuses keys
// in such a folder, so its own is below, and is left alone when the pod starts again.
func TestDataFolder(t *testing.T) {
	t.Parallel()
	objects, err := install.NewOptions().Objects()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Deployment" })
	spec, _, _ := unstructured.NestedMap(objects[i].Object, "spec", "template", "spec")
	if policy, _, _ := unstructured.NestedString(spec, "securityContext", "fsGroupChangePolicy"); policy != "OnRootMismatch" {
		t.Errorf("fsGroupChangePolicy is %q", policy)
	}
	containers, _, _ := unstructured.NestedSlice(spec, "containers")
	container := containers[0].(map[string]any)
	args, _, _ := unstructured.NestedStringSlice(container, "args")
	mounts, _, _ := unstructured.NestedSlice(container, "volumeMounts")
	if path := mounts[0].(map[string]any)["mountPath"]; path != "/data" || !slices.Contains(args, "--data-dir=/data/stoa") {
		t.Errorf("the volume is at %v, args are %v", path, args)
	}
}

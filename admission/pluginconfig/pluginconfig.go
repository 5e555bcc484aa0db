// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Package pluginconfig reads what --admission-control-config-file says to a plugin.
// Unlike in Kubernetes a field that a plugin does not know is an error: what is
// misspelled would restrict nothing.
package pluginconfig

import (
	"encoding/json"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// Decode reads a configuration that says its kind, which into has fields for. No
// configuration changes nothing.
func Decode(config io.Reader, kind schema.GroupVersionKind, into any) error {
	if config == nil {
		return nil
	}
	text, err := io.ReadAll(config)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	var said metav1.TypeMeta
	if err := yaml.Unmarshal(text, &said); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if said.GroupVersionKind() != kind {
		return fmt.Errorf("configuration: apiVersion must be %q and kind %q, not %q and %q", kind.GroupVersion(), kind.Kind, said.APIVersion, said.Kind)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

// Section reads what a configuration without a kind has under a name. Other names are
// those of other plugins, which may share a file. No such section changes nothing.
func Section(config io.Reader, name string, into any) error {
	if config == nil {
		return nil
	}
	text, err := io.ReadAll(config)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	sections := map[string]json.RawMessage{}
	if err := yaml.Unmarshal(text, &sections); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	section, ok := sections[name]
	if !ok {
		return nil
	}
	if err := yaml.UnmarshalStrict(section, into); err != nil {
		return fmt.Errorf("configuration: %s: %w", name, err)
	}
	return nil
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// ConfigAPIVersion and ConfigKind head a configuration file.
const (
	ConfigAPIVersion = "server.stoa.dev/v1alpha1"
	ConfigKind       = "ServerConfiguration"
)

// LoadConfig sets the flags that a configuration file names. Below apiVersion and
// kind, its keys are the names of flags; a list or map sets the flag once for each
// entry. A flag that was given on the command line keeps its value. Errors name
// the file and the key.
func LoadConfig(path string, flags *pflag.FlagSet) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	if _, err := documents.Read(); err == nil {
		if _, err := documents.Read(); err == nil {
			return fmt.Errorf("--config %s: must hold one document", path)
		}
	}
	var entries map[string]any
	if err := yaml.UnmarshalStrict(data, &entries); err != nil {
		return fmt.Errorf("--config %s: %s", path, strings.Join(strings.Fields(err.Error()), " ")) // it has line breaks
	}
	if entries["apiVersion"] != ConfigAPIVersion || entries["kind"] != ConfigKind {
		return fmt.Errorf("--config %s: apiVersion and kind must be %s and %s", path, ConfigAPIVersion, ConfigKind)
	}
	delete(entries, "apiVersion")
	delete(entries, "kind")
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if err := setFlag(flags, name, entries[name]); err != nil {
			errs = append(errs, fmt.Errorf("--config %s: %s: %w", path, name, err))
		}
	}
	return utilerrors.NewAggregate(errs)
}

func setFlag(flags *pflag.FlagSet, name string, value any) error {
	flag := flags.Lookup(name)
	switch {
	case flag == nil || name == "config" || name == "help":
		return errors.New("unknown option")
	case flag.Changed:
		return nil
	}
	texts, err := flagTexts(value)
	if err != nil {
		return err
	}
	for _, text := range texts {
		if err := flags.Set(name, text); err != nil {
			return errors.Unwrap(err)
		}
	}
	return nil
}

// flagTexts turns a value of the file into what would follow the flag.
func flagTexts(value any) ([]string, error) {
	switch v := value.(type) {
	case []any:
		var out []string
		for _, item := range v {
			texts, err := flagTexts(item)
			if err != nil {
				return nil, err
			}
			out = append(out, texts...)
		}
		return out, nil
	case map[string]any:
		var out []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			switch v[key].(type) {
			case map[string]any, []any:
				return nil, fmt.Errorf("%s: must be a single value", key)
			}
			text, err := flagTexts(v[key])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			out = append(out, key+"="+text[0])
		}
		return out, nil
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}, nil
	case nil:
		return nil, errors.New("must have a value")
	default:
		return []string{fmt.Sprint(v)}, nil
	}
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package imagepolicy

import (
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/stoa-project/stoa/admission/pluginconfig"
)

// configuration is the section imagePolicy of the plugin's configuration. Of each time, 0
// is the default and -1 is none.
type configuration struct {
	// KubeConfigFile says how to reach the service.
	KubeConfigFile string `json:"kubeConfigFile"`
	// AllowTTL and DenyTTL are the seconds for which an answer is remembered.
	AllowTTL int64 `json:"allowTTL"`
	DenyTTL  int64 `json:"denyTTL"`
	// RetryBackoff are the milliseconds before the service is asked again.
	RetryBackoff int64 `json:"retryBackoff"`
	// DefaultAllow lets pods pass when the service does not answer.
	DefaultAllow bool `json:"defaultAllow"`
}

// times are those of a configuration, with their defaults.
type times struct{ allow, deny, backoff time.Duration }

func readConfiguration(config io.Reader) (*configuration, times, error) {
	if config == nil {
		return nil, times{}, errors.New("no config specified")
	}
	c := &configuration{}
	if err := pluginconfig.Section(config, "imagePolicy", c); err != nil {
		return nil, times{}, err
	}
	if c.KubeConfigFile == "" {
		return nil, times{}, errors.New("configuration: imagePolicy.kubeConfigFile: must be set")
	}
	var t times
	for _, span := range []struct {
		name        string
		to          *time.Duration
		value       int64
		unit        time.Duration
		least, most time.Duration
		usual       time.Duration
	}{
		{"retryBackoff", &t.backoff, c.RetryBackoff, time.Millisecond, 1, 5 * time.Minute, 500 * time.Millisecond},
		{"allowTTL", &t.allow, c.AllowTTL, time.Second, time.Second, 30 * time.Minute, 5 * time.Minute},
		{"denyTTL", &t.deny, c.DenyTTL, time.Second, time.Second, 30 * time.Minute, 30 * time.Second},
	} {
		switch span.value {
		case -1:
			continue
		case 0:
			*span.to = span.usual
			continue
		}
		value := time.Duration(math.MaxInt64)
		if span.value <= int64(span.most/span.unit) {
			value = time.Duration(span.value) * span.unit
		}
		if value <= span.least || value > span.most {
			return nil, times{}, fmt.Errorf("configuration: imagePolicy.%s: valid value is between %v and %v, got %d", span.name, span.least, span.most, span.value)
		}
		*span.to = value
	}
	return c, t, nil
}

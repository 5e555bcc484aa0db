// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/apis/apiserver"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
)

// flagEncryption names the file with the configuration of encryption.
const flagEncryption = "--encryption-provider-config"

// checkEncryption says what is wrong with the content of a file, and never what the keys
// in it are; and whether it has keys. It asks no plugin.
func checkEncryption(file string, content []byte, follow bool) (keys bool, err error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apiserver.AddToScheme, apiserverv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return false, err
		}
	}
	decoded, _, err := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDecoder().Decode(content, nil, nil)
	config, ok := decoded.(*apiserver.EncryptionConfiguration)
	switch {
	case len(bytes.TrimSpace(content)) == 0:
		return false, encryptionError(file, errors.New("is empty"))
	case runtime.IsMissingKind(err), runtime.IsMissingVersion(err), runtime.IsNotRegisteredError(err), err == nil && !ok:
		return false, encryptionError(file, errors.New("apiVersion must be apiserver.config.k8s.io/v1, and kind EncryptionConfiguration"))
	case err != nil:
		return false, encryptionError(file, err)
	}
	if errs := validation.ValidateEncryptionConfiguration(config, follow); len(errs) > 0 {
		for _, err := range errs {
			if _, whole := err.BadValue.(apiserver.ProviderConfiguration); whole {
				err.BadValue = field.OmitValueType{} // it has the keys
			}
		}
		return false, encryptionError(file, errs.ToAggregate())
	}
	for _, resource := range config.Resources {
		for _, p := range resource.Providers {
			keys = keys || p.AESCBC != nil || p.AESGCM != nil || p.Secretbox != nil
		}
	}
	return keys, nil
}

// encryptionError says what is wrong with the file. The text of the error is all that is
// left of it, without what could be a key in the wrong place.
func encryptionError(file string, err error) error {
	return fmt.Errorf("%s: %s: %s", flagEncryption, file, long.ReplaceAllStringFunc(err.Error(), func(run string) string {
		decoded, err := base64.StdEncoding.DecodeString(run)
		random := strings.ContainsAny(run, "0123456789") && !strings.HasPrefix(run, "/") // which begins a path
		if random || err == nil && (len(decoded) == aes128 || len(decoded) == aes192 || len(decoded) == aes256) {
			return "REDACTED"
		}
		return run
	}))
}

// Lengths of keys, in bytes.
const (
	aes128 = 16
	aes192 = 24
	aes256 = 32
)

// long is what a key looks like, in base64 or hexadecimal.
var long = regexp.MustCompile(`[A-Za-z0-9+/_-]{20,}={0,2}`)

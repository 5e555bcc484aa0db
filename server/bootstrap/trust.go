// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	clientCAKey        = "client-ca-file"
	requestHeaderCAKey = "requestheader-client-ca-file"
	// clockSkew is how much later another server may take a certificate to expire.
	clockSkew = 5 * time.Minute
)

// Trust is the config map that tells extension servers whom to believe, with the data
// of this server. All servers of a cluster share it, so what others wrote stays:
// certificates until they expire, and names and headers without end.
func Trust(data map[string]string) Object {
	return Object{
		Resource: corev1.SchemeGroupVersion.WithResource("configmaps"),
		Want: &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "extension-apiserver-authentication"}, Data: data,
		},
		Reconcile: reconcileTrust,
	}
}

func reconcileTrust(want, have object) (object, error) {
	wanted, ok := want.(*corev1.ConfigMap)
	stored, ok2 := have.(*corev1.ConfigMap)
	if !ok || !ok2 {
		return nil, fmt.Errorf("%T is no config map", have)
	}
	changed := false
	for key, value := range wanted.Data {
		var err error
		if key == clientCAKey || key == requestHeaderCAKey {
			value = mergeCAs(value, stored.Data[key], time.Now())
		} else if value, err = mergeLists(value, stored.Data[key]); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if stored.Data[key] == value {
			continue
		}
		if stored.Data == nil {
			stored.Data = map[string]string{}
		}
		stored.Data[key], changed = value, true
	}
	if !changed {
		return nil, nil
	}
	return stored, nil
}

// mergeLists returns the strings of two lists in JSON in the order of stored, each
// once. A stored list that is none is replaced.
func mergeLists(own, stored string) (string, error) {
	var out, more []string
	if err := json.Unmarshal([]byte(stored), &out); err != nil {
		out = nil
	}
	if err := json.Unmarshal([]byte(own), &more); err != nil {
		return "", err
	}
	merged := []string{}
	for _, text := range append(out, more...) {
		if !slices.Contains(merged, text) {
			merged = append(merged, text)
		}
	}
	encoded, err := json.Marshal(merged)
	return string(encoded), err
}

// mergeCAs returns the certificates of two bundles in the order of stored, those that
// have expired and those that are there twice left out.
func mergeCAs(own, stored string, now time.Time) string {
	var out bytes.Buffer
	seen := map[string]bool{}
	for _, bundle := range []string{stored, own} {
		for block, rest := pem.Decode([]byte(bundle)); block != nil; block, rest = pem.Decode(rest) {
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil || now.After(cert.NotAfter.Add(clockSkew)) || seen[string(block.Bytes)] {
				continue
			}
			seen[string(block.Bytes)] = true
			_ = pem.Encode(&out, &pem.Block{Type: block.Type, Bytes: block.Bytes}) // a buffer takes all
		}
	}
	return out.String()
}

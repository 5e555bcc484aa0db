// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstrap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const autoUpdate, flowUpdate = "rbac.authorization.kubernetes.io/autoupdate", "apf.kubernetes.io/autoupdate-spec"

func rule(verb string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: []string{""}, Resources: []string{"pods"}}
}

func TestReconcileRole(t *testing.T) {
	t.Parallel()
	role := func(update string, rules ...rbacv1.PolicyRule) *rbacv1.ClusterRole {
		return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "a", Annotations: map[string]string{autoUpdate: update}}, Rules: rules}
	}
	for _, tc := range []struct {
		name       string
		have, want object
	}{
		{"nothing is missing", role("true", rule("get"), rule("list")), nil},
		{"a rule is missing, another is of a user", role("true", rule("list")), role("true", rule("list"), rule("get"))},
		{"protected", role("false", rule("list")), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			checkReconciled(t, reconcileRole, role("true", rule("get")), tc.have, tc.want)
		})
	}
}

func TestReconcileBinding(t *testing.T) {
	t.Parallel()
	binding := func(update, role string, users ...string) *rbacv1.RoleBinding {
		b := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "a", Annotations: map[string]string{autoUpdate: update}}, RoleRef: ref("Role", role),
		}
		for _, u := range users {
			b.Subjects = append(b.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: u})
		}
		return b
	}
	for _, tc := range []struct {
		name       string
		have, want object
	}{
		{"nothing is missing", binding("true", "r", "u", "v"), nil},
		{"a subject is missing", binding("true", "r", "v"), binding("true", "r", "v", "u")},
		{"of another role", binding("true", "s", "v"), binding("true", "r", "u")},
		{"protected", binding("false", "s"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			checkReconciled(t, reconcileBinding, binding("true", "r", "u"), tc.have, tc.want)
		})
	}
}

func TestReconcileFlow(t *testing.T) {
	t.Parallel()
	schema := func(update string, generation int64, precedence int32) *flowcontrolv1.FlowSchema {
		f := &flowcontrolv1.FlowSchema{
			ObjectMeta: metav1.ObjectMeta{Name: "a", Generation: generation}, Spec: flowcontrolv1.FlowSchemaSpec{MatchingPrecedence: precedence},
		}
		if update != "" {
			f.Annotations = map[string]string{flowUpdate: update}
		}
		return f
	}
	want := schema("true", 1, 7)
	for _, tc := range []struct {
		name                 string
		have                 *flowcontrolv1.FlowSchema
		suggested, mandatory object
	}{
		{"as it was made", schema("true", 1, 7), nil, nil},
		{"changed", schema("true", 2, 8), schema("true", 3, 7), schema("true", 3, 7)},
		{"taken over", schema("false", 2, 8), nil, schema("true", 3, 7)},
		{"never changed, without the annotation", schema("", 1, 8), schema("true", 2, 7), schema("true", 2, 7)},
		{"changed, without the annotation", schema("", 2, 8), schema("false", 2, 8), schema("true", 3, 7)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			checkReconciled(t, reconcileSuggested, want, tc.have.DeepCopy(), tc.suggested)
			checkReconciled(t, reconcileMandatory, want, tc.have.DeepCopy(), tc.mandatory)
		})
	}
	level := func(shares int32) *flowcontrolv1.PriorityLevelConfiguration {
		return &flowcontrolv1.PriorityLevelConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: "exempt", Annotations: map[string]string{flowUpdate: "true"}},
			Spec: flowcontrolv1.PriorityLevelConfigurationSpec{Type: "Exempt",
				Exempt: &flowcontrolv1.ExemptPriorityLevelConfiguration{NominalConcurrencyShares: &shares}},
		}
	}
	checkReconciled(t, reconcileMandatory, level(0), level(5), nil) // for administrators to say
}

func checkReconciled(t *testing.T, reconcile func(want, have object) (object, error), want, have, expected object) {
	t.Helper()
	got, err := reconcile(want, have)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}
}

func TestReconcileTrust(t *testing.T) {
	t.Parallel()
	own, other, expired := certificate(t, time.Hour), certificate(t, time.Hour), certificate(t, -time.Hour)
	config := func(ca string, more ...string) *corev1.ConfigMap {
		c := &corev1.ConfigMap{Data: map[string]string{"client-ca-file": ca}}
		for i := 0; i < len(more); i += 2 {
			c.Data[more[i]] = more[i+1]
		}
		return c
	}
	want := Trust(map[string]string{"client-ca-file": own, "requestheader-allowed-names": "[\"a\"]"}).Want
	names := []string{"requestheader-allowed-names", "[\"a\"]"}
	checkReconciled(t, reconcileTrust, want, config(own, names...), nil)
	checkReconciled(t, reconcileTrust, want, config(other+own, append(names, "more", "x")...), nil)
	checkReconciled(t, reconcileTrust, want, config(expired+other), config(other+own, names...))
	checkReconciled(t, reconcileTrust, want, &corev1.ConfigMap{}, config(own, names...))
	for stored, expected := range map[string]string{
		`["b","c"]`: `["b","c","a"]`, `["b","b"]`: `["b","a"]`, `[]`: `["a"]`, `no list`: `["a"]`, `["a", "b"]`: `["a","b"]`,
	} {
		checkReconciled(t, reconcileTrust, want, config(own, names[0], stored), config(own, names[0], expected))
	}
}

func certificate(t *testing.T, lifetime time.Duration) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(lifetime)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstraptoken_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"github.com/stoa-project/stoa/authn/bootstraptoken"
)

// stored is a Secret as an administrator writes one.
func stored(change func(*corev1.Secret)) *corev1.Secret {
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-abcdef", Namespace: "kube-system"},
		Type:       "bootstrap.kubernetes.io/token",
		Data: map[string][]byte{
			"token-id": []byte("abcdef"), "token-secret": []byte("0123456789abcdef"), "usage-bootstrap-authentication": []byte("true"),
		},
	}
	change(s)
	return s
}

// set changes what is in a Secret; an empty value takes it away.
func set(key, value string) func(*corev1.Secret) {
	return func(s *corev1.Secret) {
		if s.Data[key] = []byte(value); value == "" {
			delete(s.Data, key)
		}
	}
}

func TestAuthenticateToken(t *testing.T) {
	t.Parallel()
	const good = "abcdef.0123456789abcdef"
	hour := func(offset int) string {
		return time.Now().Add(time.Duration(offset) * time.Hour).Format(time.RFC3339)
	}
	for name, in := range map[string]struct {
		change func(*corev1.Secret)
		token  string
		groups string
	}{
		"right":             {token: good, groups: "system:bootstrappers"},
		"groups":            {change: set("auth-extra-groups", "system:bootstrappers:worker,system:bootstrappers:a:b-c,system:bootstrappers:worker"), token: good, groups: "system:bootstrappers system:bootstrappers:a:b-c system:bootstrappers:worker"},
		"not expired":       {change: set("expiration", hour(1)), token: good, groups: "system:bootstrappers"},
		"expired":           {change: set("expiration", hour(-1)), token: good},
		"malformed expiry":  {change: set("expiration", "tomorrow"), token: good},
		"other secret":      {token: "abcdef.0123456789abcdeg"},
		"other ID":          {token: "abcdeg.0123456789abcdef"},
		"ID alone":          {token: "abcdef."},
		"upper case":        {token: "ABCDEF.0123456789abcdef"},
		"longer":            {token: good + "0"},
		"line end":          {token: good + "\n"},
		"empty":             {token: ""},
		"oversized":         {token: strings.Repeat("a", 1<<20)},
		"not UTF-8":         {token: "abcdef.0123456789abcde\xff"},
		"no usage":          {change: set("usage-bootstrap-authentication", ""), token: good},
		"usage that is not": {change: set("usage-bootstrap-authentication", "false"), token: good},
		"for signing": {change: func(s *corev1.Secret) {
			set("usage-bootstrap-authentication", "")(s)
			set("usage-bootstrap-signing", "true")(s)
		}, token: good},
		"ID of another":         {change: set("token-id", "abcdeg"), token: good},
		"no secret":             {change: set("token-secret", ""), token: good},
		"masters":               {change: set("auth-extra-groups", "system:masters"), token: good},
		"masters behind a good": {change: set("auth-extra-groups", "system:bootstrappers:a,system:masters"), token: good},
		"group with a space":    {change: set("auth-extra-groups", "system:bootstrappers:a, system:bootstrappers:b"), token: good},
		"group with a line":     {change: set("auth-extra-groups", "system:bootstrappers:a\nx"), token: good},
		"other type":            {change: func(s *corev1.Secret) { s.Type = corev1.SecretTypeOpaque }, token: good},
		"no data":               {change: func(s *corev1.Secret) { s.Data = nil }, token: good},
		"being deleted":         {change: func(s *corev1.Secret) { s.DeletionTimestamp = &metav1.Time{Time: time.Now()} }, token: good},
		"other namespace":       {change: func(s *corev1.Secret) { s.Namespace = "default" }, token: good},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if in.change == nil {
				in.change = func(*corev1.Secret) {}
			}
			informer := bootstraptoken.NewInformer(nil)
			if err := informer.GetIndexer().Add(stored(in.change)); err != nil {
				t.Fatal(err)
			}
			response, ok, err := bootstraptoken.New(informer).AuthenticateToken(t.Context(), in.token)
			if err != nil || ok != (in.groups != "") {
				t.Fatalf("%t, %v", ok, err)
			}
			if !ok {
				return
			}
			want := &user.DefaultInfo{Name: "system:bootstrap:abcdef", Groups: strings.Fields(in.groups)}
			if diff := cmp.Diff(user.Info(want), response.User); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		token := bootstraptoken.Generate()
		id, secret, ok := bootstraptoken.Parse(token.Value())
		if !ok || id != token.ID || secret != token.Secret || seen[token.ID] {
			t.Errorf("token %s: %t", token.Value(), ok)
		}
		seen[token.ID] = true
		if text := fmt.Sprintf("%v %+v %#v", token, token, token); strings.Contains(text, token.Secret) {
			t.Errorf("printed %s", text)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]struct {
		token bootstraptoken.Token
		err   string
	}{
		"good":      {token: bootstraptoken.Token{ID: "abcdef", Secret: "0123456789abcdef", Usages: []string{"authentication"}, Groups: []string{"system:bootstrappers:x"}}},
		"no usage":  {token: bootstraptoken.Token{ID: "abcdef", Secret: "0123456789abcdef"}},
		"ID":        {token: bootstraptoken.Token{ID: "abc", Secret: "0123456789abcdef"}, err: `the token must be of the form "[a-z0-9]{6}.[a-z0-9]{16}"`},
		"secret":    {token: bootstraptoken.Token{ID: "abcdef", Secret: "0123456789abcde."}, err: `the token must be of the form "[a-z0-9]{6}.[a-z0-9]{16}"`},
		"usage":     {token: bootstraptoken.Token{ID: "abcdef", Secret: "0123456789abcdef", Usages: []string{"x"}}, err: `usage "x" must be signing or authentication`},
		"no groups": {token: bootstraptoken.Token{ID: "abcdef", Secret: "0123456789abcdef", Usages: []string{"signing"}, Groups: []string{"system:bootstrappers:x"}}, err: "groups need the usage authentication"},
		"group": {token: bootstraptoken.Token{ID: "abcdef", Secret: "0123456789abcdef", Usages: []string{"authentication"}, Groups: []string{"dev"}},
			err: `group "dev" must match system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := in.token.Validate(); err != nil && err.Error() != in.err || err == nil && in.err != "" {
				t.Errorf("error %v, want %q", err, in.err)
			}
		})
	}
}

// TestObject stores tokens and reads them again.
func TestObject(t *testing.T) {
	t.Parallel()
	full := &bootstraptoken.Token{
		ID: "abcdef", Secret: "0123456789abcdef", Description: "for a test", Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		Usages: []string{"authentication", "signing"}, Groups: []string{"system:bootstrappers:x", "system:bootstrappers:y"},
	}
	for name, token := range map[string]*bootstraptoken.Token{"full": full, "bare": bootstraptoken.Generate()} {
		got, err := bootstraptoken.FromObject(token.Object())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*token, *got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	want := map[string]string{
		"token-id": "abcdef", "token-secret": "0123456789abcdef", "description": "for a test", "expiration": "2030-01-02T03:04:05Z",
		"usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true", "auth-extra-groups": "system:bootstrappers:x,system:bootstrappers:y",
	}
	object, data := full.Object(), map[string]string{}
	for key, value := range object.Data {
		data[key] = string(value)
	}
	if diff := cmp.Diff(want, data); diff != "" || object.Name != "bootstrap-token-abcdef" || object.Namespace != "kube-system" || object.Type != "bootstrap.kubernetes.io/token" {
		t.Errorf("%s/%s of type %s (-want +got):\n%s", object.Namespace, object.Name, object.Type, diff)
	}
}

// FuzzParse finds what looks like a token and is none.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "abcdef.0123456789abcdef", "abcdef", ".", "abcdef.0123456789abcdef.", "abcdef.0123456789abcde\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		id, secret, ok := bootstraptoken.Parse(value)
		if ok && (id+"."+secret != value || len(value) != 23 || strings.ToLower(value) != value) || !ok && id+secret != "" {
			t.Errorf("%q: %q, %q, %t", value, id, secret, ok)
		}
	})
}

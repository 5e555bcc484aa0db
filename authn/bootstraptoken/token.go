// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package bootstraptoken

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SecretType is the type of the Secrets.
const SecretType = string(corev1.SecretTypeBootstrapToken)

// Usages of a token.
const (
	// UsageAuthentication lets it authenticate requests.
	UsageAuthentication = "authentication"
	// UsageSigning lets it sign the ConfigMap kube-public/cluster-info, by which a
	// client that has only a token recognises the cluster.
	UsageSigning = "signing"
)

const (
	// keys of the data of a secret.
	keyID, keySecret, keyDescription = "token-id", "token-secret", "description"
	keyExpiration, keyGroups         = "expiration", "auth-extra-groups"
	usagePrefix                      = "usage-bootstrap-"
	namePrefix                       = "bootstrap-token-"
	idLength, secretLength           = 6, 16
	letters                          = "abcdefghijklmnopqrstuvwxyz0123456789"
	userPrefix, group                = "system:bootstrap:", "system:bootstrappers"
	groupForm                        = `system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]`
)

var groupPattern = regexp.MustCompile(`\A` + groupForm + `\z`)

// Token is a bootstrap token.
type Token struct {
	// ID names it, and is public.
	ID string
	// Secret proves that somebody has it.
	Secret string
	// Description is for people. It may be empty.
	Description string
	// Expires is when it ends. Zero: never.
	Expires time.Time
	// Usages are what it is good for, in order.
	Usages []string
	// Groups are those of its user beside system:bootstrappers.
	Groups []string
}

// String names the token without its secret, so that printing one by accident is
// harmless.
func (t *Token) String() string { return fmt.Sprintf("bootstrap token %q", t.ID) }

// GoString is String, for %#v.
func (t *Token) GoString() string { return t.String() }

// Value is what a client shows: ID and secret.
func (t *Token) Value() string { return t.ID + "." + t.Secret }

// Generate returns a random ID and secret.
func Generate() *Token { return &Token{ID: random(idLength), Secret: random(secretLength)} }

func random(length int) string {
	out := make([]byte, length)
	for i := range out {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			panic(fmt.Errorf("the system has no random numbers: %w", err)) // it never fails
		}
		out[i] = letters[n.Int64()]
	}
	return string(out)
}

// Parse splits what a client shows. ok is false for what is no bootstrap token.
func Parse(value string) (id, secret string, ok bool) {
	id, secret, _ = strings.Cut(value, ".")
	if !IsID(id) || len(secret) != secretLength || strings.Trim(secret, letters) != "" {
		return "", "", false
	}
	return id, secret, true
}

// IsID says whether text can be the ID of a token.
func IsID(text string) bool { return len(text) == idLength && strings.Trim(text, letters) == "" }

// SecretName is the name of the Secret of the token with an ID.
func SecretName(id string) string { return namePrefix + id }

// Validate reports what is wrong with a token that is to be made.
func (t *Token) Validate() error {
	if _, _, ok := Parse(t.Value()); !ok {
		return fmt.Errorf(`the token must be of the form "[a-z0-9]{%d}.[a-z0-9]{%d}"`, idLength, secretLength)
	}
	var errs []error
	for _, usage := range t.Usages {
		if usage != UsageAuthentication && usage != UsageSigning {
			errs = append(errs, fmt.Errorf("usage %q must be %s or %s", usage, UsageSigning, UsageAuthentication))
		}
	}
	if len(t.Groups) > 0 && !slices.Contains(t.Usages, UsageAuthentication) {
		errs = append(errs, fmt.Errorf("groups need the usage %s", UsageAuthentication))
	}
	return errors.Join(append(errs, checkGroups(t.Groups))...)
}

func checkGroups(groups []string) error {
	for _, g := range groups {
		if !groupPattern.MatchString(g) {
			return fmt.Errorf("group %q must match %s", g, groupForm)
		}
	}
	return nil
}

// Object is the Secret that the token is stored as.
func (t *Token) Object() *corev1.Secret {
	data := map[string][]byte{keyID: []byte(t.ID), keySecret: []byte(t.Secret)}
	for _, usage := range t.Usages {
		data[usagePrefix+usage] = []byte("true")
	}
	if t.Description != "" {
		data[keyDescription] = []byte(t.Description)
	}
	if !t.Expires.IsZero() {
		data[keyExpiration] = []byte(t.Expires.UTC().Format(time.RFC3339))
	}
	if len(t.Groups) > 0 {
		data[keyGroups] = []byte(strings.Join(t.Groups, ","))
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: SecretName(t.ID), Namespace: metav1.NamespaceSystem},
		Type:       corev1.SecretTypeBootstrapToken, Data: data,
	}
}

// FromObject reads a Secret. Its errors do not contain what is in it.
func FromObject(s *corev1.Secret) (*Token, error) {
	t := &Token{ID: string(s.Data[keyID]), Secret: string(s.Data[keySecret]), Description: string(s.Data[keyDescription])}
	_, _, ok := Parse(t.Value())
	switch {
	case s.Type != corev1.SecretTypeBootstrapToken:
		return nil, fmt.Errorf("secret %q is not of type %s", s.Name, SecretType)
	case s.Name != SecretName(t.ID):
		return nil, fmt.Errorf("secret %q must be named %s and the %s that is in it", s.Name, namePrefix, keyID)
	case !ok:
		return nil, fmt.Errorf("secret %q has a malformed %s or %s", s.Name, keyID, keySecret)
	}
	if expires, does := Expiry(s); does {
		if t.Expires = expires; expires.IsZero() {
			return nil, fmt.Errorf("secret %q has a malformed %s", s.Name, keyExpiration)
		}
	}
	for key, value := range s.Data {
		if usage, ok := strings.CutPrefix(key, usagePrefix); ok && string(value) == "true" {
			t.Usages = append(t.Usages, usage)
		}
	}
	slices.Sort(t.Usages)
	if groups := string(s.Data[keyGroups]); groups != "" {
		t.Groups = strings.Split(groups, ",")
	}
	if err := checkGroups(t.Groups); err != nil {
		return nil, fmt.Errorf("secret %q: %w", s.Name, err)
	}
	return t, nil
}

// Expiry says when the token of a Secret ends, if it does. A time that cannot be
// read is the zero time: long ago.
func Expiry(s *corev1.Secret) (at time.Time, ok bool) {
	text := string(s.Data[keyExpiration])
	if text == "" {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, true
	}
	return at, true
}

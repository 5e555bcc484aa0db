// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package abac

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apiserver/pkg/authentication/user"
)

const (
	apiVersion = "abac.authorization.kubernetes.io/v1beta1"
	kind       = "Policy"
	// maxLine is the longest line in bytes.
	maxLine  = 64 << 10
	wildcard = "*"
)

// policy is a line. "*" stands for any; an empty User, Group, Resource or
// NonResourcePath for none.
type policy struct {
	User            string `json:"user"`
	Group           string `json:"group"`
	Readonly        bool   `json:"readonly"`
	APIGroup        string `json:"apiGroup"`
	Resource        string `json:"resource"`
	Namespace       string `json:"namespace"`
	NonResourcePath string `json:"nonResourcePath"`
}

// unversioned is the form of a line before there were versions.
type unversioned struct {
	User      string `json:"user"`
	Group     string `json:"group"`
	Readonly  bool   `json:"readonly"`
	Resource  string `json:"resource"`
	Namespace string `json:"namespace"`
}

// NewFromFile returns an authorizer with the policies of a file. An error names the
// file and the line.
func NewFromFile(path string) (*Authorizer, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	policies, err := read(file)
	if err != nil {
		return nil, fmt.Errorf("error reading policy file %s%w", path, err)
	}
	return newAuthorizer(policies), nil
}

// read reads lines. Its errors begin with where they are.
func read(from io.Reader) ([]policy, error) {
	var out []policy
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	number := 0
	for lines.Scan() {
		number++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		p, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf(", line %d: %s: %w", number, line, err)
		}
		out = append(out, p)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf(", line %d: %w", number+1, err)
	}
	return out, nil
}

func parse(line []byte) (policy, error) {
	var of struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(line, &of); err != nil {
		return policy{}, err
	}
	switch {
	case of.APIVersion == "" && of.Kind == "":
		var p unversioned
		if err := strict(line, &p); err != nil {
			return policy{}, err
		}
		return p.policy(), nil
	case of.APIVersion != apiVersion || of.Kind != kind:
		return policy{}, fmt.Errorf("apiVersion and kind must be %s and %s", apiVersion, kind)
	}
	var versioned struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Spec       policy `json:"spec"`
	}
	if err := strict(line, &versioned); err != nil {
		return policy{}, err
	}
	return versioned.Spec.everybody(), nil
}

// strict decodes one JSON object without unknown fields.
func strict(line []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("a line must be one object")
	}
	return nil
}

// everybody makes any user or group mean whoever is known.
func (p policy) everybody() policy {
	if p.User == wildcard || p.Group == wildcard {
		p.User, p.Group = "", user.AllAuthenticated
	}
	return p
}

// policy fills in what lines without a version left open: they hold for all groups of
// the API, and for everything that they do not restrict.
func (u unversioned) policy() policy {
	p := policy{User: u.User, Group: u.Group, Readonly: u.Readonly, APIGroup: wildcard, Resource: u.Resource, Namespace: u.Namespace}
	if u.User == "" && u.Group == "" {
		p.Group = wildcard
	}
	if u.Namespace == "" {
		p.Namespace = wildcard
	}
	if u.Resource == "" {
		p.Resource = wildcard
	}
	if u.Namespace == "" && u.Resource == "" {
		p.NonResourcePath = wildcard
	}
	return p.everybody()
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

// Command hub-gen writes what every group of built-in types has and nobody should
// write by hand. hack/update-codegen.sh runs it first, because the other
// generators read its output.
//
// A hub package asks for it by a tag in its doc.go that names the served package,
// one tag for each if there are several:
//
//	// +stoa:hub=k8s.io/api/apps/v1
//	// +stoa:hub=k8s.io/api/autoscaling/v1:Scale
//	// +stoa:hub=k8s.io/api/core/v1:-List,-SerializedReference
//
// It gets a defined type for each kind of that package with a list of it, and
// what registers them. Without names every type with a TypeMeta is a kind, but
// for options; names after the colon choose some, names with a minus leave some out.
//
// A package with +k8s:conversion-gen-external-types serves such a package. It gets
// what registers types, hub, defaults and, by the other generators, conversions
// and validations.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"maps"
	"slices"
	"strings"
	"text/template"

	"k8s.io/gengo/v2"
	"k8s.io/gengo/v2/codetags"
	"k8s.io/gengo/v2/generator"
	"k8s.io/gengo/v2/namer"
	"k8s.io/gengo/v2/types"
)

const (
	hubTag      = "stoa:hub"
	servedTag   = "k8s:conversion-gen-external-types"
	peerTag     = "k8s:conversion-gen"
	defaultsTag = "k8s:defaulter-gen"

	filename = "zz_generated.hub.go"
	machine  = "k8s.io/apimachinery/pkg/"
)

func main() {
	header := flag.String("go-header-file", "", "file that begins every generated file")
	flag.Parse()
	// No build tag: the other generators skip files that have it, and must see this one.
	comment, err := gengo.GoBoilerplate(*header, "", gengo.StdGeneratedBy)
	if err != nil {
		log.Fatal(err)
	}
	names := namer.NameSystems{"public": namer.NewPublicNamer(0)}
	err = gengo.Execute(names, "public", func(c *generator.Context) []generator.Target {
		var out []generator.Target
		for _, input := range c.Inputs {
			target, err := newTarget(c, c.Universe[input])
			if err != nil {
				log.Fatalf("%s: %v", input, err)
			}
			target.HeaderComment = comment
			out = append(out, target)
		}
		return out
	}, "", flag.Args())
	if err != nil {
		log.Fatal(err)
	}
}

// file is the content of a generated file.
type file struct {
	generator.GoGenerator
	imports []string
}

func (f *file) Imports(*generator.Context) []string { return f.imports }

func newTarget(c *generator.Context, pkg *types.Package) (*generator.SimpleTarget, error) {
	tags := codetags.Extract("+", pkg.Comments)
	for name, lines := range tags {
		for i, line := range lines {
			_, lines[i], _ = strings.Cut(line, "=")
		}
		tags[name] = lines
	}
	var f *file
	var err error
	switch {
	case len(tags[hubTag]) > 0:
		f, err = newHub(c, tags[hubTag])
	case len(tags[servedTag]) == 1 && len(tags[peerTag]) == 1:
		f, err = newServed(c, pkg, tags)
	default:
		err = fmt.Errorf("doc.go has neither +%s nor +%s and +%s", hubTag, servedTag, peerTag)
	}
	if err != nil {
		return nil, err
	}
	f.OutputFilename = filename
	return &generator.SimpleTarget{
		PkgName: pkg.Name, PkgPath: pkg.Path, PkgDir: pkg.Dir,
		GeneratorsFunc: func(*generator.Context) []generator.Generator { return []generator.Generator{f} },
	}, nil
}

// kind is a defined type.
type kind struct {
	Name, From string
	List       bool
}

// newHub writes the defined types of a group.
func newHub(c *generator.Context, tags []string) (*file, error) {
	f := &file{imports: []string{machine + "runtime", machine + "runtime/schema"}}
	var kinds []kind
	var group string
	for _, tag := range tags {
		path, choice, _ := strings.Cut(tag, ":")
		pkg, err := load(c, path)
		if err != nil {
			return nil, err
		}
		from := alias(path)
		f.imports = append(f.imports, fmt.Sprintf("%s %q", from, path))
		group = from + ".GroupName"
		chosen, err := choose(pkg, choice)
		if err != nil {
			return nil, fmt.Errorf("+%s=%s: %w", hubTag, tag, err)
		}
		for _, name := range chosen {
			kinds = append(kinds, kind{Name: name, From: from, List: pkg.Types[name+"List"] != nil})
		}
	}
	if slices.ContainsFunc(kinds, func(k kind) bool { return k.List }) {
		f.imports = append(f.imports, fmt.Sprintf("metav1 %q", machine+"apis/meta/v1"))
	}
	slices.SortFunc(kinds, func(a, b kind) int { return strings.Compare(a.Name, b.Name) })
	return f, f.write(hubTemplate, map[string]any{"Group": group, "Kinds": kinds})
}

// newServed writes what registers a served version.
func newServed(c *generator.Context, pkg *types.Package, tags map[string][]string) (*file, error) {
	served, hub := tags[servedTag][0], tags[peerTag][0]
	if _, err := load(c, served); err != nil {
		return nil, err
	}
	f := &file{imports: []string{
		machine + "runtime",
		fmt.Sprintf("%s %q", alias(served), served),
		fmt.Sprintf("hub %q", hub),
	}}
	return f, f.write(servedTemplate, map[string]any{
		"External": alias(served), "Package": pkg.Name, "Defaults": len(tags[defaultsTag]) > 0,
	})
}

func (f *file) write(text string, data any) error {
	var body bytes.Buffer
	err := template.Must(template.New(filename).Parse(text)).Execute(&body, data)
	f.OptionalBody = body.Bytes()
	return err
}

func load(c *generator.Context, path string) (*types.Package, error) {
	pkgs, err := c.LoadPackages(path)
	if err != nil {
		return nil, err
	}
	if len(pkgs) != 1 {
		return nil, fmt.Errorf("%s is %d packages", path, len(pkgs))
	}
	return pkgs[0], nil
}

// choose returns the kinds of a package: those that choice names, or all but those
// that it names with a minus.
func choose(pkg *types.Package, choice string) ([]string, error) {
	var only, not []string
	for name := range strings.SplitSeq(choice, ",") {
		if left, ok := strings.CutPrefix(name, "-"); ok {
			not = append(not, left)
		} else if name != "" {
			only = append(only, name)
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(pkg.Types)) {
		_, isList := strings.CutSuffix(name, "List")
		isList = isList && pkg.Types[strings.TrimSuffix(name, "List")] != nil
		switch {
		case !isObject(pkg.Types[name]), isList, strings.HasSuffix(name, "Options"):
		case slices.Contains(not, name), len(only) > 0 && !slices.Contains(only, name):
		default:
			out = append(out, name)
		}
	}
	for _, name := range append(only, not...) {
		if !isObject(pkg.Types[name]) {
			return nil, fmt.Errorf("%s has no kind %q", pkg.Path, name)
		}
	}
	return out, nil
}

func isObject(t *types.Type) bool {
	return t != nil && slices.ContainsFunc(t.Members, func(m types.Member) bool { return m.Embedded && m.Name == "TypeMeta" })
}

// alias names a served package as everybody does: appsv1 for k8s.io/api/apps/v1.
func alias(path string) string {
	parts := strings.Split(path, "/")
	return parts[len(parts)-2] + parts[len(parts)-1]
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Outcome is how far one case agrees.
type Outcome struct {
	// File and Case name it, Want and Got say what was compared.
	File, Case string
	Level      Level
	Want, Got  string
}

const (
	dryRun  = "?dryRun=All"
	workers = 6
	// settling is how long the server itself writes the status of some kinds.
	settling = 2 * time.Second
)

// settles says whether the server itself writes the status of a resource.
func settles(resource string) bool {
	return slices.Contains([]string{"customresourcedefinitions", "apiservices", "flowschemas", "prioritylevelconfigurations"}, resource)
}

// transient says whether objects of a resource change what comes after them.
func transient(resource string) bool {
	return slices.Contains([]string{"limitranges", "resourcequotas", "servicecidrs"}, resource)
}

// replay runs one base object through its life.
type replay struct {
	client *client
	file   string
	record *record
	// chosen says whether a case takes part.
	chosen func(file, name string) bool

	mu  sync.Mutex
	out []Outcome
}

func (r *replay) count(name string, want, got answer) {
	r.add(name, agree(want, got), want, got)
}

func (r *replay) add(name string, level Level, want, got any) {
	o := Outcome{File: r.file, Case: name, Level: level}
	if level != Exact {
		a, _ := marshal(want)
		b, _ := marshal(got)
		o.Want, o.Got = string(a), string(b)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = append(r.out, o)
}

// collection is the path of the resource.
func (r *replay) collection() string {
	i := r.record.Index
	path := "/apis/" + i.Group + "/" + i.Version
	if i.Group == "" || i.Group == "core" {
		path = "/api/" + i.Version
	}
	if i.Namespaced {
		path += "/namespaces/parity"
	}
	resource, _, _ := strings.Cut(i.Resource, "/")
	return path + "/" + resource
}

func (r *replay) item() string { return r.collection() + "/" + r.record.Base.text("metadata", "name") }

func (r *replay) createPath() string {
	i := r.record.Index
	if i.Subresource == "" {
		return r.collection()
	}
	parent := i.Parent
	if parent == "" {
		parent = r.record.Base.text("metadata", "name")
	}
	return r.collection() + "/" + parent + "/" + i.Subresource
}

// run sends everything that is recorded.
func (r *replay) run(ctx context.Context) error {
	rec := r.record
	isReview := strings.HasSuffix(rec.Index.Resource, "reviews")
	query := dryRun
	if isReview {
		query = ""
	}
	created, err := r.client.do(ctx, http.MethodPost, r.createPath()+query, rec.Base, asJSON)
	if err != nil {
		return err
	}
	var reference any
	want := answer{Code: rec.Create.Code, Warnings: rec.Create.Warnings}
	got := answer{Code: created.code, Warnings: slices.Sorted(slices.Values(created.warnings))}
	var object any
	if rec.Create.Object != nil {
		object = rec.Create.Object
	}
	if created.ok() {
		reference = normalize(clone(created.body), rec.Base, "")
		got.Delta = delta(orEmpty(object), reference, nil)
	} else {
		got.Delta = delta(orEmpty(object), newObject(), nil)
		got.Message = created.body.text("message")
	}
	if want.Code >= 300 {
		got.Message = ""
	}
	r.count("base create", want, got)
	err = r.batch(ctx, "create", rec.Base, reference, http.MethodPost, r.createPath()+query)
	if err != nil || rec.Index.Subresource != "" || isReview || rec.Index.Resource == "bindings" {
		return err
	}
	return r.store(ctx)
}

func orEmpty(value any) any {
	if value == nil {
		return newObject()
	}
	return value
}

// store creates the object for good, and updates it.
func (r *replay) store(ctx context.Context) error {
	rec := r.record
	created, err := r.client.do(ctx, http.MethodPost, r.collection()+"?fieldManager=parity", rec.Base, asJSON)
	if err != nil {
		return err
	}
	if rec.Stored != nil {
		r.compareStored(created)
	}
	if !created.ok() {
		// What would follow does not agree.
		return r.missing()
	}
	slow := settles(rec.Index.Resource)
	if slow {
		if err := wait(ctx, settling); err != nil {
			return err
		}
	}
	if rec.StatusBody != nil {
		if err := r.writeStatus(ctx); err != nil {
			return err
		}
		if slow {
			if err := wait(ctx, settling); err != nil {
				return err
			}
		}
	}
	if rec.Table != nil {
		if err := r.compareTable(ctx); err != nil {
			return err
		}
	}
	if err := r.updates(ctx); err != nil {
		return err
	}
	if transient(rec.Index.Resource) {
		_, err = r.client.do(ctx, http.MethodDelete, r.item(), nil, asJSON)
	}
	return err
}

// missing counts what cannot be sent because there is no object.
func (r *replay) missing() error {
	if r.record.Status != nil {
		r.count("base status", *r.record.Status, answer{})
	}
	if r.record.Table != nil {
		r.add("table", None, r.record.Table, nil)
	}
	for _, op := range []string{"update", "status"} {
		for i := range r.record.Cases[op] {
			c := &r.record.Cases[op][i]
			if name := caseName(op, i, c); r.chosen(r.file, name) {
				r.count(name, c.want, answer{})
			}
		}
	}
	return nil
}

func (r *replay) updates(ctx context.Context) error {
	current, err := r.client.get(ctx, r.item())
	if err != nil {
		return err
	}
	put, err := r.client.do(ctx, http.MethodPut, r.item()+dryRun, current, asJSON)
	if err != nil {
		return err
	}
	reference := clone(current)
	if put.ok() {
		reference = put.body
	}
	reference = normalize(clone(reference), current, "")
	if err := r.batch(ctx, "update", current, reference, http.MethodPut, r.item()+dryRun); err != nil {
		return err
	}
	return r.batch(ctx, "status", current, reference, http.MethodPut, r.item()+"/status"+dryRun)
}

func (r *replay) compareStored(created response) {
	want := *r.record.Stored
	got := stored{Code: created.code}
	if !created.ok() {
		got.Message = created.body.text("message")
	}
	managers, _ := created.body.in("metadata", "managedFields").([]any)
	for _, m := range managers {
		entry, _ := m.(*object)
		got.Managed = append(got.Managed, canonical(entry.get("fieldsV1")))
	}
	slices.Sort(got.Managed)
	slices.Sort(want.Managed)
	level := None
	if want.Code == got.Code {
		level = Code
		if slices.Equal(want.Managed, got.Managed) && want.Message == got.Message {
			level = Exact
		}
	}
	r.add("base stored", level, want, got)
}

func (r *replay) writeStatus(ctx context.Context) error {
	var current *object
	var got response
	for range 5 {
		var err error
		if current, err = r.client.get(ctx, r.item()); err != nil {
			return err
		}
		current.set("status", r.record.StatusBody)
		got, err = r.client.do(ctx, http.MethodPut, r.item()+"/status", current, asJSON)
		if err != nil {
			return err
		}
		if got.code != http.StatusConflict {
			break
		}
	}
	if r.record.Status != nil {
		r.count("base status", *r.record.Status, newAnswer(got, normalize(clone(current), current, ""), current))
	}
	return nil
}

// batch sends the cases of an operation.
func (r *replay) batch(ctx context.Context, op string, to *object, reference any, method, path string) error {
	var group sync.WaitGroup
	failed := make(chan error, workers)
	work := make(chan int)
	for range workers {
		group.Go(func() {
			for i := range work {
				if err := r.one(ctx, op, i, to, reference, method, path); err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			}
		})
	}
	for i := range r.record.Cases[op] {
		if r.chosen(r.file, caseName(op, i, &r.record.Cases[op][i])) {
			work <- i
		}
	}
	close(work)
	group.Wait()
	close(failed)
	return <-failed
}

func caseName(op string, i int, c *testCase) string { return fmt.Sprintf("%s %d %s", op, i, c) }

func (r *replay) one(ctx context.Context, op string, i int, to *object, reference any, method, path string) error {
	c := &r.record.Cases[op][i]
	got := answer{} // that of a path that this server's object has not
	if body, ok := c.apply(to); ok {
		response, err := r.client.do(ctx, method, path, body, asJSON)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", r.file, c, err)
		}
		got = newAnswer(response, orEmpty(reference), body)
	}
	r.count(caseName(op, i, c), c.want, got)
	return nil
}

var (
	agePattern = regexp.MustCompile(`^(<invalid>|<unknown>|\d+[smhdy].*|\d{4}-.*Z)$`)
	agoPattern = regexp.MustCompile(`\(\w+ ago\)`)
)

// compareTable asks for what kubectl get asks for.
func (r *replay) compareTable(ctx context.Context) error {
	response, err := r.client.do(ctx, http.MethodGet, r.item(), nil, "application/json;as=Table;v=v1;g=meta.k8s.io")
	if err != nil {
		return err
	}
	got := table{Code: response.code}
	columns, _ := response.body.get("columnDefinitions").([]any)
	var names []string
	for _, item := range columns {
		c, _ := item.(*object)
		priority := c.get("priority")
		if priority == nil {
			priority = json.Number("0")
		}
		names = append(names, c.text("name"))
		got.Columns = append(got.Columns, []any{c.text("name"), c.text("type"), c.text("format"), priority})
	}
	rows, _ := response.body.get("rows").([]any)
	if len(rows) > 0 {
		row, _ := rows[0].(*object)
		cells, _ := row.get("cells").([]any)
		for i, cell := range cells {
			name := ""
			if i < len(names) {
				name = names[i]
			}
			got.Cells = append(got.Cells, steadyCell(name, cell))
		}
	}
	for i, cell := range r.record.Table.Cells { // some were recorded with times
		if i < len(names) {
			r.record.Table.Cells[i] = steadyCell(names[i], cell)
		}
	}
	level := None
	if want := r.record.Table; want.Code == got.Code {
		level = Code
		if canonicalColumns(want.Columns) == canonicalColumns(got.Columns) && slices.Equal(want.Cells, got.Cells) {
			level = Exact
		}
	}
	r.add("table", level, r.record.Table, got)
	return nil
}

func canonicalColumns(columns [][]any) string { return fmt.Sprint(columns) }

var hiddenPort = regexp.MustCompile(`:\d{5}/`)

func steadyCell(name string, cell any) string {
	text := fmt.Sprint(cell)
	switch v := cell.(type) {
	case nil:
		text = "None"
	case bool:
		text = map[bool]string{true: "True", false: "False"}[v]
	}
	switch {
	case slices.Contains([]string{"age", "created at", "last schedule", "duration", "last seen", "first seen", "timeadded"}, strings.ToLower(name)):
		text = agePattern.ReplaceAllString(text, "<age>")
	case name == "Restarts":
		text = agoPattern.ReplaceAllString(text, "(<age> ago)")
	case name == "Cluster-IP":
		text = ipPattern.ReplaceAllString(text, "<ip>")
	case name == "Port(s)":
		text = hiddenPort.ReplaceAllString(text, ":<port>/")
	}
	return steady(text)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// setUp creates the objects that the others need.
func setUp(ctx context.Context, c *client, file string) error {
	var objects []*object
	if err := load(file, &objects); err != nil {
		return err
	}
	for _, o := range objects {
		plural := o.text("_resource")
		o.remove("_resource")
		if plural == "" {
			plural = strings.ToLower(o.text("kind")) + "s"
			if strings.HasSuffix(plural, "sss") {
				plural = strings.TrimSuffix(plural, "s") + "es"
			}
		}
		path := "/api/" + o.text("apiVersion")
		if strings.Contains(o.text("apiVersion"), "/") {
			path = "/apis/" + o.text("apiVersion")
		}
		if namespace := o.text("metadata", "namespace"); namespace != "" {
			path += "/namespaces/" + namespace
		}
		got, err := c.do(ctx, http.MethodPost, path+"/"+plural, o, asJSON)
		if err != nil {
			return err
		}
		if !got.ok() && got.code != http.StatusConflict {
			return errors.New("set up " + path + "/" + plural + ": " + got.body.text("message"))
		}
	}
	return nil
}

// compareMap counts how far this server's entries are those of the file.
func compareMap(file string, want, got map[string]any) []Outcome {
	var out []Outcome
	for _, key := range slices.Sorted(maps.Keys(want)) {
		have, ok := got[key]
		o := Outcome{File: file, Case: key, Level: None}
		switch {
		case ok && equal(want[key], have):
			o.Level = Exact
		case ok:
			o.Level = Code
		}
		if o.Level != Exact {
			o.Want, o.Got = canonical(want[key]), canonical(have)
		}
		out = append(out, o)
	}
	return out
}

// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package kind

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apiserver/pkg/registry/rest"
)

// Column is a column of kubectl get.
type Column[T any] struct {
	// Name is the heading; kubectl prints it in upper case.
	Name string
	// Type is an OpenAPI type: string, integer, number, boolean or date. Unset: string.
	Type string
	// Format refines Type; "name" marks the name of the object. Unset: none.
	Format string
	// Description says what the cell holds.
	Description string
	// Wide hides the column unless kubectl is called with -o wide.
	Wide bool
	// Value returns the cell: a string, an integer, bool or float64; nil prints <none>.
	Value func(*T) any
}

// Name returns the column of the object's name, which kinds list first.
func Name[T any]() Column[T] {
	return Column[T]{
		Name: "Name", Format: "name",
		Description: metav1.ObjectMeta{}.SwaggerDoc()["name"],
		Value:       func(obj *T) any { return any(obj).(metav1.Object).GetName() },
	}
}

// Age returns the column of the time since the object was created.
func Age[T any]() Column[T] {
	return Column[T]{
		Name:        "Age",
		Description: metav1.ObjectMeta{}.SwaggerDoc()["creationTimestamp"],
		Value:       func(obj *T) any { return HumanAge(any(obj).(metav1.Object).GetCreationTimestamp()) },
	}
}

// HumanAge returns the time since t as kubectl prints it, for example "5m12s",
// and "<unknown>" if t is not set.
func HumanAge(t metav1.Time) string {
	if t.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(time.Since(t.Time))
}

// cell turns integers into the one type of them that JSON knows and deep copies take.
func cell(value any) any {
	switch v := value.(type) {
	case int:
		return int64(v)
	case int32:
		return int64(v)
	}
	return value
}

// table makes the tables of one kind.
type table struct {
	is      func(runtime.Object) bool
	columns []column
	headers []metav1.TableColumnDefinition
}

func newTable(columns []column, is func(runtime.Object) bool) *table {
	t := &table{is: is, columns: columns, headers: make([]metav1.TableColumnDefinition, len(columns))}
	for i, c := range columns {
		t.headers[i] = c.header
	}
	return t
}

// Table returns what prints a kind that is not stored.
func Table[T any, PT Object[T]](columns []Column[T]) rest.TableConvertor {
	return newTable(eraseColumns(columns), is[T])
}

// ConvertToTable implements rest.TableConvertor for objects and lists of the kind.
func (t *table) ConvertToTable(_ context.Context, obj, options runtime.Object) (*metav1.Table, error) {
	out := &metav1.Table{}
	row := func(item runtime.Object) error {
		if !t.is(item) {
			return fmt.Errorf("a table was asked for that has no rows of %T", item)
		}
		cells := make([]any, len(t.columns))
		for i := range t.columns {
			cells[i] = cell(t.columns[i].value(item))
		}
		out.Rows = append(out.Rows, metav1.TableRow{Cells: cells, Object: runtime.RawExtension{Object: item}})
		return nil
	}
	if list, err := meta.ListAccessor(obj); err == nil {
		out.ResourceVersion = list.GetResourceVersion()
		out.Continue = list.GetContinue()
		out.RemainingItemCount = list.GetRemainingItemCount()
		out.Rows = make([]metav1.TableRow, 0, meta.LenList(obj))
		if err := meta.EachListItem(obj, row); err != nil {
			return nil, err
		}
	} else {
		if err := row(obj); err != nil {
			return nil, err
		}
		out.ResourceVersion = any(obj).(metav1.Object).GetResourceVersion()
	}
	if o, ok := options.(*metav1.TableOptions); !ok || !o.NoHeaders {
		out.ColumnDefinitions = t.headers
	}
	return out, nil
}

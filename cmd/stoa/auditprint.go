// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stoa-project/stoa/server/auditlog"
)

// The forms in which requests are printed.
const (
	outputTable = "table"
	outputWide  = "wide"
	outputJSON  = "json"
)

const (
	// block is how many rows are looked at for the width of columns.
	block = 1000
	// rowCost is about what a row takes in memory beside its text.
	rowCost = 300
	gap     = "   "
)

// auditPrinter prints a table whose columns grow wider from block to block, or lines as
// they are.
type auditPrinter struct {
	form    string
	out     *bufio.Writer
	rows    [][]string
	widths  []int
	printed int
}

func newAuditPrinter(form string, out io.Writer) *auditPrinter {
	return &auditPrinter{form: form, out: bufio.NewWriter(out)}
}

// row returns what is printed of an event, and how much memory that takes.
func (p *auditPrinter) row(e *auditlog.Event, line []byte) (row []string, size int) {
	if p.form == outputJSON {
		return []string{string(line)}, rowCost + len(line)
	}
	object := e.ObjectRef
	resource, name := e.RequestURI, ""
	if object != nil {
		resource = object.Resource
		if object.APIGroup != "" {
			resource += "." + object.APIGroup
		}
		if object.Subresource != "" {
			resource += "/" + object.Subresource
		}
		name = strings.TrimSuffix(object.Namespace+"/"+object.Name, "/")
		name = strings.TrimPrefix(name, "/")
	} else {
		resource, _, _ = strings.Cut(resource, "?")
	}
	user := e.User.Username
	if e.ImpersonatedUser != nil {
		user += " as " + e.ImpersonatedUser.Username
	}
	code := ""
	if e.ResponseStatus.Code != 0 {
		code = strconv.Itoa(e.ResponseStatus.Code)
	}
	row = []string{
		e.StageTimestamp.UTC().Format(time.RFC3339), user, e.Verb, resource, name, code, e.Decision(), strings.Join(e.SourceIPs, ","),
	}
	if p.form == outputWide {
		row = append(row, e.Stage, e.AuditID, e.UserAgent)
	}
	size = rowCost
	for i, cell := range row {
		if row[i] = printable(cell); row[i] == "" {
			row[i] = none
		}
		size += len(row[i])
	}
	return row, size
}

// printable leaves nothing in a text that a terminal obeys. Names in paths can be
// anything.
func printable(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) {
		return text
	}
	quoted := strconv.QuoteToASCII(text)
	return quoted[1 : len(quoted)-1]
}

func (p *auditPrinter) print(row []string) error {
	p.printed++
	if p.form == outputJSON {
		_, err := p.out.WriteString(row[0] + "\n")
		return err
	}
	if p.rows = append(p.rows, row); len(p.rows) < block {
		return nil
	}
	return p.printRows()
}

// flush prints what is held back, and a heading even if there is nothing.
func (p *auditPrinter) flush() error {
	if p.form != outputJSON {
		if err := p.printRows(); err != nil {
			return err
		}
	}
	return p.out.Flush()
}

func (p *auditPrinter) printRows() error {
	if p.widths == nil {
		heading := []string{"TIME", "USER", "VERB", "RESOURCE", "NAME", "CODE", "DECISION", "SOURCE"}
		if p.form == outputWide {
			heading = append(heading, "STAGE", "AUDIT ID", "USER AGENT")
		}
		p.widths = make([]int, len(heading))
		p.rows = append([][]string{heading}, p.rows...)
	}
	for _, row := range p.rows {
		for i, cell := range row {
			p.widths[i] = max(p.widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range p.rows {
		for i, cell := range row {
			text := cell + "\n"
			if i < len(row)-1 {
				text = cell + strings.Repeat(" ", p.widths[i]-utf8.RuneCountInString(cell)) + gap
			}
			if _, err := p.out.WriteString(text); err != nil {
				return err
			}
		}
	}
	p.rows = p.rows[:0]
	return nil
}

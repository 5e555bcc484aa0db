// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stoa-project/stoa/server/auditlog"
)

// auditOptions are the flags of the command.
type auditOptions struct {
	file, resource, from, to, output string
	since                            time.Duration
	filter                           auditlog.Filter
	rotated, keepGoing               bool
}

func newAuditCommand() *cobra.Command {
	o := &auditOptions{}
	command := &cobra.Command{
		Use:   "audit",
		Short: "Query an audit log: who did what, and when",
		Long: "Prints requests from the files that stoa start --audit-log-path writes, in order of time: one line for each,\n" +
			"when it ended. It reads the file, and before it those that were rotated from it and lie beside it, compressed or not.",
		Example: "  stoa audit --file audit.log --verb delete,deletecollection --resource pods/web -n shop   # who deleted it?\n" +
			"  stoa audit --file audit.log --denied --since 1h                                          # who was turned away?\n" +
			"  stoa audit --file audit.log --user alice -o json | jq .requestObject                     # what did she send?",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(time.Now()); err != nil {
				return err
			}
			log, err := o.open(cmd.InOrStdin())
			if err != nil {
				return err
			}
			return errors.Join(o.query(cmd.Context(), log, cmd.OutOrStdout(), cmd.ErrOrStderr()), log.Close())
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.file, "file", "", "File to read. Empty or -: standard input.")
	flags.BoolVar(&o.rotated, "rotated", true, "Read what was rotated from the file, too.")
	flags.StringSliceVar(&o.filter.Users, "user", nil, "Users who sent a request, or for whom it was sent.")
	flags.StringSliceVar(&o.filter.Verbs, "verb", nil, "Verbs, such as create,delete.")
	flags.StringVar(&o.resource, "resource", "", "What a request is about: RESOURCE[.GROUP][/NAME]. Without a group: that of any. \"pods.\" is that of the core group.")
	flags.StringVar(&o.filter.Subresource, "subresource", "", "Part of the resource, such as exec.")
	flags.StringVarP(&o.filter.Namespace, "namespace", "n", "", "Namespace. Empty: all, and what is in none.")
	flags.DurationVar(&o.since, "since", 0, "How long ago it began, such as 1h.")
	flags.StringVar(&o.from, "from", "", "First time, in the form of RFC 3339, such as 2026-01-31T08:00:00Z.")
	flags.StringVar(&o.to, "to", "", "Time before which it was, in the same form.")
	flags.IntSliceVar(&o.filter.Codes, "code", nil, "Codes of answers, such as 403,404.")
	flags.BoolVar(&o.filter.Denied, "denied", false, "Only requests of users who were not known, or not allowed to.")
	flags.BoolVar(&o.filter.AllStages, "all-stages", false, "One line for each event, and not for each request.")
	flags.BoolVar(&o.keepGoing, "keep-going", false, "Report lines that are no audit events, and go on.")
	flags.StringVarP(&o.output, "output", "o", outputTable, "One of table, wide, json. json prints the events as they are, one a line.")
	return command
}

// complete reads the values of flags.
func (o *auditOptions) complete(now time.Time) error {
	if !slices.Contains([]string{outputTable, outputWide, outputJSON}, o.output) {
		return fmt.Errorf("--output must be table, wide or json, is %q", o.output)
	}
	if o.resource != "" {
		resource, err := auditlog.ParseResource(o.resource)
		if err != nil {
			return fmt.Errorf("--resource: %w", err)
		}
		o.filter.Resource = resource
	}
	for i, verb := range o.filter.Verbs {
		o.filter.Verbs[i] = strings.ToLower(verb)
	}
	if o.since < 0 {
		return errors.New("--since must not be negative")
	}
	if o.since > 0 {
		if o.from != "" {
			return errors.New("--since and --from cannot be set together")
		}
		o.filter.From = now.Add(-o.since)
	}
	for _, flag := range []struct {
		name, text string
		value      *time.Time
	}{{"from", o.from, &o.filter.From}, {"to", o.to, &o.filter.To}} {
		if flag.text == "" {
			continue
		}
		parsed, err := time.Parse(time.RFC3339, flag.text)
		if err != nil {
			return fmt.Errorf("--%s must be a time in the form of RFC 3339, is %q", flag.name, flag.text)
		}
		*flag.value = parsed
	}
	return o.filter.Validate()
}

// open opens the log.
func (o *auditOptions) open(in io.Reader) (*auditlog.Log, error) {
	if o.file != "" && o.file != "-" {
		log, err := auditlog.Open(o.file, auditlog.OpenOptions{Alone: !o.rotated, From: o.filter.From})
		if err != nil {
			return nil, fmt.Errorf("--file: %w", err)
		}
		return log, nil
	}
	if file, ok := in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return nil, errors.New("--file must be set, or a log be given on standard input")
	}
	return auditlog.NewLog("standard input", in)
}

// query prints the events that are asked for. It reports lines that are cut off, and goes
// on.
func (o *auditOptions) query(ctx context.Context, log *auditlog.Log, out, problems io.Writer) error {
	printer := newAuditPrinter(o.output, out)
	sorter := auditlog.Sorter[[]string]{Emit: printer.print}
	others, bad := 0, 0
	anyStage := o.filter
	anyStage.AllStages = true
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		event, line, err := log.Next()
		switch problem, isLine := errors.AsType[*auditlog.LineError](err); {
		case errors.Is(err, io.EOF):
			if err := errors.Join(sorter.Flush(), printer.flush()); err != nil {
				return err
			}
			if others > 0 && printer.printed == 0 {
				fmt.Fprintf(problems, "No request that is asked for has ended; events of other stages, for --all-stages: %d\n", others)
			}
			if bad > 0 {
				return fmt.Errorf("lines that are no audit events: %d", bad)
			}
			return nil
		case isLine && errors.Is(err, auditlog.ErrCut):
			fmt.Fprintln(problems, problem)
			continue
		case isLine && errors.Is(err, auditlog.ErrNoEvent) && o.keepGoing:
			fmt.Fprintln(problems, problem)
			bad++
			continue
		case err != nil:
			return errors.Join(sorter.Flush(), printer.flush(), err)
		}
		if !o.filter.Matches(event) {
			if anyStage.Matches(event) {
				others++
			}
			continue
		}
		row, size := printer.row(event, line)
		if err := sorter.Add(event.StageTimestamp, size, row); err != nil {
			return err
		}
	}
}
